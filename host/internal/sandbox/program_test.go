package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestWazeroVersion(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}",
		"github.com/tetratelabs/wazero").Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != wazeroVersion {
		t.Errorf("go.mod has %s (%v), wazeroVersion is %s", got, err, wazeroVersion)
	}
}

// TestProgramOfAnotherBuild: a worker that was installed without its host is
// refused before it sees a module.
func TestProgramOfAnotherBuild(t *testing.T) {
	t.Parallel()
	w, err := launch(pool(t, Options{}).program.path, &apart()[len(apart())-1])
	if err != nil {
		t.Fatal(err)
	}
	defer w.kill()
	if err := w.pipe.send(0, frameSetup, encode(setup{Build: "protocol 0"})); err != nil {
		t.Fatal(err)
	}
	<-w.dead
	want := "its process died: pushlane-plugin does not fit this pushlane: it has " + build() + ", pushlane has protocol 0"
	if err := w.died(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestProgramHeldOpen: an installed program that is replaced is not started by
// a host that was there before.
func TestProgramHeldOpen(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(filepath.Dir(self), argv0)
	p := pool(t, Options{})
	data, err := os.ReadFile(p.program.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(small, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if p.program, err = openProgram(""); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(small); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(small, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(small) })
	if _, err := p.Load(t.Context(), "noop", guest(t, "noop")); err != nil {
		t.Error(err)
	}
}
