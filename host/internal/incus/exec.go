package incus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/gorilla/websocket"
	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
	"golang.org/x/sys/unix"
)

// exec runs one command and waits for its end and the end of its output. When
// ctx ends the command gets SIGTERM, then SIGKILL. A killed host closes the
// control socket, and Incus kills the command.
func (c *Client) exec(ctx context.Context, name string, post api.InstanceExecPost, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	if stdin == nil {
		stdin = bytes.NewReader(nil)
	}
	post.WaitForWS = true
	control := make(chan *websocket.Conn, 1)
	done := make(chan bool)
	op, err := c.server.ExecInstance(name, post, &incus.InstanceExecArgs{
		Stdin: stdin, Stdout: stdout, Stderr: stderr, DataDone: done,
		Control: func(conn *websocket.Conn) { control <- conn },
	})
	if err != nil {
		return 0, fmt.Errorf("cannot run a command in the container: %w", err)
	}
	ended, err := c.wait(ctx, op)
	if ctx.Err() != nil {
		stop(control, done)
		return 0, context.Cause(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot follow the command in the container: %w", err)
	}
	select {
	case <-done: // without it the last output would be lost
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return exitStatus(ended)
}

func exitStatus(op *api.Operation) (int, error) {
	code, ok := op.Metadata["return"].(float64)
	if !ok || code < 0 {
		return 0, fmt.Errorf("the command ended without an exit status")
	}
	return int(code), nil
}

// stop asks the command to end, then makes it.
func stop(control <-chan *websocket.Conn, done <-chan bool) {
	select {
	case conn := <-control:
		signal(conn, unix.SIGTERM)
		select {
		case <-done:
			return
		case <-time.After(killGrace):
		}
		signal(conn, unix.SIGKILL)
		conn.Close()
	case <-time.After(time.Second):
	}
}

func signal(conn *websocket.Conn, s unix.Signal) {
	conn.WriteJSON(api.InstanceExecControl{Command: "signal", Signal: int(s)})
}
