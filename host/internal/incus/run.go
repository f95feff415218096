package incus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Ended says how a command in a container ended.
type Ended struct {
	Exit     int  // the command's exit status, 128+n after signal n
	TimedOut bool // it was killed at its time limit; Exit is 137 then

	// Reason says in words what else had a part in a failure: out of memory,
	// out of processes, disk full. Empty when nothing is known. It is written
	// to stderr as the last line, too.
	Reason string

	Tail        string        // last 64 KiB of both streams, as they came
	Artifacts   []string      // names handed to Spec.Keep, sorted
	Fingerprint string        // of the image
	Instance    string        // the container's name
	Launch      time.Duration // from the call to the start of the command
	Took        time.Duration // from the call to the end of the command
}

var errTimeLimit = errors.New("time limit")

// Run runs one command in one new container and deletes the container. Its
// deletion goes on behind the caller's back; Close waits for it.
//
// A command that fails, is killed or runs out of time is not an error. An error is
// *Error when the intent is refused or something has to be fixed,
// *MachineError when the infrastructure failed, ctx's cause when ctx ended.
func (c *Client) Run(ctx context.Context, spec Spec, stdout, stderr io.Writer) (Ended, error) {
	began := time.Now()
	p, err := spec.plan()
	if err != nil {
		return Ended{}, err
	}
	limited, cancel := context.WithDeadlineCause(ctx, began.Add(p.limit), errTimeLimit)
	defer cancel()
	ended, err := c.run(ctx, limited, p, began, stdout, stderr)
	ended.Took = time.Since(began)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, errTimeLimit) {
		err = broke("start container "+ended.Instance, errors.New("its time limit passed before its command began"))
	}
	return ended, err
}

// run does the steps. limited ends with the container's own time limit as
// well; what comes after the command may take longer.
func (c *Client) run(ctx, limited context.Context, p plan, began time.Time, stdout, stderr io.Writer) (Ended, error) {
	p.instance = instanceName(p.Address, p.ID, p.Attempt)
	ended := Ended{Instance: p.instance}
	var err error
	c.pool.setRoot(limited, &p)
	if ended.Fingerprint, err = c.images.pin(limited, p.Run, p.Image, p.Max.Images); err != nil {
		return ended, err
	}
	tree, err := c.trees.carry(limited, p.Source)
	if err != nil {
		return ended, err
	}
	caches, err := c.caches.mounts(limited, p)
	if err != nil {
		return ended, err
	}
	b, err := c.create(limited, c.request(p, ended.Fingerprint, tree.volume, caches))
	defer b.discard()
	if err != nil {
		return ended, err
	}
	if err := b.prepare(limited, p, tree); err != nil {
		return ended, err
	}
	ended.Launch = time.Since(began)
	tail := &tailBuffer{}
	out, errOut := &stream{out: orDiscard(stdout), tail: tail}, &stream{out: orDiscard(stderr), tail: tail}
	err = b.command(ctx, limited, p, &ended, out, errOut)
	if ended.Reason != "" {
		fmt.Fprintf(errOut, "pushlane: %s\n", ended.Reason)
	}
	out.close()
	errOut.close()
	ended.Tail = tail.String()
	if err != nil || ended.TimedOut {
		return ended, err
	}
	ended.Artifacts, err = b.collect(ctx, p)
	return ended, err
}

// command runs the command itself and finds out what its end means.
func (b *box) command(ctx, limited context.Context, p plan, ended *Ended, stdout, stderr io.Writer) error {
	exit, err := b.execWhole(limited, command{argv: p.argv(), env: p.env, uid: p.uid, cwd: p.cwd, stdout: stdout,
		stderr: stderr})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errTimeLimit):
		ended.Exit, ended.TimedOut = 137, true
		return nil
	case err == nil && exit == 0:
		return nil
	}
	if not := (unstartable{}); errors.As(err, &not) {
		ended.Exit, ended.Reason = not.exit, fmt.Sprintf("cannot start %q: %s", short(p.Command[0], 100), not.why)
		return nil
	}
	if gone := b.alive(ctx); gone != nil {
		return broke("run the command in "+b.name, gone)
	}
	if err != nil {
		return broke("run the command in "+b.name, err)
	}
	ended.Exit = exit
	var gone error
	if ended.Reason, gone = b.settled(ctx, p); gone != nil {
		return broke("run the command in "+b.name, gone)
	}
	return nil
}
