package lanerun

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// TestTheRunSaysThatThereWasNoSpace: a refused read of a plugin is in the
// log, and with what broke where that broke.
func TestTheRunSaysThatThereWasNoSpace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q", "."}, {"add", "big"},
		{"-c", "user.name=T", "-c", "user.email=t@x", "commit", "-qm", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	repo, err := hooks.Open(t.Context(), hooks.Env{Dir: dir, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	log := newLaneLog(func() string { return filepath.Join(dir, "log") }, nil)
	l := &Lane{access: &access{repo: repo, log: log, spool: hooks.NewSpool(t.Context(), 1<<20)}}
	broke := errors.New("plugin broke")
	if err := l.spoolWord(broke); err != broke || len(log.lines()) > 0 {
		t.Errorf("nothing was refused: %v, %q", err, log.lines())
	}
	tree, err := l.tree(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	f, err := tree.Open("big")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.(io.ReaderAt).ReadAt(make([]byte, 1), 1<<20); err == nil {
		t.Fatal("a file larger than the quota was written")
	}
	word := "a temporary file of 2097152 bytes would take the run's temporary files beyond 1 MiB"
	if err := l.spoolWord(nil); err != nil || l.uncacheableWhy == "" {
		t.Errorf("a run that ended well: %v, remembered: %t", err, l.uncacheableWhy == "")
	}
	err = l.spoolWord(broke)
	if want := "plugin broke\n  the host: " + word; err == nil || err.Error() != want || !errors.Is(err, broke) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if problem.Hint(err) != "have the plugin read large files from start to end" {
		t.Errorf("hint %q", problem.Hint(err))
	}
	if lines := strings.Join(log.lines(), "\n"); !strings.Contains(lines, "no space: "+word) {
		t.Errorf("the log says %q", lines)
	}
}
