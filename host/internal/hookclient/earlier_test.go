package hookclient

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadEarlier: once the hook says which one was there, no variable and no
// file next to it does.
func TestReadEarlier(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  string
		want string
	}{
		"none": {[]string{"--earlier=", "pre-push"}, "A=b", ""},
		"one": {[]string{"--state=/s", "--earlier=.husky/_/pre-push", "pre-push", "origin"},
			"A=b", ".husky/_/pre-push"},
		"none, whatever a variable says":    {[]string{"--earlier=", "pre-push"}, "PUSHLANE_HOOK=/evil", ""},
		"an argument of git's is not taken": {[]string{"--earlier=", "pre-push", "--earlier=/evil"}, "A=b", ""},
		"an installation of an older version": {[]string{"pre-push", "origin"}, "PUSHLANE_HOOK=.git/hooks/pre-push",
			".git/hooks/pre-push.pushlane-kept"},
		"called by hand": {[]string{"pre-push"}, "A=b", ""},
	} {
		e := readEarlier(c.args, []string{c.env})
		if e.path != c.want || strings.Contains(strings.Join(e.env, " "), "PUSHLANE_HOOK") {
			t.Errorf("%s: got %q with %q, want %q", name, e.path, e.env, c.want)
		}
	}
}

// TestEarlierStatus: the hook's status is final, and one that git would pass
// over says nothing.
func TestEarlierStatus(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want int
	}{
		"yes":             {"#!/bin/sh\nexit 0\n", 0o755, 0},
		"no":              {"#!/bin/sh\nexit 7\n", 0o755, 7},
		"no first line":   {"exit 5\n", 0o755, 5},
		"not executable":  {"#!/bin/sh\nexit 7\n", 0o644, 0},
		"killed":          {"#!/bin/sh\nkill -9 $$\n", 0o755, 3},
		"no such program": {"#!/nowhere/sh\n", 0o755, 3},
		"its own name": {"#!/bin/sh\n[ \"$0 $*\" = \"" + dir +
			"/hook origin url\" ] && [ \"$(cat)\" = lines ] || exit 9\n", 0o755, 0},
	} {
		path := filepath.Join(dir, "hook")
		os.Remove(path)
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if got := (earlier{path: path, env: os.Environ()}).run([]string{"pre-push", "origin", "url"},
			[]byte("lines")); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
}
