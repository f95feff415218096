package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/store"
)

// decision is a record of trust by names: "REF, HEAD names REF" and what else is known.
func (g *guarded) decision(r store.TrustRoot, known bool) string {
	if !known {
		return "none"
	}
	text := fmt.Sprintf("%s at %s, HEAD %s", strings.TrimPrefix(r.Ref, "refs/heads/"), g.named(r.ID),
		strings.TrimPrefix(r.Head, "refs/heads/"))
	if r.Dangling {
		text += " dangling"
	}
	if r.Seen {
		text += " seen"
	}
	return text
}

// recorded is what the store has about the repository's trust.
func (g *guarded) recorded() string {
	g.t.Helper()
	r, known, err := g.store.Repositories().TrustRoot(g.t.Context(), g.dir)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.decision(r, known)
}

// trusts records a decision of before: "REF COMMIT HEAD" and the words dangling and seen.
func (g *guarded) trusts(text string) {
	g.t.Helper()
	f := strings.Fields(text)
	if len(f) == 0 {
		return
	}
	r := store.TrustRoot{Ref: fullRef(f[0]), ID: g.id(f[1]), Head: fullRef(f[2]),
		Dangling: slices.Contains(f, "dangling"), Seen: slices.Contains(f, "seen")}
	if err := g.store.Repositories().SetTrustRoot(g.t.Context(), g.dir, r); err != nil {
		g.t.Fatal(err)
	}
}

// receiver reads what judges a push.
func (g *guarded) receiver(call Call, policy config.Policy) (*receiver, error) {
	g.t.Helper()
	push, err := hooks.ReadUpdates(strings.NewReader(string(call.Stdin)), "pre-receive")
	if err != nil {
		g.t.Fatal(err)
	}
	return newReceiver(g.t.Context(), g.open(), policy, g.store.Repositories(), call, push)
}

// TestTrustRoot: whose lanes judge refs that have none of their own. A decision holds for as long as its ref is there
// and HEAD names what it did: a branch that a pusher makes does not take over.
func TestTrustRoot(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	const every = ", every branch is protected"
	for name, c := range map[string]struct {
		refs, known string // the repository, and what was decided before; see guarded.trusts
		protect     []string
		root        string // with what is protected
		recorded    string // afterwards
	}{
		"the default branch": {"main=one topic=open", "", nil, "main=<one>", "main at <one>, HEAD main seen"},
		"the default branch before it has lanes": {"main=plain topic=one", "", nil, "main=<plain>",
			"none"},
		"nothing": {"", "", nil, "none" + every, "none"},
		"HEAD names a branch that is not there: what people call their main one": {"HEAD=@none aaa=open trunk=one",
			"", nil,
			"trunk=<one>" + every, "trunk at <one>, HEAD none dangling seen"},
		"main before master before trunk": {"HEAD=@none trunk=open master=more main=one", "", nil,
			"main=<one>" + every, "main at <one>, HEAD none dangling seen"},
		"else by name": {"HEAD=@none zzz=one aaa=plain bbb=more", "", nil, "bbb=<more>" + every,
			"bbb at <more>, HEAD none dangling seen"},
		"not a tag": {"HEAD=@none refs/tags/v1=one", "", nil, "none" + every, "none"},
		"HEAD is detached": {"main=one HEAD=one", "", nil, "main=<one>" + every,
			"main at <one>, HEAD  dangling seen"},
		"a ref that the policy protects": {"main=open rel=one", "", []string{"rel"}, "rel=<one>",
			"rel at <one>, HEAD main seen"},
		"the default branch first of those": {"main=one rel=more", "", []string{"rel", "main"}, "main=<one>",
			"main at <one>, HEAD main seen"},
		"then those that the policy names outright": {"rel=one a1=open", "", []string{"a*", "rel"}, "rel=<one>",
			"rel at <one>, HEAD main dangling seen"},
		"a tag that the policy protects": {"main=open refs/tags/v1=one", "", []string{"refs/tags/v*"},
			"refs/tags/v1=<one>", "refs/tags/v1 at <one>, HEAD main seen"},
		"none of the protected ones is there": {"main=one", "", []string{"rel"}, "none", "none"},
		"a protected one without lanes that HEAD names": {"main=plain other=one", "", []string{"main"},
			"main=<plain>",
			"none"},
		"as it was decided": {"main=open trunk=one", "trunk one main dangling seen", nil, "trunk=<one>" + every,
			"trunk at <one>, HEAD main dangling seen"},
		"as it was decided, wherever the ref is now": {"main=open trunk=two", "trunk one main dangling seen", nil,
			"trunk=<two>" + every, "trunk at <one>, HEAD main dangling seen"},
		"as it was decided, also where its lanes are gone": {"main=bare", "main one main seen", nil, "main=<bare>",
			"main at <one>, HEAD main seen"},
		"the owner has HEAD name another branch": {"main=one HEAD=@dev dev=more", "main one main seen", nil,
			"dev=<more>",
			"dev at <more>, HEAD dev seen"},
		"the owner has HEAD name one without lanes: those of before": {"main=one HEAD=@dev dev=plain",
			"main one main seen", []string{"main", "dev"}, "main=<one>", "main at <one>, HEAD dev seen"},
		"the ref of before is not protected any more": {"main=one topic=open", "topic open main seen",
			[]string{"main"},
			"main=<one>", "main at <one>, HEAD main seen"},
		"the ref of before is gone": {"main=plain", "rel one main seen", nil, "main=<plain>",
			"rel at <one>, HEAD main seen"},
		"HEAD's branch went away, and what anyone could push does not take its place": {"topic=open",
			"main one main seen", nil, "none" + every, "main at <one>, HEAD main seen"},
		"a first push that git has taken": {"main=one", "main one main", nil, "main=<one>",
			"main at <one>, HEAD main seen"},
		"a first push that was not taken": {"main=plain", "main one main", nil, "main=<plain>",
			"main at <one>, HEAD main"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, c.refs)
			g.trusts(c.known)
			r, err := g.receiver(g.call("pre-receive"), config.Policy{Protect: c.protect})
			if err != nil {
				t.Fatal(err)
			}
			root := strings.TrimPrefix(r.root.Ref, "refs/heads/") + "=" + g.named(r.root.ID)
			if r.root == (RefAt{}) {
				root = "none"
			}
			if r.every {
				root += every
			}
			if got := g.recorded(); root != c.root || got != c.recorded {
				t.Errorf("got  %s; recorded %s\nwant %s; recorded %s", root, got, c.root, c.recorded)
			}
		})
	}
}

// TestTrustOfAPush: what one push does to the trust of the next.
func TestTrustOfAPush(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	const lost = "error: refs/heads/main: cannot determine which lanes judge it: those of refs/heads/main were trusted, " +
		"and no protected ref has lanes now"
	for name, c := range map[string]struct {
		refs, known string
		push        []string
		story       string // the end of it
		recorded    string
	}{
		"the first lanes": {"", "", []string{"main 0 one"}, "trusted from now on", "main at <one>, HEAD main"},
		"the first lanes are another branch's": {"", "", []string{"topic 0 one"}, "trusted from now on",
			"topic at <one>, HEAD main dangling"},
		"of several first ones HEAD's": {"", "", []string{"aaa 0 open", "main 0 one", "master 0 more"},
			"trusted from now on", "main at <one>, HEAD main"},
		"of several first ones HEAD's before what people call main": {"HEAD=@dev", "", []string{"main 0 open",
			"dev 0 one"},
			"trusted from now on", "dev at <one>, HEAD dev"},
		"of several first ones what people call main": {"HEAD=@none", "", []string{"aaa 0 open", "trunk 0 more",
			"master 0 one"}, "trusted from now on", "master at <one>, HEAD none dangling"},
		"of several first ones the first by name": {"HEAD=@none", "", []string{"zzz 0 one", "aaa 0 open"},
			"trusted from now on", "aaa at <open>, HEAD none dangling"},
		"a refused push decides nothing": {"main=one", "", []string{"main two three"}, "git fetch, then push again",
			"none"},
		"a push of what the repository had": {"main=one", "", []string{"main one two"}, "since <one>",
			"main at <one>, HEAD main seen"},
		"first lanes again, where git took none": {"", "main one main", []string{"main 0 open"},
			"trusted from now on",
			"main at <open>, HEAD main"},
		"a branch in the name of a deleted one": {"", "main one main seen", []string{"main 0 open"}, lost,
			"main at <one>, HEAD main seen"},
		"lanes that went away are not replaced by a push": {"main=bare", "main one main seen",
			[]string{"main bare plain"},
			"only a fast-forward may move it", "main at <one>, HEAD main seen"},
		"another branch after the trusted one was deleted": {"", "trunk one main dangling seen",
			[]string{"aaa 0 open"},
			"error: refs/heads/aaa: cannot determine which lanes judge it: those of refs/heads/trunk were trusted, " +
				"and no protected ref has lanes now", "trunk at <one>, HEAD main dangling seen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, c.refs)
			g.trusts(c.known)
			story := g.story(g.decide(g.call("pre-receive", c.push...), refusing()))
			if got := g.recorded(); !strings.HasSuffix(story, c.story) || got != c.recorded {
				t.Errorf("got  %s; recorded %s\nwant %s; recorded %s", story, got, c.story, c.recorded)
			}
		})
	}
}

// TestLostRootIsRestored: the command of the hint brings the lanes back.
func TestLostRootIsRestored(t *testing.T) {
	t.Parallel()
	g := someHistory(t).guard(t, "")
	g.trusts("main one main seen")
	_, err := g.decide(g.call("pre-receive", "main 0 open"), refusing())
	command, isCommand := strings.CutPrefix(problem.Hint(err), "restore them: git -C ")
	if !isCommand {
		t.Fatalf("%v: hint %q", err, problem.Hint(err))
	}
	dir, args, _ := strings.Cut(command, " ")
	git(t, dir, g.env, strings.Fields(args)...)
	got := g.story(g.decide(g.call("pre-receive", "main one two"), refusing()))
	if got != "main, by <one>[files], since <one>" {
		t.Error(got)
	}
}

// TestScheduledUpdate: schedules run for what judges the others, with its lanes.
func TestScheduledUpdate(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	for name, c := range map[string]struct {
		refs    string
		protect []string
		want    string
	}{
		"the default branch": {"main=one topic=open", nil, "refs/heads/main, by <one>[files]"},
		"a protected one with lanes": {"main=plain rel=more", []string{"main", "rel"},
			"refs/heads/rel, by <more>[files test]"},
		"an unprotected default":      {"main=one", []string{"rel"}, "refs/heads/main, free, by <one>[files]"},
		"one without lanes":           {"main=plain", nil, "file does not exist"},
		"nothing":                     {"", nil, "file does not exist"},
		"a lanes file that is broken": {"main=broken", nil, "lanes.toml:2: lane \"\" has no plugin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, c.refs)
			u, err := ScheduledUpdate(t.Context(), g.open(), config.Policy{Protect: c.protect}, g.store.Repositories())
			if err != nil {
				if first, _, _ := strings.Cut(err.Error(), "\n"); first != c.want ||
					errors.Is(err, fs.ErrNotExist) != (c.want == "file does not exist") {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			got := u.Ref
			if !u.Protected {
				got += ", free"
			}
			if got = g.named(got + ", by " + lanesOf(u.LanesFile)); got != c.want || u.Old != u.New ||
				!hooks.IsZero(u.Base) {
				t.Errorf("got %s, %+v", got, u.Update)
			}
			if g.recorded() != "none" {
				t.Error("a schedule decided about trust")
			}
		})
	}
}

// TestTipBefore: the default branch as it was before a push that git has taken, and who judges with it.
func TestTipBefore(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	for name, c := range map[string]struct{ refs, push, want string }{
		"it moved":          {"main=two", "main one two", "refs/heads/main <one>"},
		"another moved":     {"main=two topic=three", "topic two three", "refs/heads/main <two>"},
		"it was made":       {"main=one", "main 0 one", "refs/heads/main "},
		"by another name":   {"main=two alias=@main", "alias one two", "refs/heads/main <one>"},
		"HEAD is detached":  {"HEAD=one", "topic 0 one", " "},
		"it was deleted":    {"topic=one", "main one 0", "refs/heads/main <one>"},
		"it is not there":   {"topic=one", "topic 0 one", "refs/heads/main "},
		"no lines at all":   {"main=one", "", "refs/heads/main <one>"},
		"HEAD names others": {"HEAD=@dev dev=more main=two", "main one two", "refs/heads/dev <more>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, c.refs)
			call := g.call("post-receive", slices.DeleteFunc([]string{c.push},
				func(l string) bool { return l == "" })...)
			tip, err := TipBefore(t.Context(), call)
			if got := tip.Ref + " " + g.named(tip.ID); got != c.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
	g := h.guard(t, "main=two")
	for name, change := range map[string]func(*Call){
		"not ref lines":    func(c *Call) { c.Stdin = []byte("hello\n") },
		"not a repository": func(c *Call) { c.Dir = filepath.Dir(g.dir) },
		"a git namespace":  func(c *Call) { c.Env = append(c.Env, "GIT_NAMESPACE=x") },
	} {
		call := g.call("post-receive", "main one two")
		if change(&call); func() bool { _, err := TipBefore(t.Context(), call); return err == nil }() {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestTipOfAnEarlierMoment: a push that was left for later is judged by the lanes of its own time.
func TestTipOfAnEarlierMoment(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	for name, c := range map[string]struct {
		tip  RefAt
		want string
	}{
		"the default branch then": {RefAt{"refs/heads/main", h.id("one")},
			"topic, free, by <one>[files], since <one>"},
		"no tip": {RefAt{}, "topic, free, by <more>[files test], since <one>"},
		"a tip of another ref": {RefAt{"refs/heads/dev", h.id("one")},
			"topic, free, by <more>[files test], since <one>"},
		"a tip that was not there": {RefAt{Ref: "refs/heads/main"},
			"topic, free, by <more>[files test], since <one>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, "main=more topic=three")
			call := g.call("post-receive", "topic 0 three")
			call.Tip = c.tip
			j, err := g.decide(call, refusing())
			got, _, _ := strings.Cut(g.story(j, err), "; note: ")
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestRootsThatCannotBeRead: a protected ref of something without files is passed over, and one whose objects are gone
// is not.
func TestRootsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	g := someHistory(t).guard(t, "main=plain rel=one")
	blob := git(t, g.dir, g.env, "rev-parse", g.id("plain")+":a.txt")
	git(t, g.dir, g.env, "update-ref", "refs/tags/a", blob)
	r, err := g.receiver(g.call("pre-receive"), config.Policy{Protect: []string{"refs/tags/*", "rel"}})
	if err != nil || r.root.Ref != "refs/heads/rel" {
		t.Errorf("a blob: %+v, %v", r, err)
	}
	lost := g.history.guard(t, "")
	if err := os.WriteFile(filepath.Join(lost.dir, "refs", "heads", "main"), []byte(g.id("?")+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	got := lost.story(lost.decide(lost.call("pre-receive", "topic 0 one"), refusing()))
	if want := "object " + g.id("?") + " is missing"; !strings.HasPrefix(got, "error: ") || !strings.HasSuffix(got,
		want) {
		t.Errorf("a commit that is gone: %s", got)
	}
}
