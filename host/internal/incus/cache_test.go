package incus

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/sdk"
)

func TestTooManyCaches(t *testing.T) {
	volumes := func(n int, size string) (all []api.StorageVolume) {
		for range n {
			all = append(all, api.StorageVolume{StorageVolumePut: api.StorageVolumePut{Config: api.ConfigMap{"size": size}}})
		}
		return all
	}
	for name, test := range map[string]struct {
		mine []api.StorageVolume
		disk int64
		want string
	}{
		"the first": {nil, 10 << 30, ""},
		"one too large": {nil, 61 << 30,
			"with its 61 GiB, the caches of the unprotected runs of this repository would have 61 GiB, the policy allows " +
				"60GiB (limits.caches)"},
		"exactly as much": {volumes(5, "10GiB"), 10 << 30, ""},
		"one more": {volumes(6, "10GiB"), 10 << 30,
			"with its 10 GiB, the caches of the unprotected runs of this repository would have 70 GiB, the policy allows " +
				"60GiB (limits.caches)"},
		"the last of its kind": {volumes(31, "32MiB"), 32 << 20, ""},
		"one of too many": {volumes(32, "32MiB"), 32 << 20,
			"the unprotected runs of this repository have 32 caches, the limit is 32 (limits.caches)"},
		"one without a size": {volumes(1, ""), 32 << 20,
			"with its 32 MiB, the caches of the unprotected runs of this repository would have 61472 MiB, the policy allows " +
				"60GiB (limits.caches)"},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan{disk: test.disk, cacheBytes: 60 << 30, Spec: Spec{Max: Limits{Caches: "60GiB"}}}
			got := ""
			if err := tooManyCaches(test.mine, p); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCachesHaveLimits(t *testing.T) {
	c := needIncus(t, testConfig(t))
	with := func(trust zone.Trust, disk string, names ...string) error {
		s := busybox("true")
		s.Disk, s.Max.Caches, s.Zone.Trust = disk, "160MiB", trust
		for _, name := range names {
			s.Caches = append(s.Caches, sdk.Cache{Name: name, Path: "/c/" + name})
		}
		_, err := c.Run(context.Background(), s, nil, nil)
		return err
	}
	if err := with(zone.Unprotected, "64MiB", "a", "b"); err != nil {
		t.Fatal(err)
	}
	err := with(zone.Unprotected, "64MiB", "a", "c")
	want := "cannot make cache c: with its 64 MiB, the caches of the unprotected runs of this repository would have " +
		"192 MiB, the policy allows 160MiB (limits.caches)"
	if err == nil || err.Error() != want {
		t.Fatalf("err = %v, want %s", err, want)
	}
	hint := err.(*Error).Hint()
	if oldest := c.caches.volume(zone.Zone{Repository: "/srv/repo"}, "a"); !strings.HasSuffix(hint,
		"incus storage volume delete pushlane "+oldest+" --project pushlane") &&
		!strings.HasSuffix(hint, c.caches.volume(zone.Zone{Repository: "/srv/repo"}, "b")+" --project pushlane") {
		t.Errorf("hint %q", hint)
	}
	if err := with(zone.Protected, "64MiB", "a", "b"); err != nil {
		t.Errorf("a protected run pays for caches of unprotected ones: %v", err)
	}
	if err := with(zone.Unprotected, "64MiB", "a", "b"); err != nil {
		t.Errorf("caches that are there: %v", err)
	}
	if err := with(zone.Unprotected, "32MiB", "d"); err != nil {
		t.Errorf("one that fits: %v", err)
	}
}

// TestCachesAtOnce: containers that start together do not all find the same
// room.
func TestCachesAtOnce(t *testing.T) {
	c := needIncus(t, testConfig(t))
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			s := busybox("true")
			s.Disk, s.Max.Caches = "64MiB", "160MiB"
			s.Caches = []sdk.Cache{{Name: fmt.Sprintf("c%d", i), Path: "/c"}}
			p, err := s.plan()
			if err == nil {
				c.caches.mounts(context.Background(), p)
			}
		})
	}
	wg.Wait()
	all, err := c.conn.srv.GetStoragePoolVolumes(c.conn.cfg.Pool)
	made := 0
	for _, v := range all {
		if c.caches.inZone(v, zone.Zone{Repository: "/srv/repo"}) {
			made++
		}
	}
	if err != nil || made != 2 {
		t.Errorf("%d caches of 64 MiB were made, want the 2 that fit into 160 MiB: %v", made, err)
	}
}

func TestTreesThatGo(t *testing.T) {
	now := time.Now()
	tree := func(name string, idle time.Duration, bytes string, users ...string) api.StorageVolume {
		return api.StorageVolume{Name: name, UsedBy: users, StorageVolumePut: api.StorageVolumePut{
			Config: api.ConfigMap{labelUsed: stamp(now.Add(-idle)), labelBytes: bytes}}}
	}
	const mib = "1048576"
	limits := treeLimits{volumes: 3, bytes: maxTree + 3<<20, idle: 20 * time.Minute}
	for name, test := range map[string]struct {
		mine []api.StorageVolume
		want string
		fits bool
	}{
		"none": {nil, "[]", true},
		"some": {[]api.StorageVolume{tree("a", time.Hour, mib), tree("b", 0, mib)}, "[]", true},
		"one too many": {[]api.StorageVolume{tree("a", 2*time.Hour, mib), tree("b", 3*time.Hour, mib),
			tree("c", time.Hour, mib)}, "[b]", true},
		"far too many": {[]api.StorageVolume{tree("a", 2*time.Hour, mib), tree("b", 3*time.Hour, mib),
			tree("c", time.Hour, mib), tree("d", 4*time.Hour, mib)}, "[d b]", true},
		"the oldest is in use": {[]api.StorageVolume{tree("a", 2*time.Hour, mib),
			tree("b", 3*time.Hour, mib, "/1.0/instances/x"), tree("c", time.Hour, mib)}, "[a]", true},
		"all in use": {[]api.StorageVolume{tree("a", time.Hour, mib, "x"), tree("b", time.Hour, mib, "x"),
			tree("c", time.Hour, mib, "x")}, "[]", false},
		"all just taken": {[]api.StorageVolume{tree("a", 0, mib), tree("b", time.Minute, mib),
			tree("c", 19*time.Minute, mib)}, "[]", false},
		"too large together": {[]api.StorageVolume{tree("a", 2*time.Hour, "3000000"),
			tree("b", time.Hour, "3000000")}, "[a]", true},
		"one of which nothing known": {[]api.StorageVolume{tree("a", time.Hour, mib), tree("b", 2*time.Hour, "")}, "[b]",
			true},
		"one that is being made": {[]api.StorageVolume{tree("a", time.Hour, mib), tree("b", 0, "")}, "[a]", false},
		"one of a negative size": {[]api.StorageVolume{tree("a", time.Hour, "-5")}, "[a]", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, fits := limits.evict(test.mine, now)
			if fmt.Sprint(got) != test.want || fits != test.fits {
				t.Errorf("%v go, fits: %v; want %s, %v", got, fits, test.want, test.fits)
			}
		})
	}
}

// numbered is a separate tree that is sent as a volume.
func numbered(n int) files {
	src := bigSource()
	src["a.txt"] = fmt.Sprintln("number", n)
	return src
}

// TestTreesAreBounded: old trees make room for new ones; where none may go, a
// tree travels with its container.
func TestTreesAreBounded(t *testing.T) {
	c := needIncus(t, testConfig(t))
	c.trees.limits = treeLimits{volumes: 2, bytes: 32 << 30, idle: -time.Hour}
	trees := func() (ids []string) {
		all, err := c.conn.srv.GetStoragePoolVolumes(c.conn.cfg.Pool)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			if v.Config[labelOwner] == c.conn.cfg.Owner && v.Config[labelTree] != "" {
				ids = append(ids, v.Config[labelTree])
				if n := treeBytes(v); n < smallTree || n > smallTree+1<<20 {
					t.Errorf("%s is said to have %d bytes", v.Name, n)
				}
			}
		}
		return ids
	}
	for n := range 4 {
		s := busybox("cat a.txt")
		s.Source = numbered(n)
		if _, out, _ := run(t, c, s); out != fmt.Sprintln("number", n) {
			t.Errorf("tree %d: %q", n, out)
		}
		if err := c.Close(); err != nil { // its container is gone
			t.Error(err)
		}
		if got := trees(); len(got) > 2 || !strings.Contains(fmt.Sprint(got), numbered(n).ID()) {
			t.Errorf("after tree %d there are %v", n, got)
		}
	}
	before := fmt.Sprint(trees())
	c.trees.limits.idle = time.Hour
	s := busybox("cat a.txt")
	s.Source = numbered(9)
	if _, out, _ := run(t, c, s); out != "number 9\n" || fmt.Sprint(trees()) != before {
		t.Errorf("without room: %q, trees %v, want %v", out, trees(), before)
	}
}
