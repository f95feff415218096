package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

func (w *world) key() string {
	w.t.Helper()
	key := filepath.Join(w.dir, "key")
	w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pushlane", "-f", key)
	return key
}

// notes are the lines at a commit.
func (w *world) notes(commit string) []string {
	w.t.Helper()
	return strings.Split(w.git("notes", "--ref=pushlane", "show", commit), "\n")
}

// Runs that end at once, twenty of them, lose nothing, and a run told twice is
// there once.
func TestNotesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{Notes: true})
	const n = 20
	var wg sync.WaitGroup
	for range n {
		run := w.ended("post-receive", 0)
		wg.Go(func() {
			for range 2 {
				if err := teller.writeNotes(t.Context(), run.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	lines := w.notes(w.commit)
	seen := map[string]bool{}
	for _, line := range lines {
		var note Note
		if err := json.Unmarshal([]byte(line), &note); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		seen[fmt.Sprint(note.Number, note.Lane)] = true
	}
	if len(lines) != 2*n || len(seen) != 2*n {
		t.Errorf("%d lines of %d lanes, want %d", len(lines), len(seen), 2*n)
	}
	if refs := w.git("for-each-ref", "--format=%(refname)"); refs != "refs/heads/main\n"+NotesRef {
		t.Errorf("left behind:\n%s", refs)
	}
	if n := w.git("rev-list", "--count", NotesRef); n != "20" {
		t.Errorf("%s steps of the notes, want one per run", n)
	}
}

func TestNote(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{"sha1", "sha256"} {
		w := newWorldOf(t, hash)
		teller := w.teller(Config{Notes: true})
		run := w.ended("post-receive", 0)
		w.one(w.work(teller, w.say(teller, run)))
		var got Note
		if err := json.Unmarshal([]byte(w.notes(w.commit)[1]), &got); err != nil {
			t.Fatal(err)
		}
		host, _ := os.Hostname()
		want := Note{Run: "app@" + w.commit[:7] + ":test", Number: 1, Gate: "post-receive", Ref: "refs/heads/main",
			Commit: w.commit, Lane: "test", Verdict: "failed",
			Attempt: 1, Guarded: true, Started: runjson.UTC(run.Lanes[1].Started),
			Millis: run.Lanes[1].Ended.Sub(run.Lanes[1].Started).Milliseconds(), Host: host}
		if !got.Started.Equal(want.Started) {
			t.Errorf("%s: started %s, want %s", hash, got.Started, want.Started)
		}
		if got.Started = want.Started; got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", hash, got, want)
		}
	}
}

// Each line's signature holds as the README checks it, with the true
// ssh-keygen; one whose verdict was changed does not, nor one made for
// something else.
func TestSignedNotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key()
	teller := w.teller(Config{Notes: true, NotesKey: key})
	w.one(w.work(teller, w.say(teller, w.ended("post-receive", 0, w.update(`refs/heads/"sig":"x"}`, w.commit)))))
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	w.write("allowed_signers", "host "+string(public), 0o600)
	commands := strings.ReplaceAll(strings.ReplaceAll("\n"+fenced(t, "console"), "\n$ ", "\n"), "HEAD", w.commit)
	script := w.write("check.sh", "set -e\nexport GIT_DIR="+w.repo+"\n"+commands, 0o600)
	if out := w.run("sh", script); !strings.Contains(out, `Good "pushlane-note" signature for host`) {
		t.Errorf("got %s", out)
	}
	_, check, _ := strings.Cut(commands, "> note\n")
	script = w.write("check.sh", "set -e\n"+check, 0o600)
	lines := w.notes(w.commit)
	for name, c := range map[string]struct {
		line string
		good bool
	}{
		"first": {lines[0], true}, "second": {lines[1], true},
		"changed verdict": {strings.Replace(lines[1], `"verdict":"failed"`, `"verdict":"passed"`, 1), false},
		"another's": {lines[0][:strings.LastIndex(lines[0], `,"sig"`)] +
			lines[1][strings.LastIndex(lines[1], `,"sig"`):], false},
		"unsigned": {lines[0][:strings.LastIndex(lines[0], `,"sig"`)] + "}", false},
	} {
		w.write("note", c.line+"\n", 0o600)
		cmd := exec.Command("sh", script)
		cmd.Dir = w.dir
		if out, err := cmd.CombinedOutput(); (err == nil) != c.good {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// A key that asks for a passphrase would wait for no one.
func TestKeyWithAPassphrase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := filepath.Join(w.dir, "locked")
	w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "sesame", "-f", key)
	if _, err := New(Config{Notes: true, NotesKey: key}, w.st, nil); err == nil ||
		!strings.Contains(err.Error(), "is not a private key without a passphrase") {
		t.Errorf("got %v", err)
	}
}

// A key file of the host's own user that others may read is refused, as ssh
// does; the command of the hint opens the way.
func TestKeyThatOthersMayRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key()
	if err := os.Chmod(key, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := New(Config{Notes: true, NotesKey: key}, w.st, nil)
	if want := "cannot sign notes: " + key + " is a private key that others may read (mode 0640)"; err == nil ||
		err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || hinted.Hint() != "close it to others: chmod 600 "+key {
		t.Fatalf("the hint is %v", hinted)
	}
	w.run("chmod", "600", key)
	if _, err := New(Config{Notes: true, NotesKey: key}, w.st, nil); err != nil {
		t.Error(err)
	}
}

// Every kind of key that ssh-keygen makes signs what ssh-keygen verifies.
func TestKindsOfKeys(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		w := &world{t: t, dir: t.TempDir()}
		key := filepath.Join(w.dir, kind)
		w.run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key)
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		sig, err := sshSign(key, []byte("a note"))
		if err != nil {
			t.Fatal(err)
		}
		w.write("allowed", "host "+string(public), 0o600)
		w.write("sig", string(sig), 0o600)
		out := w.run("sh", "-c", "printf 'a note' | ssh-keygen -Y verify -n pushlane-note -I host -f allowed -s sig")
		if !strings.Contains(out, `Good "pushlane-note" signature for host`) {
			t.Errorf("%s: got %s", kind, out)
		}
	}
}

// What others noted stays, and so does a run of the same number out of another
// database.
func TestNotesOfOthersStay(t *testing.T) {
	t.Parallel()
	one := mustJSON(Note{Run: "r", Number: 1, Lane: "a", Attempt: 1, Started: time.UnixMilli(1000)})
	again := mustJSON(Note{Run: "r", Number: 1, Lane: "a", Attempt: 1, Started: time.UnixMilli(1000), Host: "other",
		Sig: "x"})
	other := mustJSON(Note{Run: "r", Number: 1, Lane: "a", Attempt: 1, Started: time.UnixMilli(2000)})
	got, changed := mergeLines("by hand\n\n{}\n"+string(one)+"\n", []string{string(again), string(other), string(other)})
	if want := "by hand\n{}\n" + string(one) + "\n" + string(other) + "\n"; got != want || !changed {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if _, changed := mergeLines(got, []string{string(one)}); changed {
		t.Error("a line that is there changes something")
	}
}

// While a push is judged its commits are in quarantine, where nothing may point
// at them: the note comes when the push is in.
func TestNotesNeverInAQuarantine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"judging", "verdict"} {
		if err := syscall.Mkfifo(filepath.Join(w.dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.write("app.git/hooks/pre-receive", "#!/bin/sh\necho >"+w.dir+"/judging\nread x <"+w.dir+"/verdict\n", 0o700)
	w.run("git", "clone", "-q", w.repo, "work")
	w.run("git", "-C", "work", "commit", "-q", "--allow-empty", "-m", "two")
	commit := w.run("git", "-C", "work", "rev-parse", "HEAD")
	push := exec.Command("git", "-C", filepath.Join(w.dir, "work"), "push", "-q", "origin", "HEAD:refs/heads/main")
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(filepath.Join(w.dir, "judging")); err != nil { // waits for the hook
		t.Fatal(err)
	}
	teller := w.teller(Config{Notes: true})
	run := w.say(teller, w.ended("pre-receive", 0, w.update("refs/heads/main", commit)))
	if d := w.one(w.step(teller, run)); d.State != "waiting" || !strings.Contains(d.Error, "is not in the repository") {
		t.Errorf("got %+v", d)
	}
	w.write("verdict", "yes\n", 0o600)
	if err := push.Wait(); err != nil {
		t.Fatal(err)
	}
	if d := w.one(w.work(teller, run)); d.State != "done" || len(w.notes(commit)) != 2 {
		t.Errorf("got %+v", d)
	}
}

// A commit that never came is given up after an hour; the others of the run
// have their notes.
func TestNotesOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{Notes: true})
	blob := w.git("hash-object", "-w", w.write("file", "x", 0o600))
	for _, object := range []string{strings.Repeat("1", 40), blob} {
		began := w.now
		run, err := w.st.Begin(t.Context(), store.NewRun{RepoKey: w.repo, RepoName: "app", Gate: "post-receive", At: w.now,
			Updates: []store.Update{w.update("refs/heads/gone", strings.Repeat("0", 40)), w.update("refs/heads/x", object),
				w.update("refs/heads/main", w.commit)},
			Lanes: []store.NewLane{{Update: 0, Lane: "a", Picked: true}, {Update: 1, Lane: "a", Picked: true},
				{Update: 2, Lane: "a", Picked: true}}})
		if err != nil {
			t.Fatal(err)
		}
		run = w.end(run, 0, store.Passed, store.Passed, store.Passed)
		d := w.one(w.work(teller, w.say(teller, run)))
		if d.State != "failed" || w.now.Sub(began) > 3*time.Hour {
			t.Errorf("got %+v", d)
		}
	}
	if lines := w.notes(w.commit); len(lines) != 2 {
		t.Errorf("got %q", lines)
	}
}

// Notes are written as the repository's owner wants its files, and none of its
// hooks has a say.
func TestNotesKeepToTheRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.git("config", "core.sharedRepository", "0660")
	w.write("app.git/hooks/reference-transaction", "#!/bin/sh\nexit 1\n", 0o700)
	teller := w.teller(Config{Notes: true})
	if d := w.one(w.work(teller, w.say(teller, w.ended("post-receive", 0)))); d.State != "done" {
		t.Fatalf("got %+v", d)
	}
	object := w.git("rev-parse", NotesRef)
	info, err := os.Stat(filepath.Join(w.repo, "objects", object[:2], object[2:]))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o040 == 0 {
		t.Errorf("the notes' commit has the mode %s, which the group cannot read", info.Mode())
	}
}

// A lock that a killed git left is named, and tried again.
func TestNotesUnderALock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.MkdirAll(filepath.Join(w.repo, "refs", "notes"), 0o700); err != nil {
		t.Fatal(err)
	}
	lock := w.write("app.git/refs/notes/pushlane.lock", "", 0o600)
	teller := w.teller(Config{Notes: true})
	run := w.say(teller, w.ended("post-receive", 0))
	if d := w.one(w.step(teller, run)); d.State != "waiting" || !strings.Contains(d.Error, "pushlane.lock") {
		t.Errorf("got %+v", d)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if d := w.one(w.work(teller, run)); d.State != "done" {
		t.Errorf("got %+v", d)
	}
}

// A note that cannot be read is not taken for one that is not there, which
// would write over it.
func TestNoteThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := addNote(t.Context(), w.repo, w.commit, []string{"one"}); err != nil {
		t.Fatal(err)
	}
	blob := w.git("rev-parse", NotesRef+":"+w.commit)
	if err := os.Remove(filepath.Join(w.repo, "objects", blob[:2], blob[2:])); err != nil &&
		!errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	before := w.git("rev-parse", NotesRef)
	if err := addNote(t.Context(), w.repo, w.commit, []string{"two"}); err == nil {
		t.Error("a note was written over one that cannot be read")
	}
	if after := w.git("rev-parse", NotesRef); after != before {
		t.Error("the notes have moved")
	}
}

// BenchmarkNotes is the notes of a run of two lanes, written into a repository
// with notes on 1,000 commits.
func BenchmarkNotes(b *testing.B) {
	dir := b.TempDir()
	repo := filepath.Join(dir, "app.git")
	run := func(stdin string, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("", "init", "-q", "--bare", repo)
	var commits, noted strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&commits, "commit refs/heads/main\nmark :%d\ncommitter T <t@example.org> %d +0000\ndata 1\nx\n", i+1,
			1700000000+i)
		fmt.Fprintf(&noted, "N inline :%d\ndata 2\n{}\n", i+1)
	}
	run(commits.String()+"commit "+NotesRef+"\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nx\n"+noted.String(),
		"--git-dir="+repo, "fast-import", "--quiet")
	commit := run("", "--git-dir="+repo, "rev-parse", "refs/heads/main")
	for i := 0; b.Loop(); i++ {
		lines := []string{fmt.Sprint("lint ", i), fmt.Sprint("test ", i)}
		if err := addNote(b.Context(), repo, commit, lines); err != nil {
			b.Fatal(err)
		}
	}
}
