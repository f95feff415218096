// Package author has the tools for plugin authors: a test environment without a
// repository, test cases, and a check of the contract.
package author

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/trace"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/sdk"
)

// trial is a plugin run outside a push: over files of memory, with containers
// and requests that end as was written down.
type trial struct {
	request    sdk.Request
	changes    []sdk.Change // between the trees; the request has them only if the plugin's input lists them
	src, base  memTree
	past       []sdk.Change      // of the commits; nil: the plugin may not see it
	blobs      map[string][]byte // contents by their ids
	containers []scripted
	replies    []scriptedReply
	scopes     map[string][]string                  // of the capabilities that have one
	shape      func(request []byte) ([]byte, error) // makes standard input of the request; nil: it is that
	policy     config.Policy                        // of this host
	native     bool                                 // a native program, whose reads cannot be observed
	millis     int64                                // of wall time; 0: a minute
}

// scripted is how a container ends that a plugin asks for.
type scripted struct {
	Match  string `toml:"match"` // part of its id or its command; empty: any container
	Exit   int    `toml:"exit"`
	Output string `toml:"output"`
}

// scriptedReply is what a request over http gets that a plugin makes.
type scriptedReply struct {
	Match  string `toml:"match"` // part of its address; empty: any request
	Status int    `toml:"status"`
	Body   string `toml:"body"`
}

// tried is what came of a trial.
type tried struct {
	said   lanerun.Result
	exit   int
	stdout []byte
	log    string
	used   wasm.Usage // of the last call
	rounds int
	asked  []sdk.Container
	err    error // it broke, or was stopped
}

func (t trial) run(ctx context.Context, m sdk.Manifest, run trace.Runner) tried {
	var done tried
	state := &trialState{asked: map[string]bool{}, kept: map[string]string{}}
	for range config.MaxIterations {
		done.rounds++
		script := &script{trial: &t, manifest: m, state: state}
		goesOn := t.round(ctx, m, run, script, &done)
		done.asked = append(done.asked, script.asked...)
		if !goesOn {
			return done
		}
		if done.err = script.allow(done.said.Containers); done.err != nil {
			return done
		}
		for _, c := range done.said.Containers {
			done.asked = append(done.asked, c)
			t.request.Results = append(t.request.Results, t.result(c))
		}
	}
	done.err = fmt.Errorf("it asked for containers in %d rounds, no more are allowed", config.MaxIterations)
	return done
}

// round is one call of the plugin. It goes on where the call asked for
// containers by records.
func (t trial) round(ctx context.Context, m sdk.Manifest, run trace.Runner, script *script, done *tried) (goesOn bool) {
	var log bytes.Buffer
	call := config.PluginCall(config.DefaultFuel)
	call.Stdin, call.Stderr = t.request.AppendJSON(nil), &log
	call.World = &wasm.Local{Src: t.src, Base: t.base, Ops: script}
	if t.shape != nil {
		if call.Stdin, done.err = t.shape(call.Stdin); done.err != nil {
			return false
		}
	}
	var opened *lanerun.Opens
	if m.Tool != nil {
		if looks, err := lanerun.ToolCall(ctx, &call, m.Tool, t.changes); err != nil || !looks {
			done.err = err
			return false
		}
		if !t.native {
			opened = lanerun.OpensOf(m.Tool, &call)
		}
	}
	limited, cancel := context.WithTimeoutCause(ctx, t.limit(), lanerun.ErrLaneTimeout)
	defer cancel()
	result, err := run(limited, call)
	done.exit, done.stdout, done.used, done.err = result.Exit, result.Stdout, result.Used, err
	if err == nil {
		done.said, done.err = lanerun.ReadResult(m.Output, result.Stdout, config.MaxFindings)
	}
	done.log = log.String() + string(done.said.Talk)
	if done.err == nil {
		done.err = opened.Pass(done.exit)
	}
	if done.err == nil {
		done.err = lanerun.Contradiction(done.said, done.exit)
	}
	return done.err == nil && len(done.said.Containers) > 0 && done.exit == 0
}

func (t trial) limit() time.Duration {
	if t.millis == 0 {
		return time.Minute
	}
	return time.Duration(t.millis) * time.Millisecond
}

// result is how a container ends: as the first script that matches it says,
// else well and in silence.
func (t trial) result(c sdk.Container) sdk.Result {
	for _, s := range t.containers {
		if strings.Contains(c.ID+" "+strings.Join(c.Command, " "), s.Match) {
			return sdk.Result{ID: c.ID, Exit: s.Exit, Tail: s.Output, Millis: 1}
		}
	}
	return sdk.Result{ID: c.ID, Millis: 1}
}

// trialState is what the calls of one trial share.
type trialState struct {
	mu    sync.Mutex
	asked map[string]bool   // ids of containers
	kept  map[string]string // values of kv
}

// script answers lane1 as a host does, with containers and requests that have
// ended already.
type script struct {
	trial    *trial
	manifest sdk.Manifest
	state    *trialState
	asked    []sdk.Container
	held     atomic.Int64
}

func (s *script) can(name string) bool { return slices.Contains(s.trial.request.Granted, name) }

func (s *script) reaches(name, item string) bool {
	return s.can(name) && (slices.Contains(s.trial.scopes[name], item) || slices.Contains(s.trial.scopes[name], "*"))
}

// notGranted is a use of a capability that the manifest asks for and the trial
// does not grant.
type notGranted struct{ plugin, name string }

func (e *notGranted) Error() string {
	return fmt.Sprintf("plugin %q used capability %s, which was not granted", e.plugin, e.name)
}

// denied is the host's word for what was not granted.
func (s *script) denied(name string) error {
	if slices.ContainsFunc(s.manifest.Capabilities, func(c sdk.Capability) bool { return c.Name == name }) {
		return &notGranted{s.manifest.Name, name}
	}
	return fmt.Errorf("plugin %q used capability %s, which its manifest does not ask for", s.manifest.Name, name)
}

// allow checks requested containers as a host would: capabilities, ids, the form of
// each.
func (s *script) allow(asked []sdk.Container) error {
	policy := s.trial.policy
	limits := policy.ContainerLimits()
	limits.Networks = append([]string{"trial"}, limits.Networks...)
	for _, c := range asked {
		switch {
		case !s.can("container"):
			return s.denied("container")
		case c.Network && !s.can("container.network"):
			return s.denied("container.network")
		}
		for _, name := range lanerun.SecretNames(c) {
			if !s.reaches("secret", name) {
				return fmt.Errorf("plugin %q asks for the secret %q, which is not in its scope", s.manifest.Name,
					printable.Clean(name))
			}
		}
		if err := lanerun.ContainerFault(c, limits, zone.Zone{Repository: "/trial"}); err != nil {
			return err
		}
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return lanerun.TakeIDs(s.state.asked, asked, s.manifest.Name, policy.MaxContainers)
}

// Call carries out an operation; see wasm.Ops.
func (s *script) Call(ctx context.Context, handles *wasm.Handles, op string, req []byte) ([]byte, error) {
	switch op {
	case lanerun.OpStart:
		return s.start(handles, req)
	case lanerun.OpResult:
		return lanerun.WithHandle(handles, req, "container", (*lanerun.Job).Answer)
	case lanerun.OpLog:
		return lanerun.WithHandle(handles, req, "container",
			func(j *lanerun.Job) ([]byte, error) { return lanerun.AddHandle(handles, &lanerun.JobLog{Job: j}) })
	case lanerun.OpChanges:
		if !s.can("repo.read") {
			return nil, refusedOp(s.denied("repo.read"))
		}
		return s.list(ctx, req, s.trial.changes)
	case lanerun.OpHistory:
		if !s.can("repo.read") || !s.can("repo.history") {
			return nil, refusedOp(s.denied("repo.history"))
		}
		return s.list(ctx, req, s.trial.past)
	case lanerun.OpBlobs:
		if !s.can("repo.read") {
			return nil, refusedOp(s.denied("repo.read"))
		}
		return s.trial.readBlobs(ctx, handles, req)
	case lanerun.OpGet, lanerun.OpSet:
		return s.keep(op, req)
	case lanerun.OpRequest:
		return s.send(handles, req)
	case lanerun.OpResponse:
		return lanerun.WithHandle(handles, req, "request", (*lanerun.PendingRequest).Response)
	case lanerun.OpInfo:
		r := s.trial.request
		return json.Marshal(map[string]any{"abi": sdk.ABI, "ops": r.Ops, "granted": r.Granted, "limits": r.Limits})
	}
	return nil, &wasm.OpError{Code: wasm.Unsupported, Message: "no such operation: " + printable.Clean(op)}
}

func (s *script) list(ctx context.Context, req []byte, all []sdk.Change) ([]byte, error) {
	return lanerun.ListChanges(req, len(all), func(i int) (sdk.Change, bool, error) { return all[i], true, nil },
		&lanerun.Toil{Ctx: ctx})
}

func refusedOp(err error) error {
	var wrong *wasm.OpError
	if errors.As(err, &wrong) {
		return err
	}
	return &wasm.OpError{Code: wasm.Denied, Message: err.Error(), Hint: problem.Hint(err)}
}

func (s *script) start(handles *wasm.Handles, req []byte) ([]byte, error) {
	c, err := sdk.ParseContainer(req)
	if err != nil {
		return nil, lanerun.Invalid("%s", err)
	}
	if err := s.allow([]sdk.Container{c}); err != nil {
		return nil, refusedOp(err)
	}
	s.state.mu.Lock()
	s.asked = append(s.asked, c)
	s.state.mu.Unlock()
	r := s.trial.result(c)
	j := &lanerun.Job{Cancel: func() {}, Changed: make(chan struct{})}
	for line := range strings.Lines(r.Tail) {
		j.Line(strings.TrimRight(line, "\n"))
	}
	j.End(r, nil)
	return lanerun.AddHandle(handles, j)
}

// keep is kv in memory: it outlives the calls of a trial and not the trial.
func (s *script) keep(op string, req []byte) ([]byte, error) {
	if !s.can("kv") {
		return nil, refusedOp(s.denied("kv"))
	}
	r, err := lanerun.ParseKept(req)
	if err != nil {
		return nil, err
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	value, known := s.state.kept[r.Name]
	switch {
	case op == lanerun.OpGet && known:
		return json.Marshal(map[string]string{"value": value})
	case op == lanerun.OpGet:
	case r.Value == nil:
		delete(s.state.kept, r.Name)
	case !known && len(s.state.kept) == store.MaxValues:
		return nil, &wasm.OpError{Code: wasm.TooMany, Message: fmt.Sprintf("a plugin stores at most %d values",
			store.MaxValues)}
	default:
		s.state.kept[r.Name] = *r.Value
	}
	return []byte(`{}`), nil
}

// send answers a request as was written down; one that was not gets none.
func (s *script) send(handles *wasm.Handles, req []byte) ([]byte, error) {
	var a lanerun.HTTPRequest
	if err := json.Unmarshal(req, &a); err != nil {
		return nil, lanerun.Invalid("%s", err)
	}
	u, err := a.Address()
	switch {
	case err != nil:
		return nil, err
	case !s.can("http"):
		return nil, refusedOp(s.denied("http"))
	case !s.reaches("http", u.Host) && !s.reaches("http", u.Hostname()):
		return nil, refusedOp(fmt.Errorf("plugin %q sends a request to %s, which is not in its scope", s.manifest.Name,
			printable.Clean(u.Host)))
	}
	e := &lanerun.PendingRequest{Cancel: func() {}, Done: make(chan struct{}), Held: &s.held}
	e.End(s.trial.reply(a.URL))
	return lanerun.AddHandle(handles, e)
}

func (t trial) reply(address string) (*lanerun.HTTPResponse, error) {
	for _, r := range t.replies {
		if strings.Contains(address, r.Match) {
			return &lanerun.HTTPResponse{Status: cmp.Or(r.Status, 200), Headers: map[string]string{}, Body: r.Body}, nil
		}
	}
	return nil, fmt.Errorf("no [[http]] of the case matches %s", printable.Clean(address))
}

// subject is a module under development, loaded in its own sandbox.
type subject struct {
	pool   *sandbox.Pool
	plugin *sandbox.Plugin
	policy config.Policy
}

// Bench is where an author tries a module: the sandbox and the policy of this
// host.
type Bench struct {
	Sandbox func() (*sandbox.Pool, error)
	Policy  config.Policy
}

// authored loads a module file.
func (b Bench) authored(ctx context.Context, file string) (subject, error) {
	module, err := ReadModule(file)
	if err != nil {
		return subject{}, problem.Usage(fmt.Errorf("cannot read plugin: %w", err))
	}
	pool, err := b.Sandbox()
	if err != nil {
		return subject{}, err
	}
	m, err := pool.Load(ctx, strings.TrimSuffix(filepath.Base(file), ".wasm"), module)
	return subject{pool, m, b.Policy}, err
}

// trialOf is a trial of a usual request over two trees.
func trialOf(m sdk.Manifest, src, base memTree, with []byte) trial {
	t := trial{src: src, base: base, changes: []sdk.Change{}, scopes: map[string][]string{}}
	var names []string
	for _, c := range m.Capabilities {
		names = append(names, c.Name)
		t.scopes[c.Name] = c.Scope
	}
	granted := func(name string) bool { return slices.Contains(names, name) }
	r := sdk.Request{ABI: sdk.ABI, Run: "trial@0000000:trial", Lane: "trial", Repository: "trial", Gate: "manual",
		Update: sdk.Update{Ref: "refs/heads/main", Old: strings.Repeat("1", 40), New: strings.Repeat("2", 40),
			Base: strings.Repeat("1", 40)},
		With: with, Granted: names, Ops: lanerun.OfferedTo(granted),
		Limits: config.PluginLimits(time.Minute, config.DefaultFuel)}
	if granted("repo.read") {
		t.changes = changesBetween(base, src)
	}
	t.blobs = blobsOf(src, base)
	t.request = r.Seen(m)
	if lanerun.Wants(m.For(with), "changes") {
		t.request.Changes = t.changes
	}
	return t
}

func changesBetween(base, src memTree) []sdk.Change {
	all := []sdk.Change{}
	for name, f := range src {
		old, known := base[name]
		switch {
		case !known:
			all = append(all, sdk.Change{Path: name, Status: "A", Mode: modeOf(f), NewID: fakeID(f.data)})
		case !bytes.Equal(old.data, f.data) || old.mode != f.mode:
			all = append(all, sdk.Change{Path: name, Status: "M", Mode: modeOf(f), OldID: fakeID(old.data),
				NewID: fakeID(f.data)})
		}
	}
	for name, f := range base {
		if _, stays := src[name]; !stays {
			all = append(all, sdk.Change{Path: name, Status: "D", OldID: fakeID(f.data)})
		}
	}
	slices.SortFunc(all, func(a, b sdk.Change) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func modeOf(f memFile) string {
	switch {
	case f.mode&fs.ModeSymlink != 0:
		return "120000"
	case f.mode&0o111 != 0:
		return "100755"
	}
	return "100644"
}

// fakeID replaces a blob's id: equal for equal content.
func fakeID(data []byte) string { return wasm.Digest(data)[:40] }

// cause is the first line of what broke.
func (t tried) cause() string {
	if t.err == nil {
		return ""
	}
	return printable.FirstLine(printable.CleanText(t.err.Error()))
}

// ReadModule reads a module as its author has it: one without a manifest is
// packed with the manifest.toml next to it.
func ReadModule(file string) ([]byte, error) {
	module, err := os.ReadFile(file)
	if err != nil || wasm.HasManifest(module) {
		return module, err
	}
	manifest, err := os.ReadFile(filepath.Join(filepath.Dir(file), ManifestBeside))
	if errors.Is(err, fs.ErrNotExist) {
		return module, nil // which loading refuses
	}
	if err != nil {
		return nil, err
	}
	return plugins.Pack(module, manifest)
}

// ManifestBeside is the manifest of a module that was just built.
const ManifestBeside = "manifest.toml"
