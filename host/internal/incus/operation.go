package incus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// await runs a call of the Incus client, which knows no context, and leaves it
// to itself when ctx ends first.
func await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := call()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// reconnects is how often a broken connection is tried again while waiting:
// an operation goes on without us.
const reconnects = 5

// errVanished is an operation that Incus no longer knows: it finished more
// than five seconds ago, or Incus was restarted.
var errVanished = errors.New("Incus no longer knows the operation; was it restarted?")

// wait waits for an operation. The client's own Wait needs an event socket,
// fails when that drops, and ignores its context without one. The operation's
// own failure is an error.
func (c *Client) wait(ctx context.Context, id string) (api.Operation, error) {
	broken := 0
	for {
		op, err := await(ctx, func() (*api.Operation, error) { return c.look(id) })
		switch {
		case ctx.Err() != nil:
			return api.Operation{}, context.Cause(ctx)
		case isNotFound(err):
			return api.Operation{}, errVanished
		case lost(err) && broken < reconnects:
			broken++
			if !pause(ctx, time.Duration(broken)*200*time.Millisecond) {
				return api.Operation{}, context.Cause(ctx)
			}
		case err != nil:
			return api.Operation{}, err
		case op.StatusCode.IsFinal():
			return *op, operationError(*op)
		}
	}
}

// look waits ten seconds for an operation's end and returns it as it is then.
// Incus 6.0.4 answers a wait that was too short with its own context's error;
// later ones with the operation. The client's GetOperationWait is not used: it
// changes the transport that other calls are reading.
func (c *Client) look(id string) (*api.Operation, error) {
	answer, _, err := c.srv.RawQuery("GET", "/1.0/operations/"+url.PathEscape(id)+"/wait?timeout=10", nil, "")
	if err != nil && err.Error() == context.DeadlineExceeded.Error() {
		op, _, err := c.srv.GetOperation(id)
		return op, err
	}
	if err != nil {
		return nil, err
	}
	op := new(api.Operation)
	return op, answer.MetadataAsStruct(op)
}

func operationError(op api.Operation) error {
	if op.StatusCode == api.Success {
		return nil
	}
	if op.Err == "" {
		return fmt.Errorf("operation ended as %s", op.Status)
	}
	return errors.New(op.Err)
}

// do starts an operation and waits for it.
func (c *Client) do(ctx context.Context, start func() (incus.Operation, error)) error {
	op, err := await(ctx, start)
	if err == nil {
		_, err = c.wait(ctx, op.Get().ID)
	}
	return err
}

// pause sleeps and reports whether ctx still holds.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
