package hookclient

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const short = 100 * time.Millisecond

// listen is a socket at which no process accepts, with room for so many.
func listen(t *testing.T, backlog int) (path string, fd int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, backlog))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return path, fd
}

// TestStoppedBeforeItTook: a resident that is stopped has judged nothing,
// whether its line is full, its socket is full or its answer does not come.
func TestStoppedBeforeItTook(t *testing.T) {
	path, _ := listen(t, 0)
	first, err := dial(path, short)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for {
		conn, err := dial(path, short)
		if errors.Is(err, syscall.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := first.Write(make([]byte, 64<<20)); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("64 MiB written to nobody: %v", err)
	}
	h := &host{conn: first, fd: int(first.Fd()), beat: short}
	if code, served := copyBack(h, "pre-receive"); code != 0 || served {
		t.Errorf("status %d, served %t; want it judged by the hook", code, served)
	}
}

// TestTooLateToTake: once the hook has given up, the resident's word that it
// takes the call does not arrive, so the push is not judged twice.
func TestTooLateToTake(t *testing.T) {
	path, fd := listen(t, 1)
	conn, err := dial(path, short)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := &host{conn: conn, fd: int(conn.Fd()), beat: short}
	if code, served := copyBack(h, "pre-receive"); code != 0 || served {
		t.Fatalf("status %d, served %t", code, served)
	}
	peer, _, err := syscall.Accept(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(peer)
	if err := syscall.Sendto(peer, frame(nil, 'k', ""), syscall.MSG_NOSIGNAL, nil); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the call was taken after the hook gave up: %v", err)
	}
}

// TestStoppedWhileItJudged: what was taken is decided by the resident or not at
// all; after the push, it is handed over again.
func TestStoppedWhileItJudged(t *testing.T) {
	for gate, want := range map[string]struct {
		code   int
		served bool
		said   string
	}{
		"pre-receive": {3, true,
			"pushlane: error: cannot decide: the resident pushlane took the push and no longer answers " +
				"(push refused)\npushlane: hint: push again; see: pushlane doctor\n"},
		"post-receive": {0, false, ""},
	} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write(frame(frame(nil, 'k', ""), 'b', "")) // and nothing more
			defer conn.Close()
			conn.Read(make([]byte, 1))
		}()
		conn, err := dial(path, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var code int
		var served bool
		said := stderrOf(t, func() {
			code, served = copyBack(&host{conn: conn, fd: int(conn.Fd()), beat: short}, gate)
		})
		conn.Close()
		if code != want.code || served != want.served || said != want.said {
			t.Errorf("%s: status %d, served %t, said:\n%s", gate, code, served, said)
		}
	}
}

// stderrOf is what do writes to standard error.
func stderrOf(t *testing.T, do func()) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	was, err := syscall.Dup(2)
	if err == nil {
		err = syscall.Dup3(int(f.Fd()), 2, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	do()
	if err := syscall.Dup3(was, 2, 0); err != nil {
		t.Fatal(err)
	}
	syscall.Close(was)
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return strings.ToValidUTF8(string(data), "?")
}
