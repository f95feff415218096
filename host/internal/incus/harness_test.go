package incus

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/sdk"
)

// testConfig is the Incus that install.sh makes, with an owner of the test's
// own, so that no test sees another one's containers.
func testConfig(t testing.TB) Config {
	return Config{Socket: os.Getenv("PUSHLANE_INCUS_SOCKET"),
		Owner: "test-" + digest(t.Name(), fmt.Sprint(time.Now().UnixNano()))[:16]}
}

// needIncus connects, or skips aloud; where Incus is required a skip is a
// failure.
func needIncus(t testing.TB, cfg Config) *Client {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Incus")
	}
	c, err := Connect(context.Background(), cfg)
	if err == nil {
		_, err = c.images.resolve(context.Background(), "busybox")
	}
	if err != nil {
		if os.Getenv("PUSHLANE_REQUIRE_INCUS") != "" {
			t.Fatalf("Incus is required here: %v", err)
		}
		fmt.Fprintf(os.Stderr, "SKIPPED: %s needs Incus (install it with ./install.sh): %v\n", t.Name(), err)
		t.Skipf("no Incus: %v", err)
	}
	t.Cleanup(func() { leaveNothing(t, c) })
	return c
}

// leaveNothing fails the test when one of its containers is still there, and
// removes its volumes.
func leaveNothing(t testing.TB, c *Client) {
	ctx := context.Background()
	if err := c.Close(); err != nil {
		t.Errorf("clean-up: %v", err)
	}
	instances, err := c.conn.srv.GetInstances(api.InstanceTypeContainer)
	if err != nil {
		t.Error(err)
	}
	for _, i := range instances {
		if i.Config[labelOwner] == c.conn.cfg.Owner {
			t.Errorf("container %s is left behind", i.Name)
			c.remove(ctx, i.Name, "")
		}
	}
	volumes, err := c.conn.srv.GetStoragePoolVolumes(c.conn.cfg.Pool)
	if err != nil {
		t.Error(err)
	}
	for _, v := range volumes {
		if v.Type == "custom" && v.Config[labelOwner] == c.conn.cfg.Owner {
			if err := c.conn.srv.DeleteStoragePoolVolume(c.conn.cfg.Pool, "custom", v.Name); err != nil {
				t.Error(err)
			}
		}
	}
}

func testLimits() Limits {
	return Limits{CPU: "2", Memory: "1GiB", Disk: "4GiB", Caches: "60GiB", Processes: 500, Images: []string{"*"}}
}

// busybox is a spec that runs a shell script.
func busybox(script string) Spec {
	return Spec{Container: sdk.Container{ID: "c", Image: "busybox", Command: []string{"sh", "-c", script}, Millis: 60_000},
		Address: "repo@abc1234:test", Zone: zone.Zone{Repository: "/srv/repo"}, Attempt: 1, Max: testLimits()}
}

// files is a Source made of names and contents; "-> x" is a link to x.
type files map[string]string

func (f files) ID() string {
	sum := sha1.New()
	for _, name := range f.names() {
		fmt.Fprintf(sum, "%s\x00%s\x00", name, f[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (f files) names() []string {
	var names []string
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (f files) WriteTar(_ context.Context, w io.Writer, uid, gid int) error {
	out := tar.NewWriter(w)
	for _, name := range f.names() {
		h := &tar.Header{Name: name, Mode: 0o644, Uid: uid, Gid: gid, Size: int64(len(f[name])), Typeflag: tar.TypeReg,
			Format: tar.FormatGNU}
		if target, ok := strings.CutPrefix(f[name], "-> "); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, target, 0
		}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(out, f[name]); err != nil {
				return err
			}
		}
	}
	return out.Close()
}

// syncBuffer is a buffer that a test may read while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// waitFor polls until ok, for things another process does.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 300 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no %s within 15 seconds", what)
}

// run runs a spec and returns its outputs.
func run(t *testing.T, c *Client, s Spec) (Ended, string, string) {
	t.Helper()
	var out, errOut syncBuffer
	ended, err := c.Run(context.Background(), s, &out, &errOut)
	if err != nil {
		t.Fatalf("Run: %v (stderr %q)", err, errOut.String())
	}
	return ended, out.String(), errOut.String()
}
