package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/store"
)

// pusher is a clone that pushes past its hook, and the record of the pushes that the hook saw.
type pusher struct {
	work, hook string
	env        []string
	repo       *hooks.Repo
	store      *store.Store
	ids        map[string]string // by branch
}

// newPusher has pushed the branches past, accepted and refused, and fetched theirs and mine after it pushed that.
func newPusher(t *testing.T) *pusher {
	t.Helper()
	g := someHistory(t).guard(t, "main=one theirs=two")
	p := &pusher{work: filepath.Join(t.TempDir(), "work"), env: g.env, store: g.store, ids: map[string]string{}}
	git(t, "", p.env, "clone", "-q", g.dir, p.work)
	for _, branch := range []string{"past", "accepted", "refused", "mine", "feature/a"} {
		git(t, p.work, p.env, "commit", "-q", "--allow-empty", "-m", branch)
		git(t, p.work, p.env, "push", "-q", "--no-verify", "origin", "HEAD:refs/heads/"+branch)
		p.ids[branch] = git(t, p.work, p.env, "rev-parse", "HEAD")
	}
	p.ids["theirs"] = g.id("two")
	moved := git(t, p.work, p.env, "commit-tree", "-p", p.ids["mine"], "-m", "x", "HEAD^{tree}")
	git(t, p.work, p.env, "push", "-q", g.dir, moved+":refs/heads/mine")
	git(t, p.work, p.env, "fetch", "-q", "origin")
	p.hook = filepath.Join(p.work, ".git", "hooks", "pre-push")
	if err := os.WriteFile(p.hook, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(p.hook, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.repo, err = hooks.Open(t.Context(), hooks.Env{Dir: p.work, Getenv: Call{Env: p.env}.Getenv}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.repo.Close() })
	p.judged(t, "accepted", ExitAccept)
	p.judged(t, "refused", ExitRefuse)
	return p
}

// judged records a run of the branch's commit.
func (p *pusher) judged(t *testing.T, branch string, exit int) {
	t.Helper()
	run, err := p.store.Begin(t.Context(), store.NewRun{RepoKey: p.repo.CommonDir(), RepoName: "work",
		Gate: "pre-push",
		At:   time.Now(), Updates: []store.Update{{Ref: "refs/heads/" + branch, New: p.ids[branch]}}})
	if err == nil {
		err = p.store.Record(t.Context(), run.ID, store.End{State: store.Passed, Exit: exit, At: time.Now()})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestBypasses: a push past the hook is found at the next one, where this repository made it and no run let it through.
func TestBypasses(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	young := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(young, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(young, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	past := func(branch string) string {
		return branch + " was pushed to " + p.ids[branch][:7] + " past the gate (git push --no-verify)"
	}
	for name, c := range map[string]struct {
		ref  string // whose old value is that of the branch below
		at   string
		call Call
		want string
	}{
		"past the hook":           {"refs/heads/past", "past", Call{Gate: "pre-push"}, past("past")},
		"of a name with a folder": {"refs/heads/feature/a", "feature/a", Call{Gate: "pre-push"}, past("feature/a")},
		"a hook at a relative path": {"refs/heads/past", "past", Call{Gate: "pre-push",
			Env: []string{"PUSHLANE_HOOK=.git/hooks/pre-push"}}, past("past")},
		"let through by a run":   {"refs/heads/accepted", "accepted", Call{Gate: "pre-push"}, ""},
		"refused by a run":       {"refs/heads/refused", "refused", Call{Gate: "pre-push"}, past("refused")},
		"by another pusher":      {"refs/heads/theirs", "theirs", Call{Gate: "pre-push"}, ""},
		"moved by another since": {"refs/heads/mine", "mine", Call{Gate: "pre-push"}, ""},
		"another commit":         {"refs/heads/past", "theirs", Call{Gate: "pre-push"}, ""},
		"to another remote":      {"refs/heads/past", "past", Call{Gate: "pre-push", Args: []string{"upstream"}}, ""},
		"before there was a hook": {"refs/heads/past", "past", Call{Gate: "pre-push", Env: []string{"PUSHLANE_HOOK=" +
			young}}, ""},
		"a hook that is not there": {"refs/heads/past", "past", Call{Gate: "pre-push",
			Env: []string{"PUSHLANE_HOOK=/nowhere"}}, ""},
		"by hand":                    {"refs/heads/past", "past", Call{Gate: "manual"}, ""},
		"on a server":                {"refs/heads/past", "past", Call{Gate: "pre-receive"}, ""},
		"of a tag":                   {"refs/tags/past", "past", Call{Gate: "pre-push"}, ""},
		"of a new branch":            {"refs/heads/past", "", Call{Gate: "pre-push"}, ""},
		"no variable names the hook": {"refs/heads/past", "past", Call{Gate: "pre-push", Env: []string{"X=1"}}, ""},
	} {
		call := c.call
		call.Dir = p.work
		if call.Args == nil {
			call.Args = []string{"origin"}
		}
		if call.Env == nil {
			call.Env = []string{"PUSHLANE_HOOK=" + p.hook}
		}
		u := hooks.Update{Ref: c.ref, Old: hooks.ZeroID, New: p.ids["past"]}
		if c.at != "" {
			u.Old = p.ids[c.at]
		}
		got, err := Bypasses(t.Context(), p.store, p.repo,
			&Run{Gate: call.Gate, Remote: call.Arg(0), Asked: call.Asked(), Updates: []Update{{Update: u}}})
		if err != nil || strings.Join(got, "; ") != c.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
	all := []Update{{Update: hooks.Update{Ref: "refs/heads/past", Old: p.ids["past"]}},
		{Update: hooks.Update{Ref: "refs/heads/refused", Old: p.ids["refused"]}}}
	call := Call{Gate: "pre-push", Dir: p.work, Args: []string{"origin"}, Env: []string{"PUSHLANE_HOOK=" + p.hook}}
	j := &Run{Gate: call.Gate, Remote: call.Arg(0), Asked: call.Asked(), Updates: all}
	got, err := Bypasses(t.Context(), p.store, p.repo, j)
	if err != nil || strings.Join(got, "; ") != past("past")+"; "+past("refused") {
		t.Errorf("two: %q, %v", got, err)
	}
	p.store.Close()
	if got, err := Bypasses(t.Context(), p.store, p.repo, j); err == nil || got != nil {
		t.Errorf("a record that cannot be read: %q, %v", got, err)
	}
}

// TestLastPush: what is not a line of git's, or one of another kind, is not a push of this repository.
func TestLastPush(t *testing.T) {
	t.Parallel()
	id, zero := strings.Repeat("a", 40), hooks.ZeroID
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"a push":             {zero + " " + id + " A B <a@x> 1700000000 +0100\tupdate by push\n", true},
		"without a line end": {zero + " " + id + " A <a@x> 1700000000 +0100\tupdate by push", true},
		"without a name":     {zero + " " + id + " 1700000000 +0100\tupdate by push\n", true},
		"another message":    {zero + " " + id + " A <a@x> 1700000000 +0100\tfetch origin: forced-update\n", false},
		"no message":         {zero + " " + id + " A <a@x> 1700000000 +0100\n", false},
		"another commit":     {id + " " + zero + " A <a@x> 1700000000 +0100\tupdate by push\n", false},
		"no time":            {zero + " " + id + " A <a@x> soon +0100\tupdate by push\n", false},
		"too short":          {zero + " " + id + " +0100\tupdate by push\n", false},
		"blank lines":        {"\n\n", false},
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if at, found := lastPush(path, id); found != c.want || found && at.Unix() != 1_700_000_000 {
			t.Errorf("%s: %t at %s", name, found, at)
		}
	}
	if _, found := lastPush(filepath.Join(t.TempDir(), "none"), id); found {
		t.Error("a reflog that is not there")
	}
	if _, found := lastPush(t.TempDir(), id); found {
		t.Error("a folder")
	}
}
