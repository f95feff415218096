package gate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// TestLocalLanes: before a push the pushed commit's own lanes judge it; what has none is judged by those that a server
// would choose.
func TestLocalLanes(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	file := filepath.Join(t.TempDir(), "mine.toml")
	if err := os.WriteFile(file, []byte(lanesFile("mine")), 0o600); err != nil {
		t.Fatal(err)
	}
	const none = "cannot judge <plain>: it has no lanes file (looked for .pushlane/lanes.toml, lanes.toml, " +
		"ci/lanes.toml)" +
		"; hint: write and commit one with: pushlane init"
	for name, c := range map[string]struct {
		refs   string
		update string // "REF OLD NEW"
		call   Call
		policy config.Policy
		want   string
	}{
		"its own": {"main=more", "topic one one", Call{Gate: "pre-push"}, refusing(), "<one>[files]"},
		"of a file that is named": {"main=more", "topic one one", Call{Gate: "manual", Config: file}, refusing(),
			"mine.toml[mine]"},
		"a file that is not there": {"", "main one one", Call{Gate: "manual", Config: "/none"}, refusing(),
			"cannot read lanes file: open /none: no such file or directory; hint: "},
		"two of its own": {"main=more", "topic 0 both", Call{Gate: "pre-push"}, refusing(),
			"cannot determine which lanes file counts: " +
				"there are two lanes files, .pushlane/lanes.toml and lanes.toml; hint: keep one: git rm lanes.toml"},
		"none, and those that the branch had": {"main=more", "topic one plain", Call{Gate: "pre-push"}, refusing(),
			"<one>[files]"},
		"none, by hand": {"main=more", "topic one plain", Call{Gate: "manual"}, refusing(), "<one>[files]"},
		"none, on a tag that moves": {"main=more", "refs/tags/v1 one plain", Call{Gate: "pre-push"}, refusing(),
			"<more>[files test]"},
		"none, on a new branch": {"main=more", "topic 0 plain", Call{Gate: "pre-push"}, refusing(),
			"<more>[files test]"},
		"none, and what the branch had is not here": {"main=more", "topic ? plain", Call{Gate: "pre-push"},
			refusing(),
			"<more>[files test]"},
		"none, at a commit": {"main=more", "topic one plain", Call{Gate: "pre-commit"}, refusing(),
			"<more>[files test]"},
		"none, and master": {"master=one", "topic 0 plain", Call{Gate: "pre-push"}, refusing(), "<one>[files]"},
		"none anywhere":    {"main=plain", "topic plain plain", Call{Gate: "pre-push"}, refusing(), none},
		"none anywhere, accepted": {"main=plain", "topic 0 plain", Call{Gate: "pre-push"},
			config.Policy{NoLanes: "accept"},
			".[]"},
		"none, and the owner's": {"main=plain", "topic 0 plain", Call{Gate: "pre-push"},
			config.Policy{DefaultLanes: file}, "mine.toml[mine]"},
		"none, and those of main are broken": {"main=broken", "topic 0 plain", Call{Gate: "pre-push"}, refusing(),
			"lanes.toml:2: lane \"\" has no plugin\nlanes.toml:2: lane 1 has no id; hint: "},
		"a commit that is not here": {"main=one", "topic 0 ?", Call{Gate: "pre-push"}, refusing(),
			"cannot open the tree of \"" + h.id("?") + "\": cannot resolve \"" + h.id("?") + "\": object " +
				h.id("?") +
				" is missing; hint: " +
				"see what is broken with: git fsck --connectivity-only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, c.refs)
			f := strings.Fields(c.update)
			u := hooks.Update{Ref: fullRef(f[0]), Old: g.id(f[1]), New: g.id(f[2])}
			by, err := LocalLanes(t.Context(), g.open(), u, c.call, c.policy)
			got := ""
			if err != nil {
				got = g.named(err.Error()) + "; hint: " + problem.Hint(err)
			} else {
				got = g.named(lanesOf(by))
			}
			if got != c.want || by.Strict {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// clone is a work tree at main of a repository with main=one and topic=two.
func clone(t *testing.T) (g *guarded, work string) {
	t.Helper()
	g = someHistory(t).guard(t, "main=one topic=two")
	work = filepath.Join(t.TempDir(), "work")
	git(t, "", g.env, "clone", "-q", g.dir, work)
	return g, work
}

// TestLocalUpdates: what the gates on one's own machine judge, and what the receiver is known to have.
func TestLocalUpdates(t *testing.T) {
	t.Parallel()
	g, work := clone(t)
	url := "file://" + g.dir
	git(t, work, g.env, "remote", "set-url", "origin", url)
	git(t, work, g.env, "fetch", "-q", "origin")
	next := git(t, work, g.env, "commit-tree", "-p", g.id("one"), "-m", "next", g.id("two")+"^{tree}")
	git(t, work, g.env, "update-ref", "refs/heads/main", next)
	git(t, work, g.env, "reset", "-q", "--hard")
	if err := errors.Join(os.WriteFile(filepath.Join(work, "a.txt"), []byte("staged"), 0o600),
		os.WriteFile(filepath.Join(work, "c.txt"), []byte("not staged"), 0o600)); err != nil {
		t.Fatal(err)
	}
	git(t, work, g.env, "add", "a.txt")
	g.ids["next"] = next
	g.ids["staged"] = git(t, work, g.env, "write-tree")
	g.ids["head"] = git(t, work, g.env, "rev-parse", "HEAD^{tree}")
	pushing := []string{"origin", url}
	for name, c := range map[string]struct {
		call  Call
		lines string
		want  string // "REF OLD..NEW since BASE", or the error
		known string
	}{
		"a commit":           {Call{Gate: "pre-commit"}, "", "refs/heads/main <head>..<staged> since <head>", ""},
		"a commit's message": {Call{Gate: "commit-msg"}, "", "refs/heads/main <head>..<staged> since <head>", ""},
		"a push": {Call{Gate: "pre-push", Args: pushing}, "refs/heads/main next refs/heads/main one",
			"refs/heads/main <one>..<next> since <one>", "<one> <two>"},
		"a push of a new branch": {Call{Gate: "pre-push", Args: pushing}, "HEAD next refs/heads/new 0",
			"refs/heads/new ..<next> since <one>", "<one> <two>"},
		"a push to a URL of which nothing is known": {Call{Gate: "pre-push", Args: []string{"origin",
			"file:///else"}},
			"HEAD next refs/heads/new 0", "refs/heads/new ..<next> since ", ""},
		"a deletion": {Call{Gate: "pre-push", Args: pushing}, "(delete) 0 refs/heads/main one",
			"refs/heads/main <one>.. since ", "<one> <two>"},
		"lines that are none": {Call{Gate: "pre-push"}, "HEAD next", "cannot read git's ref lines: line 1: want " +
			"\"<local ref> <local id> <remote ref> <remote id>\", got \"HEAD " + next + "\"", ""},
		"by hand":          {Call{Gate: "manual"}, "", "refs/heads/main <one>..<next> since <one>", "<one> <two>"},
		"by hand, a range": {Call{Gate: "manual", Range: "origin/topic..main"}, "", " <two>..<next> since <two>", ""},
		"by hand, no range": {Call{Gate: "manual", Range: "nowhere..main"}, "",
			"cannot resolve \"nowhere\": no branch, " +
				"tag or commit of that name, or more than one", ""},
	} {
		call := c.call
		call.Dir, call.Env = work, g.env
		for i, word := range strings.Fields(c.lines) {
			if i == 1 || i == 3 {
				word = g.id(word)
			}
			call.Stdin = append(call.Stdin, []byte(word+" ")...)
		}
		if len(call.Stdin) > 0 {
			call.Stdin[len(call.Stdin)-1] = '\n'
		}
		repo, err := hooks.Open(t.Context(), call.HooksEnv())
		if err != nil {
			t.Fatal(err)
		}
		defer repo.Close()
		if call, err = call.Aimed(t.Context(), repo); err != nil {
			t.Fatal(err)
		}
		us, err := call.updates(t.Context(), repo)
		var got, known string
		for _, u := range us {
			some := func(id string) string { return strings.TrimPrefix(id, hooks.ZeroID) }
			got += u.Ref + " " + some(u.Old) + ".." + some(u.New) + " since " + some(u.Base)
		}
		if tips := call.knownTips(repo, us); tips != nil && err == nil {
			ids, err := tips(t.Context())
			if err != nil {
				t.Error(err)
			}
			known = g.sorted(ids)
		}
		if err != nil {
			got = err.Error()
		}
		if got = g.named(got); got != g.named(c.want) || known != c.known {
			t.Errorf("%s\n got %s, known %q\nwant %s, known %q", name, got, known, g.named(c.want), c.known)
		}
	}
}

// TestRunByHand: with nothing to push nothing is judged, unless lanes are named; and where a range is missing it is
// said.
func TestRunByHand(t *testing.T) {
	t.Parallel()
	g, work := clone(t)
	open := func() *hooks.Repo {
		repo, err := hooks.Open(t.Context(), hooks.Env{Dir: work, Getenv: Call{Env: g.env}.Getenv})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { repo.Close() })
		return repo
	}
	run := func(change func(*Call)) (Call, *hooks.Repo) {
		call, repo := Call{Gate: "manual", Dir: work, Env: g.env}, open()
		change(&call)
		call, err := call.Aimed(t.Context(), repo)
		if err != nil {
			t.Fatal(err)
		}
		return call, repo
	}
	for name, c := range map[string]struct {
		change func(*Call)
		want   int // updates
	}{
		"nothing to push":               {func(*Call) {}, 0},
		"nothing to push, a lane named": {func(c *Call) { c.Lanes = []string{"files"} }, 1},
		"nothing to push, all lanes":    {func(c *Call) { c.All = true }, 1},
	} {
		call, repo := run(c.change)
		us, err := call.updates(t.Context(), repo)
		if err != nil || len(us) != c.want {
			t.Errorf("%s: %+v, %v", name, us, err)
		}
		m, err := ManualUpdate(t.Context(), repo, call)
		if want := "main of origin has <one> already"; err != nil || g.named(m.Nothing) != want || m.Base != m.New {
			t.Errorf("%s: %q, %+v, %v", name, m.Nothing, m.Update, err)
		}
	}
	call, repo := run(func(c *Call) { c.Range = "main" })
	if len(call.Args) != 0 {
		t.Errorf("a range has a receiver: %q", call.Args)
	}
	if j, err := Decide(t.Context(), repo, call, refusing(), nil, nil); err != nil || len(j.Updates) != 1 ||
		!j.Updates[0].Protected || g.named(lanesOf(j.Updates[0].LanesFile)) != "<one>[files]" ||
		len(j.LaneRuns) != 1 {
		t.Errorf("a range: %+v, %v", j.Updates, err)
	}
	git(t, work, g.env, "checkout", "-q", "--orphan", "empty")
	call, repo = run(func(*Call) {})
	_, err := ManualUpdate(t.Context(), repo, call)
	if err == nil || problem.Hint(err) != "name what to judge with --range A..B" {
		t.Errorf("a branch without a commit: %v, hint %q", err, problem.Hint(err))
	}
}

// TestTop: lanes are written into a work tree.
func TestTop(t *testing.T) {
	t.Parallel()
	g, work := clone(t)
	if top, err := Top(t.Context(), Call{Dir: work, Env: g.env}); err != nil || top != work {
		t.Errorf("got %s, %v", top, err)
	}
	_, err := Top(t.Context(), Call{Dir: g.dir, Env: g.env})
	if want := "cannot write lanes: " + g.dir + " has no work tree"; err == nil || err.Error() != want ||
		!problem.IsUsage(err) {
		t.Errorf("got %v", err)
	}
	if _, err := Top(t.Context(), Call{Dir: filepath.Dir(g.dir), Env: g.env}); err == nil {
		t.Error("outside of a repository")
	}
}

// TestReached: links of the judged tree and of the one it is compared with, for the patterns of a lanes file.
func TestReached(t *testing.T) {
	t.Parallel()
	file := "version = 1\n[[lane]]\nid = \"a\"\nplugin = \"files\"\npaths = [\"deploy/**\"]\n"
	work := filepath.Join(t.TempDir(), "work")
	env := hookEnv(t.TempDir())
	git(t, "", env, "init", "-q", "-b", "main", work)
	link := func(target string) string {
		os.Remove(filepath.Join(work, "deploy"))
		if err := errors.Join(os.Symlink(target, filepath.Join(work, "deploy")),
			os.WriteFile(filepath.Join(work, "lanes.toml"), []byte(file), 0o600)); err != nil {
			t.Fatal(err)
		}
		return commit(t, work, env, target)
	}
	old, now := link("docs"), link("other")
	repo, err := hooks.Open(t.Context(), hooks.Env{Dir: work, Getenv: Call{Env: env}.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	by, err := readLanes(t.Context(), repo, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		revs []string
		want string
	}{
		"both trees":     {[]string{old, now}, "deploy docs deploy other"},
		"of nothing":     {[]string{hooks.ZeroID, now}, "deploy other"},
		"an empty tree":  {[]string{hooks.ZeroID}, ""},
		"a missing tree": {[]string{strings.Repeat("7", 40)}, "error"},
	} {
		got, err := Reached(t.Context(), repo, by.Set, c.revs...)
		text := strings.Join(got["deploy"], " ")
		if err != nil {
			text = "error"
		}
		if text != c.want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
