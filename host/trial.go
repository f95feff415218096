package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// trial is a plugin run outside a push: over files of memory, with containers
// that end as was written down.
type trial struct {
	request    sdk.Request
	changes    []sdk.Change // between the trees; the request holds them only where the plugin wants them handed
	src, base  memTree
	past       []sdk.Change      // of the commits; nil: the plugin may not see it
	blobs      map[string][]byte // contents by their ids
	containers []scripted
	raw        []byte // standard input in place of the request; nil: the request
	millis     int64  // of wall time; 0: a minute
}

// scripted is how a container ends that a plugin asks for.
type scripted struct {
	Match  string `toml:"match"` // stands in its id or its command; empty: in any
	Exit   int    `toml:"exit"`
	Output string `toml:"output"`
}

// tried is what came of a trial.
type tried struct {
	said   answer
	exit   int
	stdout []byte
	log    string
	used   wasm.Usage // of the last call
	rounds int
	asked  []sdk.Container
	err    error // it broke, or was stopped
}

// runner runs one call of a plugin: in the sandbox, or natively.
type runner func(ctx context.Context, call wasm.Call) (wasm.Result, error)

func (t trial) run(ctx context.Context, m sdk.Manifest, run runner) tried {
	var done tried
	for range maxRounds {
		done.rounds++
		script := &script{trial: &t}
		var log bytes.Buffer
		call := wasm.Call{Stdin: t.raw, Stderr: &log, Out: wasm.NewOut(maxOut, maxOutFiles), Memory: pluginMemory, Fuel: usualFuel, MaxStdout: maxStdout, MaxStderr: maxStderr,
			World: &wasm.Local{Src: t.src, Base: t.base, Ops: script}}
		if call.Stdin == nil {
			call.Stdin = t.request.AppendJSON(nil)
		}
		if m.Tool != nil {
			if looks, err := toolCall(ctx, &call, m.Tool, t.changes); err != nil || !looks {
				done.err = err
				return done
			}
		}
		limited, cancel := context.WithTimeoutCause(ctx, t.limit(), errLaneTimeout)
		result, err := run(limited, call)
		cancel()
		done.exit, done.stdout, done.log, done.used, done.err = result.Exit, result.Stdout, log.String(), result.Used, err
		if err == nil {
			done.said, done.err = readAnswer(m.Output, result.Stdout, maxFindings)
		}
		done.asked = append(done.asked, script.asked...)
		if done.err != nil || len(done.said.containers) == 0 || done.exit != 0 {
			if done.err == nil {
				done.err = contradiction(done.said, done.exit)
			}
			return done
		}
		for _, c := range done.said.containers {
			done.asked = append(done.asked, c)
			t.request.Results = append(t.request.Results, t.result(c))
		}
	}
	done.err = fmt.Errorf("it asked for containers in %d rounds, no more are allowed", maxRounds)
	return done
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

// script answers lane1 with containers that have ended already.
type script struct {
	trial *trial
	mu    sync.Mutex
	asked []sdk.Container
}

// Call carries out an operation; see wasm.Ops.
func (s *script) Call(ctx context.Context, handles *wasm.Handles, op string, req []byte) ([]byte, error) {
	switch op {
	case opStart:
		c, err := sdk.ParseContainer(req)
		if err != nil {
			return nil, &wasm.OpError{Code: wasm.Invalid, Message: err.Error()}
		}
		s.mu.Lock()
		s.asked = append(s.asked, c)
		s.mu.Unlock()
		r := s.trial.result(c)
		j := &job{cancel: func() {}, changed: make(chan struct{})}
		for line := range strings.Lines(r.Tail) {
			j.line(strings.TrimRight(line, "\n"))
		}
		j.end(r, nil)
		return addHandle(handles, j)
	case opResult:
		return withHandle(handles, req, "container", (*job).answer)
	case opLog:
		return withHandle(handles, req, "container", func(j *job) ([]byte, error) { return addHandle(handles, &jobLog{job: j}) })
	case opChanges:
		return s.list(ctx, req, s.trial.changes)
	case opHistory:
		return s.list(ctx, req, s.trial.past)
	case opBlobs:
		return s.trial.readBlobs(ctx, handles, req)
	}
	return nil, &wasm.OpError{Code: wasm.Unsupported, Message: "no such operation: " + Clean(op)}
}

func (s *script) list(ctx context.Context, req []byte, all []sdk.Change) ([]byte, error) {
	return listChanges(req, len(all), func(i int) (sdk.Change, bool, error) { return all[i], true, nil }, &toil{ctx: ctx})
}

// author is a module that its author works on, loaded in a sandbox of its own.
type author struct {
	pool   *sandbox.Pool
	plugin *sandbox.Plugin
}

// authored loads a module file.
func (h *Host) authored(ctx context.Context, file string) (author, error) {
	module, err := os.ReadFile(file)
	if err != nil {
		return author{}, usageError{fmt.Errorf("cannot read plugin: %w", err)}
	}
	pool, err := h.sandbox()
	if err != nil {
		return author{}, err
	}
	m, err := pool.Load(ctx, strings.TrimSuffix(filepath.Base(file), ".wasm"), module)
	return author{pool, m}, err
}

// trialOf is a trial of a usual request over two trees.
func trialOf(m sdk.Manifest, src, base memTree, with []byte) trial {
	t := trial{src: src, base: base, changes: []sdk.Change{}}
	var names []string
	for _, c := range m.Capabilities {
		names = append(names, c.Name)
	}
	r := sdk.Request{ABI: sdk.ABI, Run: "trial@0000000:trial", Lane: "trial", Repository: "trial", Gate: "manual",
		Update: sdk.Update{Ref: "refs/heads/main", Old: strings.Repeat("1", 40), New: strings.Repeat("2", 40), Base: strings.Repeat("1", 40)},
		With:   with, Granted: names, Ops: []string{opStart, opResult, opLog, opChanges, opBlobs},
		Limits: sdk.Limits{Memory: pluginMemory, Millis: 60_000, Log: maxStderr, Findings: maxFindings, Out: maxOut, Fuel: usualFuel}}
	if slices.Contains(names, "repo.read") {
		t.changes = changesBetween(base, src)
	}
	t.blobs = blobsOf(src, base)
	t.request = r.Seen(m)
	if wants(m, "changes") {
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
			all = append(all, sdk.Change{Path: name, Status: "M", Mode: modeOf(f), OldID: fakeID(old.data), NewID: fakeID(f.data)})
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

// fakeID stands for a blob's id: equal for equal content.
func fakeID(data []byte) string { return wasm.Digest(data)[:40] }

// toolChanged is the argument that stands for the changed files.
const toolChanged = "{changed}"

// toolCall makes the call one of a program that knows nothing of requests;
// false: there is no file for it to look at.
func toolCall(ctx context.Context, c *wasm.Call, tool *sdk.Tool, changes []sdk.Change) (looks bool, err error) {
	var files []string
	set := parseGlobs(tool.Files)
	for _, change := range changes {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		regular := change.Mode == "100644" || change.Mode == "100755"
		if regular && (set == nil || slices.ContainsFunc(set, func(g lanes.Glob) bool { return g.Match(change.Path) })) {
			files = append(files, "/src/"+change.Path)
		}
	}
	c.Stdin, c.Fails = nil, tool.Fail
	for _, arg := range tool.Args {
		if arg == toolChanged {
			c.Args = append(c.Args, files...)
		} else {
			c.Args = append(c.Args, arg)
		}
	}
	return len(files) > 0 || !slices.Contains(tool.Args, toolChanged) && len(tool.Files) == 0, nil
}

// cause is the first line of what broke.
func (t tried) cause() string {
	if t.err == nil {
		return ""
	}
	var trap *wasm.TrapError
	if errors.As(t.err, &trap) && len(trap.Said) > 0 {
		return firstLine(CleanText(t.err.Error())) + ": " + Clean(trap.Said[0])
	}
	return firstLine(CleanText(t.err.Error()))
}
