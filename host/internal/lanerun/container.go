package lanerun

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/sdk"
)

// runContainers runs what the plugin asked for, all at once, and keeps the
// results in the order in which they were asked for.
func (l *Lane) runContainers(ctx context.Context, asked []sdk.Container) error {
	if err := l.allowContainers(asked); err != nil {
		return err
	}
	results := make([]sdk.Result, len(asked))
	errs := make([]error, len(asked))
	var wg sync.WaitGroup
	for k, c := range asked {
		wg.Go(func() { results[k], errs[k] = l.runContainer(ctx, c, nil) })
	}
	wg.Wait()
	l.results = append(l.results, results...)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// allowContainers checks grants, names and count before any of them starts.
func (l *Lane) allowContainers(asked []sdk.Container) error {
	if !l.can("container") {
		return l.denied("container")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range asked {
		if c.Network && !l.can("container.network") {
			return l.denied("container.network")
		}
		if err := errors.Join(l.allowSecrets(c), l.allowGit(c)); err != nil {
			return err
		}
	}
	return TakeIDs(l.asked, asked, l.lane().Plugin, l.policy().MaxContainers)
}

// TakeIDs notes the ids of containers that are asked for. An id that was used
// is an *wasm.OpError, and so is one container too many.
func TakeIDs(taken map[string]bool, asked []sdk.Container, plugin string, most int) error {
	for _, c := range asked {
		if taken[c.ID] {
			return &wasm.OpError{Code: wasm.Invalid, Message: fmt.Sprintf("plugin %q asks twice for a container called %q",
				plugin, printable.Clean(c.ID))}
		}
		if len(taken) == most {
			return &wasm.OpError{Code: wasm.TooMany, Message: fmt.Sprintf(
				"plugin %q asks for more than the %d containers that the policy allows", plugin, most)}
		}
		taken[c.ID] = true
	}
	return nil
}

// ContainerFault refuses a container object before it is started: as an
// *wasm.OpError where it is wrong in itself, with another error where it asks
// for more than the limits allow.
func ContainerFault(c sdk.Container, most incus.Limits, in zone.Zone) error {
	err := incus.Spec{Container: c, Attempt: 1, Zone: in, Max: most}.Check()
	if err == nil || errors.Is(err, incus.ErrAbove) {
		return err
	}
	return &wasm.OpError{Code: wasm.Invalid, Message: err.Error()}
}

// runContainer runs one container. That it will is recorded before Incus
// hears of it. Its output goes to the lane's log and to follow, if any.
func (l *Lane) runContainer(ctx context.Context, c sdk.Container, follow *Job) (sdk.Result, error) {
	client, err := l.runner.Incus(ctx, l.policy())
	if err != nil {
		return sdk.Result{}, err
	}
	l.recordStart(ctx, c)
	source, err := l.source(ctx, c)
	if err != nil {
		return sdk.Result{}, err
	}
	secrets, err := l.containerSecrets(SecretNames(c))
	if err != nil {
		return sdk.Result{}, err
	}
	deadline, _ := ctx.Deadline()
	keep, err := l.artifacts(c.ID)
	if err != nil {
		return sdk.Result{}, err
	}
	defer keep.close()
	out, errOut := l.follow('o', follow), l.follow('e', follow)
	began := time.Now()
	ended, err := client.Run(ctx, incus.Spec{Container: c, Address: l.address(), Run: l.rec.WaitRunID(), Zone: l.Zone(),
		Attempt: l.Attempt, Deadline: deadline, Source: source, Secrets: secrets, Max: l.policy().ContainerLimits(),
		Keep: keep}, out, errOut)
	out.flush()
	errOut.flush()
	if err != nil {
		return sdk.Result{}, keep.drop(err)
	}
	if l.cache != nil {
		l.cache.container(cachedContainer{Image: c.Image, Fingerprint: ended.Fingerprint, Source: source.ID()})
	}
	l.mu.Lock()
	l.outcome().Image = ended.Fingerprint
	l.listArtifacts(c, keep.files, ended.TimedOut)
	l.mu.Unlock()
	return sdk.Result{ID: c.ID, Exit: ended.Exit, TimedOut: ended.TimedOut, Millis: time.Since(began).Milliseconds(),
		Tail: l.unmasked(printable.CleanText(ended.Tail)), Artifacts: ended.Artifacts}, nil
}

// follow is a stream of the lane's log that a plugin may read as well.
func (l *Lane) follow(stream byte, j *Job) *lineWriter {
	return &lineWriter{to: func(line string) {
		line = l.unmasked(line)
		l.log.line(stream, line)
		if j != nil {
			j.Line(printable.Clean(line))
		}
	}}
}

func (l *Lane) recordStart(ctx context.Context, c sdk.Container) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.Recorded {
		l.Recorded = true
		l.rec.Starting(ctx, l.i, l.outcome(), "asks for a container", l.logPath())
	}
	l.rec.Event(ctx, l.i, l.lane().ID, "container", fmt.Sprintf("%s of image %q", c.ID, OrDefault(c.Image)))
}

// OrDefault is the image that a container gets which names none.
func OrDefault(image string) string {
	if image == "" {
		return "default"
	}
	return image
}

// resultFiles shows the plugin what its containers left: /results/<id>/…. One
// that starts containers through module lane1 reads them in the same call.
func (l *Lane) resultFiles() (fs.FS, error) {
	if len(l.results) == 0 && !l.can("container") {
		return nil, nil
	}
	if err := os.MkdirAll(l.folder(), 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(l.folder())
	if err != nil {
		return nil, err
	}
	l.cleanup = append(l.cleanup, func() { root.Close() })
	return root.FS(), nil
}
