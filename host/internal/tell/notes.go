package tell

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// NotesRef is where verdicts stand as git notes, one JSON line per lane.
const NotesRef = "refs/notes/pushlane"

// Note is one line.
type Note struct {
	Run     string    `json:"run"` // "app@1a2b3c4:lane"
	Number  int64     `json:"number"`
	Gate    string    `json:"gate"`
	Ref     string    `json:"ref"`
	Commit  string    `json:"commit"`
	Lane    string    `json:"lane"`
	Verdict string    `json:"verdict"`
	Attempt int       `json:"attempt"`
	Digest  string    `json:"plugin_digest,omitempty"`
	Image   string    `json:"image,omitempty"`
	Started time.Time `json:"started"`
	Millis  int64     `json:"millis"`
	Host    string    `json:"host"`
	Sig     string    `json:"sig,omitempty"` // SSH signature (namespace pushlane-note) of the line without it, base64
}

// writeNotes adds the verdicts of a run to the notes of its commits.
func (t *Teller) writeNotes(ctx context.Context, id int64) error {
	run, err := t.store.RunByID(ctx, id)
	if errors.Is(err, store.ErrNoRun) {
		return permanentError{err}
	}
	if err != nil {
		return err
	}
	lines := map[string][]string{}
	for _, l := range latest(run) {
		u := run.Updates[max(0, l.update)]
		line, err := t.note(ctx, run, u, l)
		if err != nil {
			return err
		}
		lines[u.New] = append(lines[u.New], line)
	}
	for commit, add := range lines {
		if err := addNote(ctx, run.RepoKey, commit, add); err != nil {
			return fmt.Errorf("cannot write notes: %w", err)
		}
	}
	return nil
}

func (t *Teller) note(ctx context.Context, run store.Run, u store.Update, l Lane) (string, error) {
	name, _ := os.Hostname()
	n := Note{Run: fmt.Sprintf("%s@%s:%s", run.RepoName, u.New[:min(7, len(u.New))], l.Lane), Number: run.Number, Gate: run.Gate, Ref: u.Ref, Commit: u.New,
		Lane: l.Lane, Verdict: l.State, Attempt: l.Attempt, Digest: l.Digest, Image: l.Image, Started: run.Started.UTC(), Millis: l.Millis, Host: name}
	if t.config.NotesKey != "" {
		sig, err := sshSign(ctx, t.config.NotesKey, mustJSON(n))
		if err != nil {
			return "", err
		}
		n.Sig = base64.StdEncoding.EncodeToString(sig)
	}
	return string(mustJSON(n)), nil
}

// sshSign signs as git does, with ssh-keygen.
func sshSign(ctx context.Context, key string, text []byte) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-q", "-Y", "sign", "-n", "pushlane-note", "-f", key)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("cannot sign: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}

// noteTries is how often a note is written anew because another came first.
const noteTries = 50

// addNote adds lines to a commit's note. Whoever writes at the same time is not
// written over: the ref moves only from the value that was read.
func addNote(ctx context.Context, repo, commit string, lines []string) error {
	if _, err := git(ctx, repo, nil, "cat-file", "-e", commit); err != nil {
		return permanentError{fmt.Errorf("%s is not in the repository", commit)}
	}
	for range noteTries {
		done, err := tryNote(ctx, repo, commit, lines)
		if done || err != nil {
			return err
		}
	}
	return errors.New("others always came first")
}

// tryNote makes a commit of the notes as they are with the lines added, in an
// index of its own, and moves the ref to it if it has not moved since.
func tryNote(ctx context.Context, repo, commit string, lines []string) (bool, error) {
	dir, err := os.MkdirTemp("", "pushlane-notes-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	scratch := "refs/notes/" + filepath.Base(dir) // git writes notes below refs/notes alone
	old, _ := git(ctx, repo, nil, "rev-parse", "--verify", "--quiet", NotesRef)
	if old == "" {
		old = strings.Repeat("0", 40)
	} else if _, err := git(ctx, repo, nil, "update-ref", scratch, old); err != nil {
		return false, err
	}
	defer git(context.WithoutCancel(ctx), repo, nil, "update-ref", "-d", scratch)
	text, _ := git(ctx, repo, nil, "notes", "--ref="+scratch, "show", commit)
	merged, changed := mergeLines(text, lines)
	if !changed {
		return true, nil
	}
	if _, err := git(ctx, repo, []byte(merged), "notes", "--ref="+scratch, "add", "-f", "-F", "-", commit); err != nil {
		return false, err
	}
	made, err := git(ctx, repo, nil, "rev-parse", scratch)
	if err != nil {
		return false, err
	}
	_, err = git(ctx, repo, nil, "update-ref", NotesRef, made, old)
	return err == nil, nil
}

// mergeLines adds lines that are not there: the same lane of the same run and
// attempt is one line, however often it is told.
func mergeLines(text string, add []string) (string, bool) {
	have := map[string]bool{}
	var all []string
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			have[noteKey(line)] = true
			all = append(all, line)
		}
	}
	n := len(all)
	for _, line := range add {
		if !have[noteKey(line)] {
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n") + "\n", len(all) > n
}

func noteKey(line string) string {
	var n Note
	if json.Unmarshal([]byte(line), &n) != nil {
		return line
	}
	return fmt.Sprint(n.Number, " ", n.Ref, " ", n.Lane, " ", n.Attempt)
}

func git(ctx context.Context, repo string, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir=" + repo}, args...)...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = repo, bytes.NewReader(stdin), &out, &errs
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GIT_AUTHOR_NAME=pushlane", "GIT_AUTHOR_EMAIL=pushlane@localhost",
		"GIT_COMMITTER_NAME=pushlane", "GIT_COMMITTER_EMAIL=pushlane@localhost"}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}
