package hooks_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/pushlane/pushlane/hooks"
)

// What git writes to a pre-push hook is one line for each ref.
func ExampleReadUpdates() {
	id := strings.Repeat("1", 40)
	updates, err := hooks.ReadUpdates(strings.NewReader(
		"refs/heads/main "+id+" refs/heads/main "+hooks.ZeroID+"\n"), "pre-push")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, u := range updates {
		fmt.Println(u.Ref, u.New == id, u.Old == hooks.ZeroID)
	}
	// Output: refs/heads/main true true
}

// The paths that two commits differ in, read from the repository's objects.
func ExampleRepo_Changes() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	git := func(args ...string) string {
		args = append([]string{"-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-C", dir}, args...)
		out, err := exec.Command("git", args...).CombinedOutput()
		if err != nil {
			fmt.Println(err, string(out))
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	os.WriteFile(dir+"/a.txt", []byte("one\n"), 0o644)
	git("add", "a.txt")
	git("commit", "-q", "-m", "One")
	base := git("rev-parse", "HEAD")
	os.WriteFile(dir+"/b.txt", []byte("two\n"), 0o644)
	git("rm", "-q", "a.txt")
	git("add", "b.txt")
	git("commit", "-q", "-m", "Two")

	ctx := context.Background()
	repo, err := hooks.Open(ctx, hooks.Env{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer repo.Close()
	changes, err := repo.Changes(ctx, base, git("rev-parse", "HEAD"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range changes {
		fmt.Println(c.Status, c.Path)
	}
	// Output:
	// D a.txt
	// A b.txt
}
