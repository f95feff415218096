package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// startPostgres starts a separate PostgreSQL from Debian's packages and
// returns its address.
func startPostgres(t *testing.T) string {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		if os.Getenv("PUSHLANE_REQUIRE_POSTGRES") != "" {
			t.Fatal("PostgreSQL is required here and not installed (postgresql)")
		}
		t.Skip("SKIPPED: PostgreSQL is not installed (postgresql)")
	}
	dir, err := os.MkdirTemp("", "pushlane-pg-") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	as := &syscall.Credential{Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	if u, err := user.Lookup("postgres"); err == nil && os.Getuid() == 0 { // it does not run as root
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bins[len(bins)-1], name), args...)
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
		return cmd
	}
	if out, err := run("initdb", "-D", dir+"/data", "-U", "pushlane", "-A", "trust",
		"--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := run("postgres", "-D", dir+"/data", "-k", dir, "-h", "", "-c", "fsync=off")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Signal(syscall.SIGQUIT); server.Wait() })
	waitUntil(t, "PostgreSQL answers", func() bool {
		return run("psql", "-h", dir, "-U", "pushlane", "-d", "postgres", "-c", "select 1").Run() == nil
	})
	return "postgres://pushlane@/postgres?host=" + url.QueryEscape(dir)
}

// Two hosts share one queue in PostgreSQL. One is killed with -9 while it
// works: the other goes on with what it had.
func TestTwoHostsOneQueue(t *testing.T) {
	t.Parallel()
	if !incusHere(t) {
		t.Skip("SKIPPED: no Incus here")
	}
	address := startPostgres(t)
	s := newServer(t, fmt.Sprintf("%s\nstore = %q", protectReleases, address))
	s.url = s.repo
	first := s.serve(t)
	other := &gitServer{repo: s.repo, policy: filepath.Join(t.TempDir(), "other.toml"),
		state: filepath.Join(t.TempDir(), "state")}
	text, err := os.ReadFile(s.policy)
	if err != nil {
		t.Fatal(err)
	}
	write(t, other.policy, strings.ReplaceAll(string(text), fmt.Sprintf("%q", s.state), fmt.Sprintf("%q", other.state)))
	c := s.newClient(t, filesLane+countingLane)
	c.git("push", "-q", "origin", "main")
	const n = 4
	for i := range n {
		c.git("checkout", "-q", "-b", fmt.Sprintf("release/%d", i), "main")
		c.commit("file", fmt.Sprint("fine ", i))
		c.git("push", "-q", "origin", fmt.Sprintf("release/%d", i))
	}
	other.serve(t)
	waitUntil(t, "a container runs", func() bool { return len(containersOf(t, c)) > 0 })
	first.Process.Kill()
	first.Wait()
	env := []string{"PUSHLANE_CONFIG=" + other.policy}
	waitUntil(t, "the other host has ended every run", func() bool {
		out := must(t, s.repo, env, pushlaneBin(), "runs", "-n", "100")
		return strings.Count(out, "passed     post-receive") == n
	})
	all := must(t, s.repo, env, pushlaneBin(), "runs", "-n", "100")
	if strings.Count(all, "passed     pre-receive") != n+1 || strings.Count(all, "\n") != 2*n+1 {
		t.Errorf("got\n%s", all)
	}
}
