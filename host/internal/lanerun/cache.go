package lanerun

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// A plugin's run is deterministic: the same request and the same responses give
// the same result, bit for bit. The request is therefore the key of the cache, the
// responses are stored as inputs (which path was which blob, which folder listed
// which names), and if all inputs are unchanged the verdict is used again.

const (
	cacheVersion = 4      // of the key: results of an older pushlane are not used
	maxInputs    = 50_000 // of one run; a run that asks more is not cached
)

// cacheEntry is what a lane run could be cached by.
type cacheEntry struct {
	zone        zone.Zone // whose runs it may come from
	key         string
	environment func(context.Context) (environment, error) // what the run would see now

	mu         sync.Mutex
	inputs     map[string]string // question -> digest of its answer
	bytes      int               // of the questions
	containers []cachedContainer
}

// environment is what inputs are about.
type environment struct {
	src, base *hooks.Tree                                            // nil: not to be seen
	value     func(ctx context.Context, name string) ([]byte, error) // of the plugin's store
	changes   func(query string) ([]byte, error)                     // answer to changes.list@1
	past      func(query string) ([]byte, error)                     // answer to history.list@1
	blobs     func(query string) ([]byte, error)                     // whether blobs.read@1 would be answered
}

// cachedRun is what is cached of a lane run.
type cachedRun struct {
	Inputs     map[string]string `json:"facts,omitempty"`
	Containers []cachedContainer `json:"containers,omitempty"`
	Run        int64             `json:"run"`     // its number
	Address    string            `json:"address"` // of the lane run
	Exit       int               `json:"exit"`
	Verdict    string            `json:"verdict,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Findings   []sdk.Finding     `json:"findings,omitempty"`
	Total      int               `json:"total,omitempty"`  // see answer
	Errors     int               `json:"errors,omitempty"` // see answer
	Places     bool              `json:"places,omitempty"` // see answer
	Image      string            `json:"image,omitempty"`
	At         time.Time         `json:"at"`
}

// cachedContainer is a container that a run depends on.
type cachedContainer struct {
	Image       string `json:"image"`       // as it was asked for
	Fingerprint string `json:"fingerprint"` // that it was
	Source      string `json:"source"`      // tree id
}

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
		return st.Value(ctx, l.space(), name)
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

// digest is what a input's answer depends on: of a path its mode and blob.
func (w environment) digest(ctx context.Context, input string) (string, error) {
	kind, name := input[:2], input[2:]
	switch kind {
	case "kv":
		value, err := w.value(ctx, name)
		sum := sha256.Sum256(value)
		return fmt.Sprintf("%t %x", value != nil, sum[:16]), err
	case "ch":
		page, err := w.changes(name)
		return digestOf(page), err
	case "hi":
		page, err := w.past(name)
		return digestOf(page), err
	case "bl":
		given, err := w.blobs(name)
		return digestOf(given), err
	}
	tree := map[byte]*hooks.Tree{'0': w.src, '1': w.base}[kind[1]]
	switch {
	case tree == nil:
		return "", nil
	case kind[0] == 'l':
		return tree.MarkList(name)
	}
	return tree.Mark(name)
}

// recordingWorld is a World that notes what it was asked.
type recordingWorld struct {
	wasm.World
	entry *cacheEntry
	now   environment
}

// Ask passes a question on.
func (r *recordingWorld) Ask(ctx context.Context, q wasm.Question) (wasm.Answer, error) {
	a, err := r.World.Ask(ctx, q)
	if err == nil {
		err = r.entry.note(ctx, r.now, q, a)
	}
	return a, err
}

// inputOf names the subject of a request; empty: something that cannot change, or
// an artifact, which depends on its container alone.
func inputOf(q wasm.Question) string {
	switch {
	case q.Kind == wasm.AskCall && q.Name == OpGet:
		var r struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(q.Data, &r) == nil {
			return "kv" + r.Name
		}
	case q.Kind == wasm.AskCall && q.Name == OpChanges:
		return "ch" + string(q.Data)
	case q.Kind == wasm.AskCall && q.Name == OpHistory:
		return "hi" + string(q.Data)
	case q.Kind == wasm.AskCall && q.Name == OpBlobs:
		return "bl" + string(q.Data)
	case q.Tree == wasm.TreeResults:
	case q.Kind == wasm.AskList:
		return fmt.Sprintf("l%d%s", q.Tree, q.Name)
	case q.Kind == wasm.AskStat, q.Kind == wasm.AskOpen, q.Kind == wasm.AskLink:
		return fmt.Sprintf("p%d%s", q.Tree, q.Name)
	}
	return ""
}

func (m *cacheEntry) note(ctx context.Context, now environment, q wasm.Question, a wasm.Answer) error {
	input := inputOf(q)
	if input == "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.inputs[input]; known || m.full() {
		return nil
	}
	m.bytes += len(input)
	switch input[:2] {
	case "ch", "hi": // the answer is here: it is not worked out again
		m.inputs[input] = digestOf(pageOf(a))
		return nil
	}
	digest, err := now.digest(ctx, input)
	m.inputs[input] = digest
	return err
}

func (m *cacheEntry) container(c cachedContainer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.containers = append(m.containers, c)
}

// lookup finds a cached run all of whose inputs hold.
func (l *Lane) lookup(ctx context.Context, m *cacheEntry) (*cachedRun, error) {
	st, err := l.runner.Store(ctx)
	if err != nil {
		return nil, err
	}
	list, err := st.Recall(ctx, m.zone, m.key)
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
			l.runner.After(ctx, func(ctx context.Context) error { return st.UsedAgain(ctx, one.ID, time.Now()) })
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
		fingerprint, err := client.Fingerprint(ctx, c.Image, l.policy().IncusImages)
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
		return st.Remember(ctx, in, key, body, time.Now())
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

func packRun(run cachedRun) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	err := errors.Join(json.NewEncoder(z).Encode(run), z.Close())
	return b.Bytes(), err
}

const maxCachedRun = 64 << 20 // bytes, unpacked

func unpackRun(body []byte) (*cachedRun, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	var run cachedRun
	err = json.NewDecoder(bounded.Reader(z, maxCachedRun)).Decode(&run)
	return &run, err
}

// result gives a cached run's answer.
func (r *cachedRun) result() Result {
	return Result{Findings: slices.Clone(r.Findings), Verdict: r.Verdict, Reason: r.Reason, total: r.Total,
		errors: r.Errors, places: r.Places}
}

// Foresee says whether the lane would run now, or an earlier run's result is used
// again.
func (l *Lane) Foresee(ctx context.Context) string {
	if err := l.prepare(ctx, l.outcome()); err != nil {
		return "cannot determine this: " + printable.Clean(err.Error())
	}
	mem, why, err := l.cacheEntry(ctx)
	switch {
	case err != nil:
		return "cannot determine this: " + printable.Clean(err.Error())
	case mem == nil:
		return "runs every time: " + why
	}
	run, err := l.lookup(ctx, mem)
	switch {
	case err != nil:
		return "cannot determine this: " + printable.Clean(err.Error())
	case run == nil:
		return "runs: no earlier run had the same request, or an input has changed"
	}
	return fmt.Sprintf("cached: the %d inputs that %s read in run #%d are unchanged", len(run.Inputs),
		run.Address, run.Run)
}
