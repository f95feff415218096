package incus

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

func TestRootDisk(t *testing.T) {
	const mib, gib = int64(1) << 20, int64(1) << 30
	for _, c := range []struct{ usual, free, want int64 }{
		{10 * gib, 100 * gib, 10 * gib}, // enough for all
		{10 * gib, 15 * gib, 15 * gib / 2},
		{10 * gib, 3 * gib, 3 * gib / 2},
		{10 * gib, gib, gib / 2},
		{10 * gib, 300 * mib, 150 * mib},
		{10 * gib, 100 * mib, 64 * mib},
		{10 * gib, 0, leastDisk},
		{500 * mib, 3 * gib, 500 * mib}, // the policy allows no more
	} {
		if got := rootDisk(c.usual, room{size: 100 * gib, free: c.free}); got != c.want {
			t.Errorf("%d MiB free: %d MiB, want %d", c.free/mib, got/mib, c.want/mib)
		}
	}
}

// TestAFullPoolIsNotTheContainersLimit is a separate pool that two containers
// share: who asks for no disk cannot fill it for the other, and who asks for
// more than there is hears that the pool is full.
func TestAFullPoolIsNotTheContainersLimit(t *testing.T) {
	cfg := testConfig(t)
	base := needIncus(t, cfg)
	cfg.Pool = smallPool(t, base)
	c, err := Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	run := func(disk, script string) (Ended, string, error) {
		spec := busybox(script)
		spec.Disk = disk
		var out syncBuffer
		ended, err := c.Run(t.Context(), spec, &out, &out)
		return ended, out.String(), err
	}
	const fill = "dd if=/dev/zero of=/tmp/fill bs=1M count=4000 2>/dev/null; sync; exit 1"
	ended, _, err := run("", fill)
	if err != nil || !strings.HasPrefix(ended.Reason, "disk full: the limit is ") {
		t.Errorf("without a size: %q, %v", ended.Reason, err)
	}
	if _, said, err := run("", "echo fine"); err != nil || said != "fine\n" {
		t.Errorf("the next one: %q, %v", said, err)
	}
	ended, _, err = run("4GiB", fill)
	want := fmt.Sprintf("disk full: storage pool %q has no room left of its 2.0 GiB; the container's own limit is 4 GiB",
		cfg.Pool)
	if err != nil || ended.Reason != want {
		t.Errorf("more than there is: %q, %v; want %q", ended.Reason, err, want)
	}
}

// smallPool is a storage pool of 2 GiB that goes with the test.
func smallPool(t *testing.T, c *Client) string {
	t.Helper()
	name := strings.ReplaceAll(c.conn.cfg.Owner, "test-", "plsmall")
	pool := api.StoragePoolsPost{Name: name, Driver: "btrfs"}
	pool.Config = api.ConfigMap{"size": "2GiB"}
	if err := c.conn.srv.CreateStoragePool(pool); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 { // its containers are deleted behind their runs
			if c.conn.srv.DeleteStoragePool(name) == nil {
				return
			}
			for _, image := range imagesIn(c, name) {
				_ = c.conn.srv.DeleteStoragePoolVolume(name, "image", image)
			}
			time.Sleep(200 * time.Millisecond)
		}
		t.Errorf("pool %s is left behind", name)
	})
	return name
}

func imagesIn(c *Client, pool string) (names []string) {
	volumes, _ := c.conn.srv.GetStoragePoolVolumes(pool)
	for _, v := range volumes {
		if v.Type == "image" {
			names = append(names, v.Name)
		}
	}
	return names
}
