package spool

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
func spoolNames(t *testing.T, h Folder) (names []string) {
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

// write puts a file into a folder.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
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
		h := Folder(t.TempDir())
		write(t, string(h), c.file, c.text)
		err := h.Take(t.Context(), func(context.Context, gate.Call) error { return c.take })
		if got := strings.Join(spoolNames(t, h), " "); got != c.left || (err == nil) != (c.err == "") ||
			err != nil && err.Error() != c.err {
			t.Errorf("%s: left %q, %v", name, got, err)
		}
	}
	h := Folder(t.TempDir())
	if err := h.Take(t.Context(), nil); err != nil {
		t.Errorf("no spool: %v", err)
	}
	write(t, string(h), "1.json", "{")
	write(t, string(h), "2.json", good)
	taken := 0
	err := h.Take(t.Context(), func(context.Context, gate.Call) error { taken++; return nil })
	if err == nil || taken != 1 {
		t.Errorf("one that is bad keeps the next one out: %d, %v", taken, err)
	}
}
