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
	"slices"
	"sync"
	"time"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
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

// maxInputBytes is what the questions of one run may take together; a run whose
// questions are longer is not cached.
const maxInputBytes = 16 << 20

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

// full reports whether the run asks too much to be cached.
func (m *cacheEntry) full() bool { return len(m.inputs) > maxInputs || m.bytes > maxInputBytes }

func (m *cacheEntry) container(c cachedContainer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.containers = append(m.containers, c)
}

// pageOf is the answer to changes.list@1, nothing where the query was wrong.
func pageOf(a wasm.Answer) []byte {
	if a.Code < 0 {
		return nil
	}
	return a.Data
}

// digestOf is what a input holds of an answer.
func digestOf(answer []byte) string {
	sum := sha256.Sum256(answer)
	return hex.EncodeToString(sum[:16])
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
