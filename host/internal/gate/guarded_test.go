package gate

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

// made is a commit of a history: its first parent's files and those that it changes.
type made struct {
	name  string
	from  string // names of its parents, separated by spaces
	files map[string]string
}

// gone as a file's text takes the file away.
const gone = "\x00"

// history has commits in a bare repository, and no refs.
type history struct {
	dir string
	ids map[string]string // of the commits, by their names

	store *store.Store // the record of runs, as a host has one for all of its repositories
}

func newHistory(t *testing.T, all ...made) history {
	t.Helper()
	dir := t.TempDir()
	h := history{dir: filepath.Join(dir, "app.git"), ids: map[string]string{}}
	git(t, dir, hookEnv(dir), "init", "-q", "--bare", "--template=", "-b", "main", h.dir)
	var in strings.Builder
	marks := map[string]int{}
	for i, m := range all {
		marks[m.name] = i + 1
		fmt.Fprintf(&in, "commit refs/made/%s\nmark :%d\ncommitter T <t@example.org> %d +0000\ndata %d\n%s\n",
			m.name, i+1, 1_700_000_000+i, len(m.name), m.name)
		for k, parent := range strings.Fields(m.from) {
			fmt.Fprintf(&in, "%s :%d\n", []string{"from", "merge"}[min(k, 1)], marks[parent])
		}
		for _, path := range slices.Sorted(maps.Keys(m.files)) {
			if text := m.files[path]; text == gone {
				fmt.Fprintf(&in, "D %s\n", path)
			} else {
				fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(text), text)
			}
		}
	}
	feed(t, h.dir, hookEnv(dir), in.String(), "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet")
	for line := range strings.Lines(git(t, h.dir, hookEnv(dir), "for-each-ref",
		"--format=%(refname:lstrip=2) %(objectname)")) {
		name, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		h.ids[name] = id
	}
	if err := os.RemoveAll(filepath.Join(h.dir, "refs", "made")); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.store, err = store.Open(t.Context(), filepath.Join(dir, "pushlane.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	return h
}

// hookEnv is what git and a hook have, with dir as their home.
func hookEnv(dir string) []string {
	return []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "PUSHLANE_CONFIG=/dev/null"}
}

// guarded is a repository with the history's commits and refs of its own, whose pushes are decided about.
type guarded struct {
	history
	t   *testing.T
	env []string
}

// guard makes a repository with refs "NAME=COMMIT", separated by spaces; a name without refs/ is a branch.
func (h history) guard(t *testing.T, refs string) *guarded {
	t.Helper()
	dir := t.TempDir()
	g := &guarded{history: h, t: t, env: hookEnv(dir)}
	g.dir = filepath.Join(dir, "app.git")
	if err := os.CopyFS(g.dir, os.DirFS(h.dir)); err != nil {
		t.Fatal(err)
	}
	g.set(refs)
	return g
}

// set puts refs where "NAME=COMMIT" says; COMMIT 0 deletes, and @REF makes a symbolic ref.
func (g *guarded) set(refs string) {
	g.t.Helper()
	var lines strings.Builder
	for _, word := range strings.Fields(refs) {
		name, commit, _ := strings.Cut(word, "=")
		switch target, symbolic := strings.CutPrefix(commit, "@"); {
		case symbolic:
			git(g.t, g.dir, g.env, "symbolic-ref", fullRef(name), fullRef(target))
		case name == "HEAD":
			git(g.t, g.dir, g.env, "update-ref", "--no-deref", name, g.id(commit))
		default:
			fmt.Fprintf(&lines, "option no-deref\nupdate %s %s\n", fullRef(name), g.id(commit))
		}
	}
	feed(g.t, g.dir, g.env, lines.String(), "update-ref", "--stdin")
}

// feed is git with an input.
func feed(t *testing.T, dir string, env []string, in string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, env, strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

func fullRef(name string) string {
	if name == "HEAD" || strings.HasPrefix(name, "refs/") {
		return name
	}
	return "refs/heads/" + name
}

// id is a commit's; 0 is none, ? is one that the repository does not have.
func (h history) id(name string) string {
	switch name {
	case "0":
		return hooks.ZeroID
	case "?":
		return strings.Repeat("7", 40)
	}
	id, ok := h.ids[name]
	if !ok {
		panic("no commit is called " + name)
	}
	return id
}

// named puts the names of commits in the place of their ids, whole or short.
func (h history) named(text string) string {
	for name, id := range h.ids {
		text = strings.ReplaceAll(strings.ReplaceAll(text, id, "<"+name+">"), printable.Short(id), "<"+name+">")
	}
	return text
}

// call is a hook's, with ref lines "REF OLD NEW" by names.
func (g *guarded) call(gate string, lines ...string) Call {
	g.t.Helper()
	var in strings.Builder
	for _, line := range lines {
		f := strings.Fields(line)
		fmt.Fprintf(&in, "%s %s %s\n", g.id(f[1]), g.id(f[2]), fullRef(f[0]))
	}
	return Call{Gate: gate, Dir: g.dir, Env: append(slices.Clone(g.env), "GIT_DIR=."), Stdin: []byte(in.String())}
}

func (g *guarded) open() *hooks.Repo {
	g.t.Helper()
	repo, err := hooks.Open(g.t.Context(), hooks.Env{Dir: g.dir, Getenv: Call{Env: g.env}.Getenv})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { repo.Close() })
	return repo
}

// decide decides about a call; lanes of different refs with the same work share a run.
func (g *guarded) decide(call Call, policy config.Policy) (Run, error) {
	g.t.Helper()
	together := func(context.Context, *Run, int, lanes.Lane) bool { return false }
	return Decide(g.t.Context(), g.open(), call, policy, g.store.Repositories(), together)
}

// story is what was decided, a line per update: its lanes file and lanes, the commit that it is compared with,
// why it is refused, what is noted.
func (g *guarded) story(j Run, err error) string {
	if err != nil {
		return g.named("error: " + err.Error())
	}
	var all []string
	for _, p := range j.Updates {
		line := strings.TrimPrefix(p.Named(), "refs/heads/")
		if !p.Protected {
			line += ", free"
		}
		if p.Set != nil {
			line += ", by " + lanesOf(p.LanesFile)
		}
		if !hooks.IsZero(p.Base) {
			line += ", since " + p.Base
		}
		for _, note := range p.Notes {
			line += "; note: " + note
		}
		if p.Refusal != "" {
			line += "; refused: " + p.Refusal
		}
		all = append(all, g.named(line))
	}
	return strings.Join(all, "\n")
}

// lanesOf is a lanes file in a word: whose it is, and its lanes.
func lanesOf(f LanesFile) string {
	var ids []string
	for _, l := range f.Set.Lanes {
		ids = append(ids, l.ID)
	}
	from := f.Rev
	if f.Rev == "" {
		from = filepath.Base(f.Path)
	}
	if f.Strict {
		from = "its own " + from
	}
	return from + fmt.Sprint(ids)
}

// lanesFile is a lanes file with lanes of the plugin files.
func lanesFile(ids ...string) string {
	text := "version = 1\n"
	for _, id := range ids {
		text += fmt.Sprintf("[[lane]]\nid = %q\nplugin = \"files\"\n", id)
	}
	return text
}

// refusing is the policy of a new host.
func refusing(protect ...string) config.Policy {
	return config.Policy{OnUndecided: "refuse", NoLanes: "refuse", AllowSkip: true, Protect: protect,
		PushOptions: []string{config.OptionPriority}}
}

// sorted are commits by their names.
func (h history) sorted(ids []string) string {
	for i, id := range ids {
		ids[i] = h.named(id)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}
