package nix_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// prefix starts the name of everything that these tests make in Incus; the
// process id of the test follows.
const prefix = "nixtest-"

// space is a restricted project and a storage pool of the test's own, both
// called name, with the image built by Nix as "default".
type space struct {
	t    *testing.T
	name string
}

func newSpace(t *testing.T, image string) *space {
	t.Helper()
	s := &space{t, prefix + strconv.Itoa(os.Getpid())}
	s.sweepLost()
	t.Cleanup(func() { sweep(t, s.name) })
	s.incus("storage", "create", s.name, "dir")
	s.incus("project", "create", s.name, "-c", "features.images=true", "-c", "features.profiles=true",
		"-c", "features.storage.volumes=true", "-c", "restricted=true", "-c", "restricted.containers.privilege=isolated",
		"-c", "restricted.devices.nic=block")
	s.in("image", "import", filepath.Join(image, "incus.tar.xz"), filepath.Join(image, "rootfs.squashfs"), "--alias",
		"default")
	return s
}

// sweepLost removes what killed tests left.
func (s *space) sweepLost() {
	for _, kind := range []string{"project", "storage"} {
		for line := range strings.Lines(s.incus(kind, "list", "-f", "csv", "-c", "n")) {
			name := strings.TrimSpace(line)
			pid, ours := strings.CutPrefix(name, prefix)
			if _, err := strconv.Atoi(pid); !ours || err != nil {
				continue
			}
			if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
				sweep(s.t, name)
			}
		}
	}
}

// sweep removes a space with all that is in it, in a time of its own.
func sweep(t *testing.T, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	for line := range strings.Lines(ask(ctx, "list", "--project", name, "-f", "csv", "-c", "n")) {
		ask(ctx, "delete", "-f", strings.TrimSpace(line), "--project", name)
	}
	for line := range strings.Lines(ask(ctx, "image", "list", "--project", name, "-f", "csv", "-c", "F")) {
		ask(ctx, "image", "delete", strings.TrimSpace(line), "--project", name)
	}
	ask(ctx, "project", "delete", name)
	ask(ctx, "storage", "delete", name)
	for _, kind := range []string{"project", "storage"} {
		if exec.CommandContext(ctx, "incus", kind, "show", name).Run() == nil {
			t.Errorf("the %s %s could not be removed", kind, name)
		}
	}
}

// ask runs incus and gives what it printed, nothing where it failed.
func ask(ctx context.Context, args ...string) string {
	out, err := exec.CommandContext(ctx, "incus", args...).Output()
	if err != nil {
		return ""
	}
	return string(out)
}

func (s *space) incus(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "incus", args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("incus %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *space) in(args ...string) string {
	s.t.Helper()
	return s.incus(append([]string{"--project", s.name}, args...)...)
}

// needIncus skips aloud where no Incus answers.
func needIncus(t *testing.T) {
	t.Helper()
	need(t, "incus", "incus-base")
	if out, err := exec.CommandContext(t.Context(), "incus", "query", "/1.0/projects").CombinedOutput(); err != nil {
		lacking(t, fmt.Sprintf("Incus does not answer (%s); install it with ./install.sh", strings.TrimSpace(string(out))))
	}
}

func TestImageLivesInIncus(t *testing.T) {
	needIncus(t)
	image := newMachine(t).build("image")
	s := newSpace(t, image)
	if got := strings.TrimSpace(s.in("image", "list", "-f", "csv", "-c", "F")); got != fingerprint(t, image) {
		t.Errorf("Incus calls the image %s, the build %s", got, fingerprint(t, image))
	}
	s.in("launch", "default", "one", "--storage", s.name, "-c", "security.idmap.isolated=true")
	for _, c := range []struct {
		says string
		want string
		args []string
	}{
		{"root is root", "0\n", []string{"--", "id", "-u"}},
		{"a lane's user has its name", "lane\n", []string{"--user", "1000", "--", "id", "-un"}},
		{"a shell runs", "hello\n", []string{"--", "sh", "-c", "echo hello"}},
		{"a lane's user owns its home", "1000:1000\n", []string{"--", "stat", "-c", "%u:%g", "/home/lane"}},
		{"root inside is no one outside", "no\n", []string{"--", "awk", `NR == 1 { print $2 == 0 ? "yes" : "no" }`,
			"/proc/self/uid_map"}},
		{"there is a place for the source", "755 0\n", []string{"--", "stat", "-c", "%a %u", "/work"}},
		{"there is no network but the loopback", "lo\n", []string{"--", "ls", "/sys/class/net"}},
		{"process 1 buries orphans", "0\n", []string{"--", "sh", "-c",
			"(sleep 0.1 &); sleep 1; grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l"}},
	} {
		if got := s.in(append([]string{"exec", "one"}, c.args...)...); got != c.want {
			t.Errorf("%s: got %q, want %q", c.says, got, c.want)
		}
	}
	s.in("stop", "one", "--timeout", "30") // asks; an init that does not listen is an error
}
