package lanerun

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// pastRepo is a repository of commits, each with a file of its own content:
// "path=text", or "path" for one that it takes away.
func pastRepo(t *testing.T, dir string, commits ...string) []string {
	t.Helper()
	var in bytes.Buffer
	for i, change := range commits {
		path, text, given := strings.Cut(change, "=")
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter T <t@example.org> %d +0000\ndata 0\n", i+1,
			1700000000+i)
		if given {
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(text), text)
		} else {
			fmt.Fprintf(&in, "D %s\n", path)
		}
	}
	run := func(stdin string, args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run("", "init", "-q", ".")
	run(in.String(), "fast-import", "--quiet", "--force")
	return strings.Fields(run("", "rev-list", "--reverse", "refs/heads/main"))
}

// pastProbe is the plugin files over a repository of commits.
type pastProbe struct {
	t    *testing.T
	host *testHost
}

func newPastProbe(t *testing.T, plugin string) pastProbe {
	t.Helper()
	manifest, err := os.ReadFile("../../../plugins/" + plugin + "/manifest.toml")
	if err != nil {
		t.Fatal(err)
	}
	return pastProbe{t, probeHost(t, t.TempDir(), "plugins/"+plugin, string(manifest))}
}

// lane judges from the first commit to the last.
func (p pastProbe) lane(plugin, dir string, ids []string) probe {
	p.t.Helper()
	r, err := hooks.Open(p.t.Context(), hooks.Env{Dir: dir, Getenv: func(string) string { return "" }})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { r.Close() })
	u := hooks.Update{Base: ids[0], New: ids[len(ids)-1]}
	changes, err := r.Changes(p.t.Context(), u.Base, u.New)
	if err != nil {
		p.t.Fatal(err)
	}
	st, err := p.host.Store(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	one := probeLane(p.host, r, st, plugin, u, changes)
	one.lane0().Grant.History = true
	return one
}

// lane0 is the probe's only lane, to be changed.
func (p probe) lane0() *lanes.Lane { return &p.j.LaneRuns[0].Picked.Lane }

const pem = "-----BEGIN " + "PRIVATE KEY-----\n"

// TestResultsDependOnHistory: the same end by other commits is another run, and
// the same commits are the same.
func TestResultsDependOnHistory(t *testing.T) {
	t.Parallel()
	p := newPastProbe(t, "files")
	bad, good := t.TempDir(), t.TempDir()
	badIDs := pastRepo(t, bad, "a=1", "k="+pem, "k", "b=2")
	goodIDs := pastRepo(t, good, "a=1", "b=2")
	one := p.lane("files", good, goodIDs)
	said, exit := one.answer(t)
	if exit != 0 || said.Reason != "1 changed file looked at" {
		t.Fatalf("exit status %d: %s", exit, said.Reason)
	}
	one.keep(t, said, exit)
	if p.lane("files", good, goodIDs).remembered(t) == nil {
		t.Error("the same commits are not remembered")
	}
	two := p.lane("files", bad, badIDs)
	if run := two.remembered(t); run != nil {
		t.Errorf("what another history has is taken for it: %+v", run)
	}
	said, exit = two.answer(t)
	want := "private key (PEM): replace the key, it must not be pushed, in commit " + badIDs[1][:7] +
		": removing it later does not remove it from the history: rewrite that commit (git rebase --interactive)"
	if exit != 1 || len(said.Findings) != 1 || said.Findings[0].Message != want {
		t.Errorf("exit status %d: %+v", exit, said.Findings)
	}
}

// TestHistoryIsGranted: a lane that grants no history, or not the path, hides it.
func TestHistoryIsGranted(t *testing.T) {
	t.Parallel()
	p := newPastProbe(t, "files")
	dir := t.TempDir()
	ids := pastRepo(t, dir, "a=1", "k="+pem, "k", "b=2")
	for name, change := range map[string]func(*lanes.Grant){"no history": func(g *lanes.Grant) { g.History = false },
		"other files": func(g *lanes.Grant) { g.Files = []string{"b"} }} {
		one := p.lane("files", dir, ids)
		change(&one.lane0().Grant)
		if said, exit := one.answer(t); exit != 0 || said.Reason != "1 changed file looked at" {
			t.Errorf("%s: exit status %d: %s %+v", name, exit, said.Reason, said.Findings)
		}
	}
}

// TestBlobsAreThoseOfTheChanges: no id that another file of the repository has,
// or that the run may not see, is answered.
func TestBlobsAreThoseOfTheChanges(t *testing.T) {
	t.Parallel()
	p := newPastProbe(t, "files")
	dir := t.TempDir()
	ids := pastRepo(t, dir, "old=secret", "k=past", "k", "b=new")
	blob := func(name string) string {
		out, err := exec.Command("git", "-C", dir, "rev-parse", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	one := p.lane("files", dir, ids)
	if err := one.prepare(t.Context(), one.outcome()); err != nil {
		t.Fatal(err)
	}
	one.spool = hooks.NewSpool(t.Context(), hooks.MaxSpool)
	for id, want := range map[string]bool{blob("main:b"): true, blob("main~2:k"): true, blob("main:old"): false,
		ids[0]: false, "": false, "HEAD": false} {
		q := sdk.BlobsQuery{IDs: []string{id}}
		handles := (&wasm.Local{}).Handles()
		_, err := one.readBlobs(handles, q.AppendJSON(nil), &Toil{Ctx: t.Context()})
		if denied := new(wasm.OpError); (err == nil) != want ||
			err != nil && (!errors.As(err, &denied) || denied.Code != wasm.Denied) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestBlobsArePaidFor: each blob and byte counts, and without fuel the host
// stops at once.
func TestBlobsArePaidFor(t *testing.T) {
	t.Parallel()
	opened := 0
	open := func(string) (io.ReadCloser, int64, error) {
		opened++
		return io.NopCloser(strings.NewReader("content")), 7, nil
	}
	q := sdk.BlobsQuery{IDs: strings.Fields(strings.Repeat("x ", 100)), Max: 3}
	w := &Toil{Ctx: t.Context()}
	text, err := io.ReadAll(NewBlobStream(q, w, open))
	if one := "\x07\x00\x00\x00\x00\x00\x00\x00con"; err != nil || string(text) != strings.Repeat(one, 100) {
		t.Errorf("got %q: %v", text, err)
	}
	if least := int64(100*unitsPerBlob + len(text)); w.spent < least || w.spent > 2*least {
		t.Errorf("%d units, want %d and some more", w.spent, least)
	}
	opened = 0
	if _, err := io.ReadAll(NewBlobStream(q, &Toil{Ctx: t.Context(), limit: 5 * unitsPerBlob}, open)); !errors.Is(err,
		errToil) || opened > 5 {
		t.Errorf("%v after %d blobs", err, opened)
	}
}

// TestManySmallFiles: what a small file costs is so little that 200,000 of them
// fit into the usual limits of every plugin that looks at files.
func TestManySmallFiles(t *testing.T) {
	t.Parallel()
	const files = 2000
	start := map[string]int64{"schema": 800_000_000} // to set up a validator
	for plugin, c := range map[string]struct{ suffix, with string }{
		"files": {".txt", `{"trailing_whitespace":true,"max_size":"1MiB"}`}, "secrets": {".txt", "{}"},
		"guard": {".txt", `{"never":[{"word":"OldName","reason":"r"}]}`},
		"links": {".md", "{}"}, "schema": {".json", "{}"}, "codeowners": {".txt", "{}"},
		"licenses": {".txt", `{"headers":["**/*.go"]}`},
	} {
		t.Run(plugin, func(t *testing.T) {
			t.Parallel()
			p := newPastProbe(t, plugin)
			p.host.policy.MaxFuel = max(50_000_000, start[plugin]) + files*(config.DefaultFuel-start[plugin])/200_000
			dir := filepath.Join(t.TempDir(), "work")
			commit := manyFiles(t, dir, map[string]int{c.suffix: files})
			one := p.lane(plugin, dir, []string{hooks.ZeroID, commit})
			if err := json.Unmarshal([]byte(c.with), &one.lane0().With); err != nil {
				t.Fatal(err)
			}
			if said, exit := one.answer(t); exit != 0 {
				t.Errorf("exit status %d: %+v", exit, said.Findings)
			}
		})
	}
}
