package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to hold the database as a backup would
)

// A process of another user gets no answer from the socket, even where the
// file system lets it reach it.
func TestSocketPeerOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can become another user")
	}
	s := newServer(t, "")
	s.url = s.repo
	s.serve(t)
	for dir := s.state; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(s.state, "host.sock")
	if err := os.Chmod(socket, 0o777); err != nil {
		t.Fatal(err)
	}
	said := func(uid uint32) string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAskSocket$")
		cmd.Env = append(os.Environ(), "ASK_SOCKET="+socket)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	exe := filepath.Dir(os.Args[0])
	for dir := exe; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755) // where go test put this program
	}
	if out := said(0); !strings.Contains(out, "answer: u") { // the build is not named: not served, but told so
		t.Errorf("its own user: %s", out)
	}
	if out := said(65534); !strings.Contains(out, "answer: none") {
		t.Errorf("another user: %s", out)
	}
}

// TestAskSocket is the other process of TestSocketPeerOfAnotherUser.
func TestAskSocket(t *testing.T) {
	path := os.Getenv("ASK_SOCKET")
	if path == "" {
		t.Skip("part of another test")
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	conn.Write([]byte("v\x00\x00\x00\x031 x.\x00\x00\x00\x00"))
	var first [1]byte
	if n, _ := conn.Read(first[:]); n == 1 {
		fmt.Printf("answer: %s\n", first[:])
		return
	}
	fmt.Println("answer: none")
}

// A database that a backup holds longer than we wait keeps the push out, and
// says why.
func TestDatabaseLockedByABackup(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	s.url = s.repo
	c := s.newClient(t, filesLane)
	c.git("push", "-q", "origin", "main")
	db, err := sql.Open("sqlite", filepath.Join(s.state, "pushlane.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	c.commit("more", "x\n")
	out, err := try(c.dir, nil, "git", "push", "origin", "main")
	if err == nil || !strings.Contains(out, "pushlane: error: cannot ") || !strings.Contains(out, "locked") ||
		!strings.Contains(out, "pushlane: hint: ") {
		t.Errorf("a locked database: %v\n%s", err, out)
	}
	if _, err := db.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	c.git("push", "-q", "origin", "main")
}

// A full disk under the state folder keeps pushes out, says why, and is no
// damage: with space again all goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	s.url = s.repo
	if err := os.MkdirAll(s.state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", s.state, "tmpfs", 0, "size=2m,mode=0700"); err != nil {
		t.Skipf("SKIPPED: cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(s.state, syscall.MNT_DETACH) })
	c := s.newClient(t, filesLane)
	c.git("push", "-q", "origin", "main")
	filler := filepath.Join(s.state, "filler")
	try("", nil, "dd", "if=/dev/zero", "of="+filler, "bs=4k")
	c.commit("more", "x\n")
	out, err := try(c.dir, nil, "git", "push", "origin", "main")
	if err == nil || !strings.Contains(out, "pushlane: error: cannot ") || !strings.Contains(out, "full") ||
		!strings.Contains(out, "cannot decide: the push is refused") {
		t.Errorf("a full disk: %v\n%s", err, out)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.git("push", "-q", "origin", "main")
}

// A hook that is killed half-way is a refused push; the host hears of it, and
// leaves no container.
func TestHookKilledHalfWay(t *testing.T) {
	t.Parallel()
	if !incusHere(t) {
		t.Skip("SKIPPED: no Incus here")
	}
	s := newServer(t, "")
	s.url = s.repo
	s.serve(t)
	c := s.newClient(t,
		"version = 1\n[[lane]]\nid = \"long\"\nplugin = \"shell\"\n[lane.with]\nimage = \"busybox\"\ncommand = "+
			"[\"sleep\", \"300\"]\n[lane.grant]\ncontainer = true\n")
	pushed := make(chan string)
	go func() {
		out, err := try(c.dir, nil, "git", "push", "origin", "main")
		pushed <- fmt.Sprint(err, "\n", out)
	}()
	waitUntil(t, "its container runs", func() bool { return len(containersOf(t, c)) > 0 })
	killHook(t, s.policy)
	if out := <-pushed; !strings.Contains(out, "[remote rejected] main -> main (pre-receive hook declined)") {
		t.Errorf("the push: %s", out)
	}
	if _, err := try(s.repo, nil, "git", "cat-file", "-e", strings.TrimSpace(c.git("rev-parse", "HEAD"))); err == nil {
		t.Error("the refused objects are on the server")
	}
	waitUntil(t, "the run has ended", func() bool {
		r := s.runs(t)[0]
		return final(r.State) &&
			r.Lanes[0].State == "cancelled"
	})
	waitUntil(t, "no container is left", func() bool { return len(containersOf(t, c)) == 0 })
}

// killHook kills the hook client that was started with this policy.
func killHook(t *testing.T, policy string) {
	t.Helper()
	out, err := exec.Command("pgrep", "-f", "pushlane-hook --policy="+policy).Output()
	if err != nil {
		t.Fatalf("no hook is running: %v", err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(out))[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
