package plugins

import (
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/lanes"
)

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	rising := []string{"0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
		"1.0.0-beta.11",
		"1.0.0-rc.1", "1", "v1.0.1", "1.2", "1.2.0.1", "1.10", "2.0.0-0", "2.0", "2024.01.05", "2024.01.15",
		"99999999999999999999999", "100000000000000000000000.1"}
	for i, a := range rising {
		for j, b := range rising {
			order, ok := compareVersions(a, b)
			if !ok || order < 0 != (i < j) || order > 0 != (i > j) {
				t.Errorf("%s and %s: %d, %v", a, b, order, ok)
			}
		}
	}
	for _, same := range [][2]string{{"1", "1.0.0"}, {"1.0+a", "1.0+b"}, {"v2.1", "2.1"}, {"01.02", "1.2"}} {
		if order, ok := compareVersions(same[0], same[1]); !ok || order != 0 {
			t.Errorf("%v: %d, %v", same, order, ok)
		}
	}
	for _, other := range []string{"", "next", "1.x", "1.", ".1", "1..2", "1.0-", "-1", "1.0 ", " 1.0", "1.0\n",
		"1.2.3.4.5", "\u0661.0"} {
		for _, pair := range [][2]string{{other, "1.0"}, {"1.0", other}} {
			if order, ok := compareVersions(pair[0], pair[1]); ok {
				t.Errorf("%q: %d", pair, order)
			}
		}
	}
}

// TestUpdateHolds has an update for every reason to hold it back, and none.
func TestUpdateHolds(t *testing.T) {
	t.Parallel()
	kv := []lanes.Granted{{Name: "kv", Why: "counts"}}
	pinned := lanes.Locked{Name: "look", Source: "./look.wasm", SHA256: strings.Repeat("a", 64), PluginVer: "2.0",
		Signer:    "ann@x",
		SignerKey: "SHA256:one"}
	tests := map[string]struct {
		change func(p, o *lanes.Locked)
		older  bool
		faults []string
		want   []string // lines; none: it is pinned with the move alone
	}{
		"newer": {change: func(_, o *lanes.Locked) { o.PluginVer = "2.0.1" }},
		"older": {change: func(_, o *lanes.Locked) { o.PluginVer = "1.0" },
			want: []string{"not newer: it is older"}},
		"older, allowed": {change: func(_, o *lanes.Locked) { o.PluginVer = "1.0" }, older: true},
		"of the same version": {change: func(_, o *lanes.Locked) { o.PluginVer = "2.0.0" },
			want: []string{"not newer: it has the same version but is another module"}},
		"not a version": {change: func(_, o *lanes.Locked) { o.PluginVer = "new" },
			want: []string{"not newer: it cannot be determined which of these versions is newer"}},
		"no version pinned": {change: func(p, _ *lanes.Locked) { p.PluginVer = "" },
			want: []string{"not newer: it cannot be determined which of these versions is newer"}},
		"by somebody else": {change: func(_, o *lanes.Locked) { o.Signer = "bob@x" },
			want: []string{"signer: ann@x -> bob@x"}},
		"by another key": {change: func(_, o *lanes.Locked) { o.SignerKey = "SHA256:two" },
			want: []string{"signing key: SHA256:one -> SHA256:two"}},
		"by no key": {change: func(_, o *lanes.Locked) { o.SignerKey, o.Signer = "", "" }, older: true,
			want: []string{"signer: ann@x -> no one", "signing key: SHA256:one -> no one"}},
		"key was not on record": {change: func(p, _ *lanes.Locked) { p.SignerKey = "" }},
		"asks for more": {change: func(_, o *lanes.Locked) { o.Capabilities = kv },
			want: []string{"+ kv: counts"}},
		"refuses a lane's settings": {change: func(_, _ *lanes.Locked) {}, faults: []string{"lane x"},
			want: []string{"lane x"}},
		"older and asks for more": {change: func(_, o *lanes.Locked) { o.Capabilities, o.PluginVer = kv, "1.0" }, older: true,
			want: []string{"+ kv: counts", "not newer: it is older"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, o := pinned, pinned
			o.SHA256, o.PluginVer = strings.Repeat("b", 64), "3.0"
			test.change(&p, &o)
			now, lines, held := Update(p, Offer{Locked: o}, test.faults, test.older)
			if held != (test.want != nil) {
				t.Fatalf("held back: %v\n%s", held, strings.Join(lines, "\n"))
			}
			for _, want := range test.want {
				if !slices.Contains(lines, want) {
					t.Errorf("no line %q in\n%s", want, strings.Join(lines, "\n"))
				}
			}
			if !held {
				if now.SHA256 != o.SHA256 || now.SignerKey != o.SignerKey || now.Held != nil {
					t.Errorf("pinned is %+v", now)
				}
				return
			}
			if now.SHA256 != p.SHA256 || now.Held == nil || now.Held.SHA256 != o.SHA256 {
				t.Errorf("held back is %+v", now)
			}
			approved, lines, err := Approve(now)
			if err != nil || approved.SHA256 != o.SHA256 || approved.SignerKey != o.SignerKey ||
				approved.PluginVer != o.PluginVer {
				t.Errorf("approved is %+v, %v", approved, err)
			}
			for _, want := range test.want {
				if !slices.Contains(append(lines, test.faults...), want) {
					t.Errorf("approve has no line %q in\n%s", want, strings.Join(lines, "\n"))
				}
			}
		})
	}
}
