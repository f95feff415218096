package lanerun

import (
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// TestWhoGetsGit: a .git has history and all files, so that only who may read both gets one.
func TestWhoGetsGit(t *testing.T) {
	t.Parallel()
	policy := config.Policy{Capabilities: everyCapability()}
	both := []string{"repo.read", "repo.history"}
	for name, c := range map[string]struct {
		asks  []string
		grant lanes.Grant
		git   bool
		want  string
	}{
		"all of it": {both, lanes.Grant{Read: true, History: true}, true, ""},
		"no history": {both, lanes.Grant{Read: true}, true, `plugin "look" asks for repo.history, which lane "deploy" ` +
			"does not grant; hint: grant it in the lane:\n[lane.grant]\nhistory = true"},
		"no files": {both, lanes.Grant{History: true}, true, `plugin "look" asks for repo.read, which lane "deploy" does ` +
			"not grant; hint: grant it in the lane:\n[lane.grant]\nread = true"},
		"some files": {both, lanes.Grant{Read: true, Files: []string{"docs/**"}, History: true}, true,
			`plugin "look" asks for a .git, which has all files, and lane "deploy" grants some; hint: ` +
				"grant all of them in the lane:\n[lane.grant]\nread = true"},
		"not in the manifest": {[]string{"repo.read"}, lanes.Grant{Read: true, History: true}, true,
			`plugin "look" used capability repo.history, which its manifest does not ask for; hint: `},
		"no .git": {both, lanes.Grant{}, false, ""},
	} {
		l := laneThatAsks(t, onMain, moduleThatAsks(t, all, c.asks...), c.grant, policy)
		if got := said(l.allowGit(sdk.Container{Git: c.git})); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}
