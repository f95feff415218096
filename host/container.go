package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/sdk"
)

// runContainers runs what the plugin asked for, all at once, and keeps the
// results in the order in which they were asked for.
func (l *laneRun) runContainers(ctx context.Context, asked []sdk.Container) error {
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
func (l *laneRun) allowContainers(asked []sdk.Container) error {
	if !l.can("container") {
		return l.denied("container")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range asked {
		if c.Network && !l.can("container.network") {
			return l.denied("container.network")
		}
		for _, name := range c.Secrets {
			if !l.permits.reaches("secret", name) {
				return l.outside("secret", name)
			}
		}
	}
	return takeIDs(l.asked, asked, l.lane().Plugin, l.policy().MaxContainers)
}

// takeIDs notes the ids of containers that are asked for. An id that was used
// is an *wasm.OpError, and so is one container too many.
func takeIDs(taken map[string]bool, asked []sdk.Container, plugin string, most int) error {
	for _, c := range asked {
		if taken[c.ID] {
			return &wasm.OpError{Code: wasm.Invalid, Message: fmt.Sprintf("plugin %q asks twice for a container called %q", plugin, printable.Clean(c.ID))}
		}
		if len(taken) == most {
			return &wasm.OpError{Code: wasm.TooMany, Message: fmt.Sprintf("plugin %q asks for more than the %d containers that the policy allows", plugin, most)}
		}
		taken[c.ID] = true
	}
	return nil
}

// containerFault refuses a container object before it is started: as an
// *wasm.OpError where it is wrong in itself, with another error where it asks
// for more than the limits allow.
func containerFault(c sdk.Container, most incus.Limits, in zone.Zone) error {
	err := incus.Spec{Container: c, Attempt: 1, Zone: in, Max: most}.Check()
	if err == nil || errors.Is(err, incus.ErrAbove) {
		return err
	}
	return &wasm.OpError{Code: wasm.Invalid, Message: err.Error()}
}

// runContainer runs one container. That it will is recorded before Incus
// hears of it. Its output goes to the lane's log and to follow, if any.
func (l *laneRun) runContainer(ctx context.Context, c sdk.Container, follow *job) (sdk.Result, error) {
	client, err := l.host.incusClient(ctx, l.policy())
	if err != nil {
		return sdk.Result{}, err
	}
	l.recordStart(ctx, c)
	source, err := l.tree(ctx, l.update().New)
	if err != nil {
		return sdk.Result{}, err
	}
	secrets, err := l.containerSecrets(ctx, c.Secrets)
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
	ended, err := client.Run(ctx, incus.Spec{Container: c, Address: l.address(), Run: l.rec.WaitRunID(), Zone: l.zone(),
		Attempt: l.attempt, Deadline: deadline, Source: source, Secrets: secrets, Max: l.policy().ContainerLimits(), Keep: keep}, out, errOut)
	out.flush()
	errOut.flush()
	if err != nil {
		return sdk.Result{}, keep.drop(err)
	}
	if l.mem != nil {
		l.mem.container(rememberedContainer{Image: c.Image, Fingerprint: ended.Fingerprint, Source: source.ID()})
	}
	l.mu.Lock()
	l.outcome().Image = ended.Fingerprint
	l.outcome().Artifacts = append(l.outcome().Artifacts, keep.files...)
	l.mu.Unlock()
	return sdk.Result{ID: c.ID, Exit: ended.Exit, TimedOut: ended.TimedOut, Millis: time.Since(began).Milliseconds(),
		Tail: l.unmasked(printable.CleanText(ended.Tail)), Artifacts: ended.Artifacts}, nil
}

// follow is a stream of the lane's log that a plugin may read as well.
func (l *laneRun) follow(stream byte, j *job) *lineWriter {
	return &lineWriter{to: func(line string) {
		line = l.unmasked(line)
		l.log.line(stream, line)
		if j != nil {
			j.line(printable.Clean(line))
		}
	}}
}

func (l *laneRun) recordStart(ctx context.Context, c sdk.Container) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.recorded {
		l.recorded = true
		l.rec.Starting(ctx, l.i, l.outcome(), "asks for a container", l.logPath())
	}
	l.rec.Event(ctx, l.i, l.lane().ID, "container", fmt.Sprintf("%s of image %q", c.ID, orDefault(c.Image)))
}

func orDefault(image string) string {
	if image == "" {
		return "default"
	}
	return image
}

// incusConfig says which Incus the policy means and what of it is this host's.
func (h *Host) incusConfig(p config.Policy) incus.Config {
	return incus.Config{URL: p.IncusURL, Socket: p.IncusSocket, Cert: p.IncusCert, Key: p.IncusKey, ServerCert: p.IncusServerCert,
		Project: p.IncusProject, Pool: p.IncusPool, Owner: h.owner(), Hosts: h.marks()}
}

// incusClient connects once per Incus.
func (h *Host) incusClient(ctx context.Context, p config.Policy) (*incus.Client, error) {
	if err := h.markAlive(); err != nil {
		return nil, err
	}
	config := h.incusConfig(p)
	h.connecting.Lock() // an Incus that does not answer keeps no one else waiting
	defer h.connecting.Unlock()
	if c := h.incus[config]; c != nil {
		return c, nil
	}
	c, err := incus.Connect(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, err
	}
	h.incus[config] = c
	h.outage.answered(c.Met(), time.Now())
	h.sweeps.Go(func() { // what an earlier, killed host left behind; a failure here is gc's to report
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
		defer cancel()
		c.Sweep(ctx)
	})
	return c, nil
}

const sweepTime = time.Minute

// resultFiles shows the plugin what its containers left: /results/<id>/…. One
// that starts containers through module lane1 reads them in the same call.
func (l *laneRun) resultFiles() (fs.FS, error) {
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
