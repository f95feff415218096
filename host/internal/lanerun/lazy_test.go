package lanerun

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
)

// TestManyChanges: a plugin that has the host pick its changes gets all of
// them, over several answers.
func TestManyChanges(t *testing.T) {
	t.Parallel()
	b := newLazy(t, "input = []", map[string]int{".md": 2*maxPage + 7, ".txt": maxPage})
	if said, _ := b.lane().answer(t); said.Reason != fmt.Sprintf("0 links in %d files looked at", 2*maxPage+7) {
		t.Errorf("got %q", said.Reason)
	}
}

// BenchmarkManyChanges has a plugin look at ten changed files: of ten, of ten
// thousand, and of ten thousand that are handed over in the request.
func BenchmarkManyChanges(b *testing.B) {
	for _, c := range []struct {
		name, input string
		others      int
	}{{"10 of 10", "input = []", 0}, {"10 of 10000", "input = []", 9990},
		{"10 of 10000, handed", `input = ["changes"]`, 9990}} {
		b.Run(c.name, func(b *testing.B) {
			l := newLazy(b, c.input, map[string]int{".md": 10, ".txt": c.others})
			l.lane().answer(b) // which compiles
			for b.Loop() {
				if said, _ := l.lane().answer(b); said.Reason != "0 links in 10 files looked at" {
					b.Fatal(said.Reason)
				}
			}
		})
	}
}

// lazy is a repository with many changes, and the plugin links.
type lazy struct {
	t       testing.TB
	host    *testHost
	repo    *hooks.Repo
	update  hooks.Update
	changes []hooks.Change
}

func newLazy(t testing.TB, input string, files map[string]int) lazy {
	dir := t.TempDir()
	manifest, err := os.ReadFile("../../../plugins/links/manifest.toml")
	if err != nil {
		t.Fatal(err)
	}
	l := lazy{t: t, host: probeHost(t, dir, "plugins/links", strings.Replace(string(manifest), "input = []", input, 1))}
	commit := manyFiles(t, filepath.Join(dir, "work"), files)
	if l.repo, err = hooks.Open(t.Context(), hooks.Env{Dir: filepath.Join(dir, "work"),
		Getenv: func(string) string { return "" }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.repo.Close() })
	l.update = hooks.Update{Base: hooks.ZeroID, New: commit}
	if l.changes, err = l.repo.Changes(t.Context(), l.update.Base, l.update.New); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l lazy) lane() probe {
	st, err := l.host.Store(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return probeLane(l.host, l.repo, st, "links", l.update, l.changes)
}

// manyFiles makes a repository of one commit: so many files of each suffix.
func manyFiles(t testing.TB, dir string, files map[string]int) string {
	t.Helper()
	var in strings.Builder
	in.WriteString("commit refs/heads/main\ncommitter T <t@example.org> 1700000000 +0000\ndata 0\n")
	for suffix, n := range files {
		for i := range n {
			fmt.Fprintf(&in, "M 100644 inline d%03d/f%d%s\ndata 10\nplain txt\n\n", i/100, i, suffix)
		}
	}
	for _, args := range [][]string{{"init", "-q", dir}, {"-C", dir, "fast-import", "--quiet"}} {
		cmd := exec.Command("git", args...)
		cmd.Stdin = strings.NewReader(in.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	out, err := exec.Command("git", "-C", dir, "rev-parse", "refs/heads/main").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
