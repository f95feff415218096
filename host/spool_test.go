package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/gate"
)

// TestSpoolEnv: an accepted push is judged later with the pusher's name and git's view of the repository, and with
// nothing of the push's quarantine or of any secret.
func TestSpoolEnv(t *testing.T) {
	t.Parallel()
	kept := []string{"GIT_DIR=.", "GIT_PUSH_OPTION_0=priority=high", "GIT_NAMESPACE=x", "GL_USER=ann",
		"GITEA_PUSHER_NAME=b",
		"SOFT_SERVE_USERNAME=c", "REMOTE_USER=d", "USER=git", "LOGNAME=git", "HOME=/home/git", "PATH=/bin",
		"PUSHLANE_PUSH=1.2", "PUSHLANE_CONFIG=/etc/x.toml"}
	dropped := []string{"GIT_QUARANTINE_PATH=/q", "GIT_OBJECT_DIRECTORY=/q", "GIT_ALTERNATE_OBJECT_DIRECTORIES=/o",
		"LD_PRELOAD=/x.so", "AWS_SECRET_ACCESS_KEY=k", "PUSHLANE_SKIP=all", "PUSHLANE_STATE=/x", "SSH_AUTH_SOCK=/x",
		"XGIT_DIR=/x", "path=/x", "USER2=x", "NOVALUE"}
	given := slices.Concat(dropped, kept)
	if got := spoolEnv(given); !slices.Equal(got, kept) {
		t.Errorf("got %q", got)
	}
	if !slices.Equal(given, slices.Concat(dropped, kept)) {
		t.Error("the call's own variables were changed")
	}
}

// spoolNames are the files of a host's spool.
func spoolNames(t *testing.T, h *Host) (names []string) {
	t.Helper()
	files, err := os.ReadDir(h.spoolFolder())
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
	one := p.commit("lanes.toml", oneFilesLane)
	two := p.commit("a.txt", "good\n")
	p.set("refs/heads/main", two)
	call := gate.Call{Gate: "post-receive", Dir: p.app, Env: append(p.env, "GIT_DIR=.", "USER=ann", "SECRET=x"),
		Stdin: []byte(fmt.Sprint(one, " ", two, " refs/heads/main\n"))}
	next := call
	next.Stdin = []byte(fmt.Sprint(two, " ", one, " refs/heads/topic\n"))
	for _, c := range []gate.Call{call, next} {
		if err := p.host.spool(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(spoolNames(t, p.host), ".") {
		info, err := os.Stat(filepath.Join(p.host.spoolFolder(), name))
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
		if err := p.host.takeSpool(t.Context(), take); err != nil {
			t.Fatal(err)
		}
	}
	if len(taken) != 2 || len(spoolNames(t, p.host)) != 0 {
		t.Fatalf("taken %d, left %q", len(taken), spoolNames(t, p.host))
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
	one := p.commit("lanes.toml", oneFilesLane)
	p.set("refs/heads/main", one)
	call := gate.Call{Gate: "post-receive", Dir: p.app, Env: append(p.env, "GIT_DIR=."),
		Stdin: []byte(fmt.Sprint(one, " ", one, " refs/heads/main\n"))}
	broken := call
	broken.Stdin = []byte("hello\n")
	want := `cannot read git's ref lines: line 1: want "<old id> <new id> <ref>", got "hello"`
	if err := p.host.spool(t.Context(), broken); err == nil || err.Error() != want {
		t.Errorf("not ref lines: %v", err)
	}
	if names := spoolNames(t, p.host); len(names) != 0 {
		t.Errorf("left %q", names)
	}
	if err := os.WriteFile(p.host.spoolFolder(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := p.host.spool(t.Context(), call)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot save the push for later: ") {
		t.Errorf("a spool that is a file: %v", err)
	}
	if err := p.host.takeSpool(t.Context(), nil); err == nil {
		t.Error("a spool that cannot be listed is taken for an empty one")
	}
}

// TestTakeSpool: what cannot be taken in now stays for the next time; what never can be is put aside, and said; other
// files are left alone.
func TestTakeSpool(t *testing.T) {
	t.Parallel()
	here := t.TempDir()
	good := fmt.Sprintf(`{"dir":%q,"env":["A=1"],"stdin":"x","tip":{"Ref":"r","ID":"i"}}`, here)
	away := `{"dir":"/nowhere/app.git","env":[],"stdin":"x"}`
	refuse := errors.New("the disk is full")
	for name, c := range map[string]struct {
		file, text string
		take       error
		left       string // the file afterwards, "" for none
		err        string
	}{
		"taken":                               {"1.json", good, nil, "", ""},
		"not now":                             {"1.json", good, refuse, "1.json", "cannot take in 1.json: the disk is full"},
		"of a repository that is gone, taken": {"1.json", away, nil, "", ""},
		"of a repository that is gone": {"1.json", away, refuse, "1.json.bad",
			"cannot take in 1.json: the disk is full"},
		"not JSON": {"1.json", "{", nil, "1.json.bad", "cannot take in 1.json: unexpected end " +
			"of JSON input"},
		"put aside before": {"1.json.bad", "{", nil, "1.json.bad", ""},
		"half written":     {".new-1", "{", nil, ".new-1", ""},
	} {
		h := &Host{state: t.TempDir()}
		write(t, h.spoolFolder(), c.file, c.text)
		err := h.takeSpool(t.Context(), func(context.Context, gate.Call) error { return c.take })
		if got := strings.Join(spoolNames(t, h), " "); got != c.left || (err == nil) != (c.err == "") ||
			err != nil && err.Error() != c.err {
			t.Errorf("%s: left %q, %v", name, got, err)
		}
	}
	h := &Host{state: t.TempDir()}
	if err := h.takeSpool(t.Context(), nil); err != nil {
		t.Errorf("no spool: %v", err)
	}
	write(t, h.spoolFolder(), "1.json", "{")
	write(t, h.spoolFolder(), "2.json", good)
	taken := 0
	err := h.takeSpool(t.Context(), func(context.Context, gate.Call) error { taken++; return nil })
	if err == nil || taken != 1 {
		t.Errorf("one that is bad keeps the next one out: %d, %v", taken, err)
	}
}
