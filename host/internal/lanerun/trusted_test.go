package lanerun

import (
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// doesNothing is a module with a memory and an empty _start.
const doesNothing = "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01" +
	"\x07\x13\x02\x06_start\x00\x00\x06memory\x02\x00\x0a\x04\x01\x02\x00\x0b"

// moduleThatAsks is a loaded plugin called look, which asks for capabilities of a scope.
func moduleThatAsks(t *testing.T, scope string, names ...string) *sandbox.Plugin {
	t.Helper()
	manifest := "name = \"look\"\nversion = \"1\"\nabi = 1\noutput = \"jsonl\"\n"
	for _, name := range names {
		manifest += "[[capabilities]]\nname = \"" + name + "\"\nwhy = \"for a test\"\n"
		if name == "http" || name == "secret" || name == "env" {
			manifest += "scope = [\"" + scope + "\"]\n"
		}
	}
	packed, err := wasm.Pack([]byte(doesNothing), []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	checked, err := wasm.Check("look", packed)
	if err != nil {
		t.Fatal(err)
	}
	return &sandbox.Plugin{Checked: checked}
}

// judging is whose lane run asks: its gate, and whether the ref is protected and the lanes are the push's own (strict).
type judging string

// Runs of the three zones, and one that is judged by the lanes of its own push.
const (
	onMain   judging = "pre-receive protected"
	onBranch judging = "pre-receive"
	onFirst  judging = "pre-receive protected strict"
	onMine   judging = "pre-push protected"
)

func (w judging) is(word string) bool { return slices.Contains(strings.Fields(string(w)), word) }

// laneThatAsks is a lane run of lane deploy in /srv/app.git.
func laneThatAsks(t *testing.T, where judging, m *sandbox.Plugin, grant lanes.Grant, policy config.Policy) *Lane {
	t.Helper()
	u := gate.Update{Protected: where.is("protected"), LanesFile: gate.LanesFile{Strict: where.is("strict")}}
	picked := lanes.Picked{Lane: lanes.Lane{ID: "deploy", Plugin: "look", Grant: grant}}
	l := &Lane{access: &access{runner: &Runner{State: t.TempDir()}, module: m, rec: record.Of(nil, store.Run{}),
		j: &gate.Run{GitDir: "/srv/app.git", Gate: strings.Fields(string(where))[0], Policy: policy,
			Updates:  []gate.Update{u},
			LaneRuns: []gate.LaneRun{{Picked: picked}}}}}
	l.log = newLaneLog(l.logPath, func(string) {})
	l.permits = permitted(m.Manifest(), grant, l.policy())
	return l
}

// said is an error with its hint.
func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error() + "; hint: " + problem.Hint(err)
}

// all is a manifest's scope that leaves everything to the lane.
const all = "*"

// everyCapability is what a policy may allow.
func everyCapability() []string { return wasm.Capabilities() }

// granted is a lane's grant of one capability, with items where it has some.
func granted(name string, items ...string) lanes.Grant {
	switch name {
	case "repo.read":
		return lanes.Grant{Read: true, Files: items}
	case "repo.history":
		return lanes.Grant{History: true}
	case "container":
		return lanes.Grant{Container: true}
	case "container.network":
		return lanes.Grant{Network: true}
	case "http":
		return lanes.Grant{HTTP: items}
	case "secret":
		return lanes.Grant{Secrets: items}
	case "env":
		return lanes.Grant{Env: items}
	case "kv":
		return lanes.Grant{KV: true}
	case "clock":
		return lanes.Grant{Clock: true}
	}
	panic("no grant of " + name)
}

// manifestOf is the manifest of a module that asks for one capability.
func manifestOf(name string, scope ...string) sdk.Manifest {
	return sdk.Manifest{Capabilities: []sdk.Capability{{Name: name, Scope: scope}}}
}
