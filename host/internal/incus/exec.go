package incus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
	"golang.org/x/sys/unix"
)

// command is one exec in a container.
type command struct {
	argv           []string
	env            map[string]string
	uid            uint32
	cwd            string
	stdin          io.Reader // nil: empty
	stdout, stderr io.Writer // nil: dropped
}

const (
	graceTime = 3 * time.Second // from SIGTERM to SIGKILL
	killTime  = 5 * time.Second // from SIGKILL to giving up
	drainTime = 5 * time.Second // for output after the exit
)

// errKilled is a command that was killed.
var errKilled = errors.New("killed")

// exec runs a command and returns its exit status, 128+n after signal n. When
// ctx ends first the command gets SIGTERM, then SIGKILL, and the error is
// errKilled joined with ctx's cause. An unstartable is the command's own fault;
// any other error is the infrastructure's.
func (b *box) exec(ctx context.Context, cmd command) (int, error) {
	return b.follow(ctx, cmd, nil)
}

// execWhole is exec for a command whose output must be here to the last byte.
// It gets no standard input; the image needs a shell.
func (b *box) execWhole(ctx context.Context, cmd command) (int, error) {
	a := newAck()
	defer a.abandon()
	cmd.argv, cmd.stdin = a.wrap(cmd.argv), a
	cmd.stdout, cmd.stderr = a.until(orDiscard(cmd.stdout)), a.until(orDiscard(cmd.stderr))
	return a.outcome(b.follow(ctx, cmd, a))
}

func (b *box) follow(ctx context.Context, cmd command, whole *ack) (int, error) {
	session, err := b.start(ctx, cmd)
	if err != nil {
		return 0, err
	}
	defer session.close()
	ended := make(chan struct{})
	var op api.Operation
	var waitErr error
	waiting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		defer close(ended)
		op, waitErr = b.c.conn.wait(waiting, session.id)
	}()
	killed := session.supervise(ctx, ended)
	if killed != nil && !isClosed(ended) {
		return 0, killed
	}
	if whole == nil || !whole.complete() {
		session.drain()
	}
	if killed != nil {
		return 0, killed
	}
	return exitStatus(op, waitErr)
}

// unstartable is a command that could not be started, with the status that a
// shell gives such a one. Incus reports it as a failed operation.
type unstartable struct {
	exit int
	why  string
}

func (u unstartable) Error() string { return u.why }

// exitStatus reads the operation of a finished exec.
func exitStatus(op api.Operation, err error) (int, error) {
	if err != nil && strings.Contains(err.Error(), "Command not found") {
		return 0, unstartable{127, "no such command"}
	}
	if err != nil && strings.Contains(err.Error(), "Command not executable") {
		return 0, unstartable{126, "it is not a program, or may not be run"}
	}
	if code, ok := op.Metadata["return"].(float64); ok && code >= 0 {
		return int(code), nil
	}
	if err == nil {
		err = errors.New("Incus gave no exit status")
	}
	return 0, err
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// session is a command that runs.
type session struct {
	id      string
	drained chan bool
	control chan *websocket.Conn
	conn    *websocket.Conn
}

func (b *box) start(ctx context.Context, cmd command) (*session, error) {
	s := &session{drained: make(chan bool), control: make(chan *websocket.Conn, 1)}
	post := api.InstanceExecPost{Command: cmd.argv, Environment: cmd.env, User: cmd.uid, Group: cmd.uid, Cwd: cmd.cwd,
		WaitForWS: true}
	if cmd.stdin == nil {
		cmd.stdin = bytes.NewReader(nil)
	}
	args := &incus.InstanceExecArgs{Stdin: cmd.stdin, Stdout: orDiscard(cmd.stdout), Stderr: orDiscard(cmd.stderr),
		DataDone: s.drained,
		Control:  func(conn *websocket.Conn) { s.control <- conn }}
	op, err := await(ctx, func() (incus.Operation, error) { return b.c.conn.srv.ExecInstance(b.name, post, args) })
	if err != nil {
		return nil, err
	}
	s.id = op.Get().ID
	return s, nil
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// supervise waits for the end of the command, and brings it about when ctx
// ends.
func (s *session) supervise(ctx context.Context, ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	err := errors.Join(errKilled, context.Cause(ctx))
	for _, step := range []struct {
		signal unix.Signal
		grace  time.Duration
	}{{unix.SIGTERM, graceTime}, {unix.SIGKILL, killTime}} {
		s.signal(step.signal)
		select {
		case <-ended:
			return err
		case <-time.After(step.grace):
		}
	}
	return err
}

func (s *session) connection() *websocket.Conn {
	if s.conn == nil {
		select {
		case s.conn = <-s.control:
		case <-time.After(time.Second):
		}
	}
	return s.conn
}

func (s *session) signal(n unix.Signal) {
	if conn := s.connection(); conn != nil {
		// A lost socket needs no signal: Incus kills the command then.
		_ = conn.WriteJSON(api.InstanceExecControl{Command: "signal", Signal: int(n)})
	}
}

// close lets go of the control socket, on which Incus kills what still runs.
func (s *session) close() {
	if conn := s.connection(); conn != nil {
		conn.Close()
	}
}

// drain waits for the output that is still on its way. A process that was left
// in the background may hold the pipes for ever.
func (s *session) drain() {
	select {
	case <-s.drained:
	case <-time.After(drainTime):
	}
}
