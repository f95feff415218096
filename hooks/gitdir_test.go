package hooks

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWriteGit: what git says in the folder, and what of the repository is not in it.
func TestWriteGit(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	git := func(dir string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@x", "GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@x", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(from, "init", "-q", "-b", "main")
	git(from, "config", "http.extraHeader", "Authorization: hush-hush")
	write(".git/hooks/post-index-change", "#!/bin/sh\ntouch ran\n")
	write("a.txt", "one")
	write("old-secret.txt", "hush-hush")
	git(from, "add", "a.txt", "old-secret.txt")
	git(from, "commit", "-qm", "one")
	git(from, "tag", "-am", "first", "v1.0")
	git(from, "rm", "-q", "old-secret.txt")
	git(from, "commit", "-qam", "two")
	git(from, "tag", "light")
	commit := git(from, "rev-parse", "HEAD")
	git(from, "checkout", "-qb", "private")
	write("other.txt", "not merged")
	git(from, "add", "other.txt")
	git(from, "commit", "-qm", "three")
	git(from, "tag", "later")

	repo, err := Open(t.Context(), Env{Dir: from})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	dir := t.TempDir()
	id, err := WriteGit(t.Context(), repo, commit, dir)
	if err != nil || len(id) != 40 {
		t.Fatal(id, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"describe --dirty": "v1.0-1-g" + commit[:7], "describe --tags": "light", "tag": "light\nv1.0",
		"status --porcelain": "", "log --format=%s": "two\none", "rev-parse HEAD": commit, "for-each-ref refs/heads": "",
		"config --local --get-regexp .": "core.repositoryformatversion 0\ncore.bare false",
		"show HEAD:a.txt":               "one",
	} {
		if got := git(dir, strings.Fields(command)...); got != want {
			t.Errorf("git %s: %q, want %q", command, got, want)
		}
	}
	for _, gone := range []string{git(from, "rev-parse", "private"), git(from, "rev-parse", commit+"~1:old-secret.txt"),
		git(from, "rev-parse", commit+"~1^{tree}")} {
		cmd := exec.Command("git", "cat-file", "-e", gone)
		cmd.Dir = dir
		if cmd.Run() == nil {
			t.Errorf("object %s is in it", gone)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".git", "hooks")); !os.IsNotExist(err) {
		t.Errorf("it has hooks: %v", err)
	}
	git(from, "tag", "another", commit)
	if again, err := WriteGit(t.Context(), repo, commit, t.TempDir()); err != nil || again == id {
		t.Errorf("another tag, the same id: %v", err)
	}
	_, err = WriteGit(t.Context(), repo, git(from, "rev-parse", "HEAD^{tree}"), t.TempDir())
	if err == nil || !strings.HasSuffix(err.Error(), "it is not a commit") {
		t.Errorf("of a tree: %v", err)
	}
}
