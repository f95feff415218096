package lanerun

import (
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/oci"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

// imageLane is a lane run with settings and a policy.
func imageLane(p config.Policy, gateName string, with map[string]any) *Lane {
	run := &gate.Run{Gate: gateName, GitDir: "/srv/r.git", Policy: p, Updates: []gate.Update{{}},
		LaneRuns: []gate.LaneRun{{Picked: lanes.Picked{Lane: lanes.Lane{ID: "t", Plugin: "shell", With: with}}}}}
	return &Lane{access: &access{j: run}}
}

// TestWhichImages: a plugin cannot make the host ask a registry for a name that
// neither the lane nor the policy has; a registry hears what it is asked for.
func TestWhichImages(t *testing.T) {
	t.Parallel()
	const app = "ghcr.io/acme/app"
	deep := map[string]any{"axes": []any{map[string]any{"image": app + ":1"}}}
	for name, c := range map[string]struct {
		names   []string
		with    map[string]any
		plugins bool
		want    string
	}{
		"the policy names it":            {[]string{"ghcr.io/acme/*"}, nil, true, ""},
		"any, and the lane names it":     {[]string{"*"}, map[string]any{"image": app + ":1"}, true, ""},
		"any, and another tag":           {[]string{"*"}, map[string]any{"image": app + ":{v}"}, true, ""},
		"any, and deep in the settings":  {[]string{"*"}, deep, true, ""},
		"any, and the lanes file's word": {[]string{"*"}, nil, false, ""},
		"any, and a plugin's own idea": {[]string{"*"}, map[string]any{"image": "ghcr.io/acme/other:1"}, true,
			`cannot use image ghcr.io/acme/app:1: plugin "shell" asks for it, and lane "t" does not name it`},
		"not in the policy": {[]string{"docker.io/library/*"}, map[string]any{"image": app + ":1"}, true,
			"cannot use image ghcr.io/acme/app:1: the policy of this host does not allow it"},
		"a recipe's base that is not in the policy": {[]string{"docker.io/library/*"}, nil, false,
			"cannot use image ghcr.io/acme/app:1: the policy of this host does not allow it"},
	} {
		l := imageLane(config.Policy{ImageNames: c.names}, "pre-push", c.with)
		err := l.mayUse(oci.Name{Registry: "ghcr.io", Repository: "acme/app", Tag: "1"}, app+":1", c.plugins)
		if got := words(err); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestWhoPulls: what is missing is pulled and built for one's own runs, where the
// policy says so; for a branch of a server it is not.
func TestWhoPulls(t *testing.T) {
	t.Parallel()
	n := oci.Name{Registry: "ghcr.io", Repository: "acme/app", Tag: "1"}
	r := lanes.Recipe{Name: "env", From: "ghcr.io/acme/app:1"}
	const here = "cannot use image ghcr.io/acme/app:1: this host does not have it, and "
	for name, c := range map[string]struct {
		policy      config.Policy
		gate        string
		pull, build string
	}{
		"one's own machine": {config.Policy{ImagePull: "push"}, "pre-push", "", ""},
		"one's own machine, by hand only": {config.Policy{ImagePull: "add"}, "pre-push",
			here + "its policy pulls no images at a push",
			"this host does not have it, and its policy builds no images at a push"},
		"a branch of a server": {config.Policy{ImagePull: "push"}, "pre-receive",
			here + "only runs of protected refs pull images",
			"this host does not have it, and only runs of protected refs build images"},
		"a branch that may": {config.Policy{ImagePull: "push", Allows: []config.Allow{{Repository: "*",
			Images: []string{"ghcr.io/acme/*"}, Unprotected: true}}}, "pre-receive", "", ""},
	} {
		l := imageLane(c.policy, c.gate, nil)
		if got := words(l.mayPull(n)); got != c.pull {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.pull)
		}
		if got := words(l.mayBuild(r)); got != c.build {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.build)
		}
		if err := l.mayPull(n); err != nil && problem.Hint(err) !=
			"the host's owner brings it with: pushlane image add ghcr.io/acme/app:1" {
			t.Errorf("%s: hint %s", name, problem.Hint(err))
		}
	}
}
