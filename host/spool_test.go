package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/spool"
)

// spoolNames are the files of a host's spool.
func spoolNames(t *testing.T, h spool.Folder) (names []string) {
	t.Helper()
	files, err := os.ReadDir(string(h))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// TestSpool: what a hook leaves comes back as it was, in the order of the pushes, once.
func TestSpool(t *testing.T) {
	t.Parallel()
	p := newPushTo(t)
	left := spool.Folder(filepath.Join(p.host.state, "spool"))
	one := p.commit("lanes.toml", oneFilesLane)
	two := p.commit("a.txt", "good\n")
	p.set("refs/heads/main", two)
	call := gate.Call{Gate: "post-receive", Dir: p.app, Env: append(p.env, "GIT_DIR=.", "USER=ann", "SECRET=x"),
		Stdin: []byte(fmt.Sprint(one, " ", two, " refs/heads/main\n"))}
	next := call
	next.Stdin = []byte(fmt.Sprint(two, " ", one, " refs/heads/topic\n"))
	for _, c := range []gate.Call{call, next} {
		if err := left.Keep(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(spoolNames(t, left), ".") {
		info, err := os.Stat(filepath.Join(string(left), name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	var taken []gate.Call
	take := func(_ context.Context, c gate.Call) error {
		taken = append(taken, c)
		return nil
	}
	for range 2 { // the second time nothing is there
		if err := left.Take(t.Context(), take); err != nil {
			t.Fatal(err)
		}
	}
	if len(taken) != 2 || len(spoolNames(t, left)) != 0 {
		t.Fatalf("taken %d, left %q", len(taken), spoolNames(t, left))
	}
	for i, tip := range []string{one, two} {
		c, want := taken[i], []gate.Call{call, next}[i]
		if c.Gate != "post-receive" || c.Dir != want.Dir || string(c.Stdin) != string(want.Stdin) ||
			c.Tip != (gate.RefAt{Ref: "refs/heads/main", ID: tip}) || c.Pusher() != "ann" || c.Getenv("SECRET") != "" {
			t.Errorf("push %d: %+v", i, c)
		}
	}
}

// TestSpoolThatCannot: a push that cannot be saved is an error of the hook, and leaves nothing that looks like one.
func TestSpoolThatCannot(t *testing.T) {
	t.Parallel()
	p := newPushTo(t)
	left := spool.Folder(filepath.Join(p.host.state, "spool"))
	one := p.commit("lanes.toml", oneFilesLane)
	p.set("refs/heads/main", one)
	call := gate.Call{Gate: "post-receive", Dir: p.app, Env: append(p.env, "GIT_DIR=."),
		Stdin: []byte(fmt.Sprint(one, " ", one, " refs/heads/main\n"))}
	broken := call
	broken.Stdin = []byte("hello\n")
	want := `cannot read git's ref lines: line 1: want "<old id> <new id> <ref>", got "hello"`
	if err := left.Keep(t.Context(), broken); err == nil || err.Error() != want {
		t.Errorf("not ref lines: %v", err)
	}
	if names := spoolNames(t, left); len(names) != 0 {
		t.Errorf("left %q", names)
	}
	if err := os.WriteFile(string(left), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := left.Keep(t.Context(), call)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot save the push for later: ") {
		t.Errorf("a spool that is a file: %v", err)
	}
	if err := left.Take(t.Context(), nil); err == nil {
		t.Error("a spool that cannot be listed is taken for an empty one")
	}
}
