package host

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/host/internal/gate"
)

// frames are those of the wire: of each the kind and its payload.
func frames(all ...string) []byte {
	var b []byte
	for _, f := range all {
		b = append(binary.BigEndian.AppendUint32(append(b, f[0]), uint32(len(f)-1)), f[1:]...)
	}
	return b
}

// TestReadCall: a call is read whole, or none is.
func TestReadCall(t *testing.T) {
	t.Parallel()
	const build = "7.9"
	version := "v" + wireVersion + " " + build
	for name, c := range map[string]struct {
		in   []byte
		want string // the call, or the error
	}{
		"a call": {frames(version, "apre-receive", "aorigin", "ahttps://x", "d/srv/app.git", "eA=1", "eB=2", "t1 80",
			"ia b refs/heads/main\n", "."),
			`pre-receive [origin https://x] in /srv/app.git with [A=1 B=2], live 80: "a b refs/heads/main\n"`},
		"no more than its end":  {frames(version, "amanual", ".", "iafter"), `manual [] in  with [], : ""`},
		"an input of no bytes":  {frames(version, "amanual", "i", "."), `manual [] in  with [], : ""`},
		"an empty argument":     {frames(version, "amanual", "a", "."), `manual [] in  with [], : ""`},
		"another build":         {frames("v"+wireVersion+" 7.8", "amanual", "."), "the caller is from another build"},
		"another wire":          {frames("v1 "+build, "amanual", "."), "the caller is from another build"},
		"more than a build":     {frames(version+" x", "amanual", "."), "the caller is from another build"},
		"no build":              {frames("amanual", "."), "cannot read call: it does not begin with its build"},
		"nothing but an end":    {frames("."), "cannot read call: it does not begin with its build"},
		"a build too late":      {frames("amanual", version, "."), "cannot read call: it does not begin with its build"},
		"two inputs":            {frames(version, "ia", "ib", "."), "cannot read call: frame 'i' comes twice"},
		"two folders":           {frames(version, "d/a", "d/b", "."), "cannot read call: frame 'd' comes twice"},
		"two builds":            {frames(version, version, "."), "cannot read call: frame 'v' comes twice"},
		"two terminals":         {frames(version, "t1 80", "t0 0", "."), "cannot read call: frame 't' comes twice"},
		"a frame of the answer": {frames(version, "x\x00", "."), "cannot read call: unknown frame 'x'"},
		"no end":                {frames(version, "amanual"), "EOF"},
		"nothing":               {nil, "EOF"},
		"half a head":           {frames(version, "amanual")[:len(frames(version))+3], "unexpected EOF"},
		"half a payload":        {frames(version, "amanual")[:len(frames(version))+8], "unexpected EOF"},
		"a payload too large": {append(frames(version), 'i', 0x7f, 0xff, 0xff, 0xff),
			"cannot read call: it is too large"},
		"a payload larger than any": {append(frames(version), 'i', 0xff, 0xff, 0xff, 0xff),
			"cannot read call: it is too large"},
	} {
		call, err := readCall(bufio.NewReader(bytes.NewReader(c.in)), build)
		live := ""
		if call.Term.Live {
			live = fmt.Sprint("live ", call.Term.Columns)
		}
		got := fmt.Sprintf("%s %s in %s with %s, %s: %q", call.Gate, call.Args, call.Dir, call.Env, live, call.Stdin)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", name, got, c.want)
		}
	}
	if _, err := readCall(bufio.NewReader(bytes.NewReader(frames("vother"))), build); !errors.Is(err, errOtherBuild) {
		t.Errorf("another build: %v", err)
	}
}

// TestFramesHaveABudget: all frames of a call together, their heads too.
func TestFramesHaveABudget(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		budget int64
		frames []string
		want   int // frames that are read
	}{
		"one that fits":           {9, []string{"eA=1x"}, 1},
		"one byte too many":       {8, []string{"eA=1x"}, 0},
		"the head alone too many": {4, []string{"."}, 0},
		"two that fit":            {14, []string{"e", "eA=1x"}, 2},
		"two that do not":         {13, []string{"e", "eA=1x"}, 1},
	} {
		r := bufio.NewReader(bytes.NewReader(frames(c.frames...)))
		read := 0
		for left := c.budget; read < len(c.frames); read++ {
			if _, payload, err := readFrame(r, &left); err != nil {
				if err.Error() != "cannot read call: it is too large" {
					t.Errorf("%s: %v", name, err)
				}
				break
			} else if payload != c.frames[read][1:] {
				t.Errorf("%s: got %q", name, payload)
			}
		}
		if read != c.want {
			t.Errorf("%s: %d frames were read", name, read)
		}
	}
}

// TestParseTerminal: lines are redrawn on a terminal that can, and coloured where the user did not say no.
func TestParseTerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, env string
		want      gate.Terminal
	}{
		"a terminal":       {"1 80", "", gate.Terminal{Live: true, Color: true, Columns: 80}},
		"a pipe":           {"0 80", "", gate.Terminal{Columns: 80}},
		"one that cannot":  {"1 80", "TERM=dumb", gate.Terminal{Columns: 80}},
		"no colour wanted": {"1 80", "NO_COLOR=1", gate.Terminal{Live: true, Columns: 80}},
		"no width":         {"1", "", gate.Terminal{Live: true, Color: true}},
		"a width of words": {"1 wide", "", gate.Terminal{Live: true, Color: true}},
		"nothing":          {"", "", gate.Terminal{}},
		"more than one":    {"11 80", "", gate.Terminal{Columns: 80}},
	} {
		if got := parseTerminal(c.text, gate.Call{Env: []string{c.env}}.Getenv); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// short is a connection that takes so many bytes and then breaks.
type short struct{ left int }

func (s *short) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// TestFrameWriter: frames of two writers are whole, and a word without a payload is a frame.
func TestFrameWriter(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var wire bytes.Buffer
	var work sync.WaitGroup
	for _, kind := range []byte("oe") {
		work.Go(func() {
			w := frameWriter{&mu, &wire, kind}
			for i := range 200 {
				fmt.Fprintf(w, "%c%s", kind, strings.Repeat("x", i))
			}
		})
	}
	work.Wait()
	if n, err := (frameWriter{&mu, &wire, 'k'}).Write(nil); n != 0 || err != nil {
		t.Errorf("no payload: %d, %v", n, err)
	}
	r, left, count := bufio.NewReader(&wire), int64(maxFrames), map[byte]int{}
	for {
		kind, payload, err := readFrame(r, &left)
		if err != nil {
			break
		}
		count[kind]++
		if kind != 'k' && payload[0] != kind || kind == 'k' && payload != "" {
			t.Errorf("a frame %c of %q", kind, payload)
		}
	}
	if count['o'] != 200 || count['e'] != 200 || count['k'] != 1 {
		t.Errorf("frames %v", count)
	}
	n, err := frameWriter{&mu, &short{left: maxReplyFrame + 5}, 'o'}.Write(make([]byte, 2*maxReplyFrame))
	if n != maxReplyFrame || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a client that goes away: %d sent, %v", n, err)
	}
}

// connected is a client of a socket, and the host's end of the connection.
func connected(t *testing.T, dial func(path string) error) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := dial(path); err != nil {
		t.Fatal(err)
	}
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestSamePeer: the host serves its own user, and no other, whatever the socket's mode.
func TestSamePeer(t *testing.T) {
	t.Parallel()
	mine := connected(t, func(path string) error {
		c, err := net.Dial("unix", path)
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	})
	if err := samePeer(mine, os.Getuid()); err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf("cannot serve uid %d: this host belongs to uid %d", os.Getuid(), os.Getuid()+1)
	if err := samePeer(mine, os.Getuid()+1); err == nil || err.Error() != want {
		t.Errorf("another user's host: %v", err)
	}
	mine.Close()
	if err := samePeer(mine, os.Getuid()); err == nil {
		t.Error("a connection that is gone is the user's own")
	}
	if os.Getuid() != 0 {
		return // only root can be another user
	}
	theirs := connected(t, asNobody)
	want = fmt.Sprintf("cannot serve uid %d: this host belongs to uid 0", nobody)
	if err := samePeer(theirs, 0); err == nil || err.Error() != want {
		t.Errorf("another user: %v", err)
	}
}

// nobody is a user that owns nothing here.
const nobody = 65534

// asNobody connects as another user. The thread that became that user ends with its goroutine.
func asNobody(path string) error {
	for dir := filepath.Dir(path); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err == nil {
			_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody)
			if errno != 0 {
				err = errno
			} else {
				err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
			}
		}
		done <- err
	}()
	return <-done
}

// TestServe: what a client of the socket is answered, frame by frame.
func TestServe(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	version := "v" + wireVersion + " " + Stamp()
	for name, c := range map[string]struct {
		in   []string
		want string // frames of the answer, without output
		err  string
	}{
		"a call that cannot be decided": {[]string{version, "apre-receive", "d" + outside,
			"ePUSHLANE_CONFIG=/dev/null", "eHOME=" + outside, "eGIT_CEILING_DIRECTORIES=/", "i", "."}, "k x3", ""},
		"another build": {[]string{"v" + wireVersion + " 1.1", "apre-receive", "."}, "u", "the caller is from another build"},
		"no build":      {[]string{"apre-receive", "."}, "u", "cannot read call: it does not begin with its build"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Resident{Host: openHost(t, t.TempDir()), Log: logrus.New()}
			var client net.Conn
			conn := connected(t, func(path string) (err error) {
				client, err = net.Dial("unix", path)
				return err
			})
			defer client.Close()
			if _, err := client.Write(frames(c.in...)); err != nil {
				t.Fatal(err)
			}
			err := r.serve(t.Context(), conn, Stamp())
			if got := fmt.Sprint(err); err != nil && got != c.err || (err == nil) != (c.err == "") {
				t.Errorf("error %v", err)
			}
			if got := answered(t, client); got != c.want {
				t.Errorf("answered %s, want %s", got, c.want)
			}
		})
	}
}

// answered are the frames of an answer: kinds, and the exit status.
func answered(t *testing.T, from io.Reader) string {
	t.Helper()
	var all []string
	r, left := bufio.NewReader(from), int64(maxFrames)
	for {
		kind, payload, err := readFrame(r, &left)
		switch {
		case err != nil:
			return strings.Join(all, " ")
		case kind == 'x':
			all = append(all, fmt.Sprintf("x%d", payload[0]))
		case kind != 'o' && kind != 'e' && kind != 'b':
			all = append(all, string(kind))
		}
	}
}
