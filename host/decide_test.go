package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
)

// pushTo is a bare repository app.git and a work tree to make commits in.
type pushTo struct {
	t         *testing.T
	host      *Host
	policy    config.Policy
	env       []string
	work, app string
}

func newPushTo(t *testing.T) *pushTo {
	t.Helper()
	dir := t.TempDir()
	p := &pushTo{t: t, work: filepath.Join(dir, "work"), app: filepath.Join(dir, "app.git"), env: []string{"HOME=" + dir,
		"PATH=" + os.Getenv("PATH"), "PUSHLANE_CONFIG=/dev/null", "PUSHLANE_STATE=" + filepath.Join(dir,
			"state"), "GIT_CONFIG_NOSYSTEM=1"}}
	var err error
	if p.policy, err = config.LoadServer(gate.Call{Env: p.env}.Getenv); err != nil {
		t.Fatal(err)
	}
	if p.host, err = Open(p.policy, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.host.Close(context.Background()) })
	git(t, dir, p.env, "init", "-q", "-b", "main", p.work)
	git(t, dir, p.env, "init", "-q", "--bare", "-b", "main", p.app)
	return p
}

// commit makes a commit and brings its objects, without a ref.
func (p *pushTo) commit(name, text string) string {
	p.t.Helper()
	write(p.t, filepath.Join(p.work, filepath.Dir(name)), filepath.Base(name), text)
	id := commit(p.t, p.work, p.env, name)
	git(p.t, p.app, p.env, "fetch", "-q", p.work, "HEAD")
	return id
}

func (p *pushTo) set(ref, id string) { git(p.t, p.app, p.env, "update-ref", ref, id) }

// decide asks about lines "<old> <new> <ref>".
func (p *pushTo) decide(policy config.Policy, perRef bool, lines ...string) (gate.Run, error) {
	p.t.Helper()
	call := gate.Call{Gate: "pre-receive", Dir: p.app, Env: append(p.env, "GIT_DIR=."),
		Stdin: []byte(strings.Join(lines, "\n") + "\n")}
	repo, err := hooks.Open(p.t.Context(), call.HooksEnv())
	if err != nil {
		p.t.Fatal(err)
	}
	defer repo.Close()
	call.PerRef = perRef
	return p.host.decide(p.t.Context(), repo, call, policy)
}

const oneFilesLane = "version = 1\n[[lane]]\nid = \"files\"\nplugin = \"files\"\n"

// Where each ref has its own answer, one that is refused at once must not keep
// the lanes of the others from running: what did not run did not say no.
func TestRefusedRefLeavesLanesOfOthers(t *testing.T) {
	t.Parallel()
	p := newPushTo(t)
	one := p.commit("lanes.toml", oneFilesLane)
	bad := p.commit("a.txt", "<<<<<<< x\n")
	p.set("refs/heads/main", one)
	p.set("refs/heads/release/1", one)
	policy := p.policy
	policy.Protect = []string{"main", "release/*"}
	lines := []string{fmt.Sprint(one, " ", bad, " refs/heads/main"),
		fmt.Sprint(one, " ", hooks.ZeroID, " refs/heads/release/1")}
	for _, perRef := range []bool{true, false} {
		j, err := p.decide(policy, perRef, lines...)
		if err != nil {
			t.Fatal(err)
		}
		if len(j.LaneRuns) != 1 || (j.LaneRuns[0].Message == "") != perRef {
			t.Errorf("per ref %t: got %+v", perRef, j.LaneRuns)
		}
	}
	// The same commit, refused for one of its two refs.
	broken := p.commit("lanes.toml", "version = 1\n[[lane]]\n")
	policy.Protect = []string{"main"}
	p.set("refs/heads/side", one)
	j, err := p.decide(policy, true, fmt.Sprint(one, " ", broken, " refs/heads/main"),
		fmt.Sprint(one, " ", broken, " refs/heads/side"))
	if err != nil {
		t.Fatal(err)
	}
	if len(j.LaneRuns) != 2 || j.LaneRuns[0].Message == "" || j.LaneRuns[1].Message != "" {
		t.Errorf("got %+v", j.LaneRuns)
	}
}

// A push that lies about a ref is refused and leaves no trace: what it says of
// a ref must not become the trusted lanes that shut the first push out.
func TestUntrueOldValueIsNotTrusted(t *testing.T) {
	t.Parallel()
	p := newPushTo(t)
	one := p.commit("lanes.toml", oneFilesLane)
	j, err := p.decide(p.policy, false, fmt.Sprint(one, " ", one, " refs/heads/topic"))
	if err != nil || j.Exit() != gate.ExitRefuse {
		t.Fatalf("got %d, %v", j.Exit(), err)
	}
	st, err := p.host.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r, known, err := st.Repositories().TrustRoot(t.Context(), p.app); known || err != nil {
		t.Errorf("recorded %+v, %v", r, err)
	}
	j, err = p.decide(p.policy, false, fmt.Sprint(hooks.ZeroID, " ", one, " refs/heads/main"))
	if err != nil || len(j.Updates) != 1 || !j.Updates[0].Strict || j.Updates[0].Refusal != "" {
		t.Errorf("first push: %+v, %v", j.Updates, err)
	}
}

// Lanes of a branch that any pusher may move judge no protected one: not while
// the default branch has none yet, and not after it was deleted.
func TestRootIsProtected(t *testing.T) {
	t.Parallel()
	p := newPushTo(t)
	plain := p.commit("a.txt", "good\n")
	strict := p.commit("lanes.toml", oneFilesLane)
	open := p.commit("lanes.toml", "version = 1\n")
	p.set("refs/heads/topic", open)
	p.set("refs/heads/main", plain)
	j, err := p.decide(p.policy, false, fmt.Sprint(plain, " ", strict, " refs/heads/main"))
	if err != nil || len(j.Updates) != 1 || !j.Updates[0].Strict {
		t.Fatalf("main without lanes: %+v, %v", j.Updates, err)
	}
	p.set("refs/heads/main", strict)
	policy := p.policy
	policy.AllowDelete = true
	if j, err = p.decide(policy, false, fmt.Sprint(strict, " ", hooks.ZeroID,
		" refs/heads/main")); err != nil || j.Exit() != gate.ExitAccept {
		t.Fatalf("deletion: %d, %v", j.Exit(), err)
	}
	git(t, p.app, p.env, "update-ref", "-d", "refs/heads/main")
	_, err = p.decide(policy, false, fmt.Sprint(hooks.ZeroID, " ", open, " refs/heads/main"))
	want := "refs/heads/main: cannot determine which lanes judge it: those of refs/heads/main " +
		"were trusted, and no protected ref has lanes now"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// An alias of HEAD moves HEAD itself where that is detached, and every branch
// is protected then.
func TestAliasOfDetachedHeadIsProtected(t *testing.T) {
	t.Parallel()
	p := newPushTo(t)
	one := p.commit("lanes.toml", oneFilesLane)
	two := p.commit("a.txt", "good\n")
	p.set("refs/heads/main", one)
	git(t, p.app, p.env, "update-ref", "--no-deref", "HEAD", one)
	git(t, p.app, p.env, "symbolic-ref", "refs/heads/alias", "HEAD")
	j, err := p.decide(p.policy, false, fmt.Sprint(one, " ", two, " refs/heads/alias"))
	if err != nil || len(j.Updates) != 1 || j.Updates[0].Ref != "HEAD" || !j.Updates[0].Protected {
		t.Errorf("got %+v, %v", j.Updates, err)
	}
}
