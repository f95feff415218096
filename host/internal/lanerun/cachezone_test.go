package lanerun

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
)

// TestClonesShareCaches: on the developer's own machine, those with the same origin; on a server, where the pusher of a
// mirror could choose an origin, none.
func TestClonesShareCaches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clone := func(name, origin string) *hooks.Repo {
		t.Helper()
		at := filepath.Join(dir, name)
		args := [][]string{{"init", "-q", at}, {"-C", at, "config", "remote.origin.url", origin}}
		for _, a := range args {
			if out, err := exec.Command("git", a...).CombinedOutput(); err != nil {
				t.Fatalf("git %s: %v\n%s", a, err, out)
			}
		}
		repo, err := hooks.Open(context.Background(), hooks.Env{Dir: at, Getenv: func(name string) string {
			return map[string]string{"PATH": os.Getenv("PATH"), "HOME": dir}[name]
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { repo.Close() })
		return repo
	}
	zoneOf := func(where judging, repo *hooks.Repo) zone.Zone {
		t.Helper()
		l := laneThatAsks(t, where, moduleThatAsks(t, all, "container"), lanes.Grant{},
			config.Policy{Capabilities: everyCapability()})
		l.repo = repo
		z, err := l.cacheZone(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	own := zone.Zone{Repository: "/srv/app.git", Trust: zone.Local}
	for name, c := range map[string]struct {
		where  judging
		origin string
		want   zone.Zone
	}{
		"one's own machine": {onMine, "https://example.org/a.git",
			zone.Zone{Repository: "origin https://example.org/a.git", Trust: zone.Local}},
		"another user of it": {onMine, "https://me:token@example.org/a.git",
			zone.Zone{Repository: "origin https://example.org/a.git", Trust: zone.Local}},
		"a path":          {onMine, "/srv/app.git", zone.Zone{Repository: "origin /srv/app.git", Trust: zone.Local}},
		"a relative path": {onMine, "../app.git", own},
		"no origin":       {onMine, "", own},
		"a server": {onMain, "https://example.org/a.git",
			zone.Zone{Repository: "/srv/app.git", Trust: zone.Protected}},
		"a branch": {onBranch, "https://example.org/a.git", zone.Zone{Repository: "/srv/app.git"}},
	} {
		if got := zoneOf(c.where, clone(name, c.origin)); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
