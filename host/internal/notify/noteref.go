package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
)

const (
	noteTries   = 200 // that another came first
	noteRefused = 5   // that the ref would not move although no one came first
)

// addNote adds lines to a commit's note. Whoever writes at the same time is not
// written over: the ref moves only from the value that was read.
func addNote(ctx context.Context, repo, commit string, lines []string) error {
	dir, err := os.MkdirTemp("", "pushlane-notes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := scratch{repo: repo, dir: dir}
	if err := s.prepare(commit); err != nil {
		return err
	}
	refused := 0
	for range noteTries {
		first, err := s.try(ctx, commit, lines)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !first {
			continue
		}
		if refused++; refused == noteRefused {
			return err
		}
		select { // another may hold the ref's lock
		case <-ctx.Done():
		case <-time.After(rand.N(50 * time.Millisecond)):
		}
	}
	return fmt.Errorf("%s keeps being changed by others", NotesRef)
}

// scratch is a separate git folder over the repository's objects. New notes are
// created there, so that a killed host leaves no incomplete ref in the repository.
type scratch struct{ repo, dir string }

// prepare creates what git accepts as a repository. The repository's own
// configuration says how its files are stored and with whom they are shared; the
// hash is not read from there.
func (s scratch) prepare(commit string) error {
	config := "[core]\nrepositoryformatversion = 1\nbare = true\n[extensions]\nobjectformat = sha1\n"
	if len(commit) == 64 {
		config = strings.Replace(config, "sha1", "sha256", 1)
	}
	config += "[include]\npath = " + quoteConfig(filepath.Join(s.repo, "config")) + "\n"
	err := os.MkdirAll(filepath.Join(s.dir, "refs", "notes"), 0o700)
	for name, text := range map[string]string{"HEAD": "ref: refs/heads/none\n", "config": config} {
		err = errors.Join(err, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
	}
	return err
}

func quoteConfig(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

// try makes a commit of the notes as they are with the lines added, and moves
// the ref to it if it has not moved since. first: no one else moved it.
func (s scratch) try(ctx context.Context, commit string, lines []string) (first bool, err error) {
	old, err := s.ref(ctx)
	if err != nil {
		return true, err
	}
	made, err := s.note(ctx, old, commit, lines)
	if err != nil || made == old {
		return true, err
	}
	expected := old
	if expected == "" {
		expected = strings.Repeat("0", len(commit))
	}
	// Hooks of the repository are for what is pushed to it.
	if _, err = git(ctx, s.repo, nil, nil, "-c", "core.hooksPath=/dev/null", "update-ref", "-m", "pushlane", NotesRef,
		made, expected); err == nil {
		return true, nil
	}
	now, failed := s.ref(ctx)
	return failed != nil || now == old, err
}

// ref is the commit of the repository's notes; "" if there is none.
func (s scratch) ref(ctx context.Context) (string, error) {
	out, err := git(ctx, s.repo, nil, nil, "for-each-ref", "--format=%(refname) %(objectname)", NotesRef)
	for line := range strings.SplitSeq(out, "\n") {
		if object, ok := strings.CutPrefix(line, NotesRef+" "); ok {
			return object, err
		}
	}
	return "", err
}

// note is the commit of the notes with the lines added; old itself where they
// are there.
func (s scratch) note(ctx context.Context, old, commit string, lines []string) (string, error) {
	path := filepath.Join(s.dir, filepath.FromSlash(NotesRef))
	err := os.Remove(path)
	if old != "" {
		err = os.WriteFile(path, []byte(old+"\n"), 0o600)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	objects := []string{"GIT_OBJECT_DIRECTORY=" + filepath.Join(s.repo, "objects")}
	text, err := git(ctx, s.dir, objects, nil, "notes", "--ref="+NotesRef, "show", commit)
	if err != nil && !isExit(err, 1) { // 1: it has none
		return "", err
	}
	merged, changed := mergeLines(text, lines)
	if !changed {
		return old, nil
	}
	if _, err := git(ctx, s.dir, objects, []byte(merged), "notes", "--ref="+NotesRef, "add", "-f", "-F", "-",
		commit); err != nil {
		return "", err
	}
	made, err := os.ReadFile(path)
	return strings.TrimSpace(string(made)), err
}

// commitOf is the commit that was pushed, or that a pushed tag names. A push
// may still be on its way in, so that a missing one is looked for again.
func commitOf(ctx context.Context, repo, object string) (string, error) {
	if _, err := git(ctx, repo, nil, nil, "cat-file", "-e", object); err != nil {
		return "", missingError{fmt.Errorf("%s is not in the repository: %w", object, err)}
	}
	commit, err := git(ctx, repo, nil, nil, "rev-parse", "--verify", "--quiet", object+"^{commit}")
	if isExit(err, 1) {
		return "", permanentError{fmt.Errorf("%s is not a commit", object)}
	}
	return commit, err
}

// statusCommit is commitOf if the repository is on this machine. For others the
// forge reports whether it has the commit.
func statusCommit(ctx context.Context, repo, object string) (string, error) {
	if _, err := os.Stat(repo); err != nil {
		return object, nil
	}
	return commitOf(ctx, repo, object)
}

func isExit(err error, code int) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == code
}

// git runs git on a folder, with nothing of a push's environment: never inside
// a quarantine.
func git(ctx context.Context, dir string, env []string, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir=" + dir}, args...)...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, bytes.NewReader(stdin), &out, &errs
	cmd.Env = append([]string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_AUTHOR_NAME=pushlane", "GIT_AUTHOR_EMAIL=pushlane@localhost",
		"GIT_COMMITTER_NAME=pushlane",
		"GIT_COMMITTER_EMAIL=pushlane@localhost"}, env...)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cannot run git %s: %w: %s", strings.Join(args, " "), err,
			runjson.Short(strings.TrimSpace(errs.String()), 500))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}
