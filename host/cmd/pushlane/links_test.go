package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAChangeBehindALink: a lane for what a link shows judges what changes
// behind it, before a commit as on the server.
func TestAChangeBehindALink(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	s.url = s.repo
	c := s.newClient(t, filesLane+"paths = [\"deploy/**\"]\non = [\"pre-commit\", \"pre-receive\"]\n")
	c.commit("docs/page", "fine")
	if err := os.Symlink("docs", filepath.Join(c.dir, "deploy")); err != nil {
		t.Fatal(err)
	}
	c.commit("other", "fine")
	c.git("push", "-q", "origin", "main")
	c.commit("docs/page", conflict)
	const why = `lane "files" failed`
	if out, err := try(c.dir, nil, "git", "push", "-q", "origin", "main"); err == nil || !strings.Contains(out, why) {
		t.Errorf("the push: %v\n%s", err, out)
	}
	c.git("reset", "-q", "--soft", "HEAD~1")
	out, err := try(c.dir, []string{"PUSHLANE_STATE=" + s.state}, pushlaneBin(), "hook", "pre-commit")
	if err == nil || !strings.Contains(out, why) {
		t.Errorf("the commit: %v\n%s", err, out)
	}
}
