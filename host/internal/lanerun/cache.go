package lanerun

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

// cacheEntry prepares to cache the run; why is the reason if it cannot be cached.
func (l *Lane) cacheEntry(ctx context.Context) (*cacheEntry, string, error) {
	switch {
	case l.module.Manifest().Input == nil:
		return nil, "plugin " + l.lane().Plugin +
			" reads the whole request, which differs for every push (set `input` in its manifest)", nil
	case l.lane().Remember == lanes.RememberNever:
		return nil, `the lane says remember = "never"`, nil
	case l.can("clock"):
		return nil, "it reads the clock", nil
	case l.can("http"):
		return nil, "it may send requests", nil
	}
	request, text, err := l.input(ctx)
	if err != nil {
		return nil, "", err
	}
	l.first = &input{request, text}
	given := fmt.Sprintf("%d\x00%s\x00%s\x00%q\x00%s\x00", cacheVersion, l.Zone().Key(), l.module.Digest(),
		l.environment(), l.lane().Remember)
	sum := sha256.New()
	io.WriteString(sum, given)
	sum.Write(text)
	return &cacheEntry{zone: l.Zone(), key: hex.EncodeToString(sum.Sum(nil)), inputs: map[string]string{},
			environment: l.environmentNow},
		"", nil
}

// environmentNow opens what the run would see.
func (l *Lane) environmentNow(ctx context.Context) (w environment, err error) {
	w.value = func(ctx context.Context, name string) ([]byte, error) {
		st, err := l.runner.Store(ctx)
		if err != nil {
			return nil, err
		}
		return st.Values().Get(ctx, l.space(), name)
	}
	w.changes, w.past, w.blobs = l.changesNow(ctx), l.pastNow(ctx), l.blobsNow(ctx)
	if !l.can("repo.read") {
		return w, nil
	}
	if w.src, err = l.tree(ctx, l.Update().New); err == nil && !hooks.IsZero(l.Update().Base) {
		w.base, err = l.tree(ctx, l.Update().Base)
	}
	return w, err
}

// lookup finds a cached run all of whose inputs hold.
func (l *Lane) lookup(ctx context.Context, m *cacheEntry) (*cachedRun, error) {
	st, err := l.runner.Store(ctx)
	if err != nil {
		return nil, err
	}
	list, err := st.Results().Find(ctx, m.zone, m.key)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	now, err := m.environment(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		run, err := unpackRun(one.Body)
		if err != nil {
			continue // what cannot be read is not used
		}
		same, err := l.holds(ctx, now, run)
		if err != nil {
			return nil, err
		}
		if same {
			l.runner.After(ctx, func(ctx context.Context) error { return st.Results().Used(ctx, one.ID, time.Now()) })
			return run, nil
		}
	}
	return nil, nil
}

// holds reports whether a run would be given the same answers now.
func (l *Lane) holds(ctx context.Context, now environment, run *cachedRun) (bool, error) {
	for input, digest := range run.Inputs {
		found, err := now.digest(ctx, input)
		if errors.Is(err, errToil) { // to run it is less work
			return false, nil
		}
		if err != nil || found != digest {
			return false, err
		}
	}
	if len(run.Containers) == 0 {
		return true, nil
	}
	source, err := l.tree(ctx, l.Update().New)
	if err != nil {
		return false, err
	}
	client, err := l.runner.Incus(ctx, l.policy())
	if err != nil {
		return false, nil // the run itself will say what is wrong with Incus
	}
	for _, c := range run.Containers {
		fingerprint, err := client.Images().Fingerprint(ctx, c.Image, l.policy().IncusImages)
		if err != nil || fingerprint != c.Fingerprint || source.ID() != c.Source {
			return false, nil
		}
	}
	return true, nil
}

// storeResult caches a run that ended in a verdict. If it does not, the lane's log
// has the reason.
func (l *Lane) storeResult(ctx context.Context, o *gate.LaneRun, said Result, exit int) {
	if l.cache == nil || o.State != store.Passed && o.State != store.Failed {
		return
	}
	if why := l.uncacheable(); why != "" {
		l.log.line('h', "not cached: "+why)
		return
	}
	run := cachedRun{Inputs: l.cache.inputs, Containers: l.cache.containers, Run: l.rec.WaitNumber(), Address: l.address(),
		Exit: exit, Verdict: said.Verdict, Reason: said.Reason, Findings: said.Findings, Total: said.total,
		Errors: said.errors, Places: said.places, Image: o.Image, At: time.Now().UTC()}
	st, in, key := l.rec.Store, l.cache.zone, l.cache.key
	l.runner.After(ctx, func(ctx context.Context) error {
		body, err := packRun(run)
		if err != nil {
			return err
		}
		return st.Results().Add(ctx, in, key, body, time.Now())
	})
}

func (l *Lane) uncacheable() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.uncacheableWhy != "":
		return l.uncacheableWhy
	case l.cache.full():
		return fmt.Sprintf("it read more than %d paths, or its requests are longer than %d MiB", maxInputs,
			maxInputBytes>>20)
	case len(l.cache.containers) > 0 && l.lane().Remember != lanes.RememberContainers:
		return `it runs containers, and the lane does not say remember = "containers"`
	}
	return ""
}

// cachedResult looks for an earlier run that this one would only repeat.
func (l *Lane) cachedResult(ctx context.Context) (*cachedRun, error) {
	mem, _, err := l.cacheEntry(ctx)
	if err != nil || mem == nil {
		return nil, err
	}
	l.cache = mem
	if l.j.Asked.Fresh || l.Attempt > 1 {
		return nil, nil
	}
	return l.lookup(ctx, mem)
}
