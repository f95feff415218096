package trace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

// A trace is the input, the requests and the output of one call of a plugin:
// enough to repeat the call bit for bit on any machine. It is a gzip of JSON lines:
// the call, each request with its response, the end.

// traceLine is one line; the field that is set says which.
type traceLine struct {
	Call *tracedCall `json:"call,omitempty"`
	Ask  *tracedAsk  `json:"ask,omitempty"`
	End  *tracedEnd  `json:"end,omitempty"`
}

type tracedCall struct {
	Plugin string    `json:"plugin"`
	Digest string    `json:"sha256"`
	Module []byte    `json:"module"`
	Stdin  []byte    `json:"stdin"`
	Args   []string  `json:"args,omitempty"`
	Env    []string  `json:"env,omitempty"`
	Clock  time.Time `json:"clock,omitzero"`
	Fails  []int     `json:"fails,omitempty"`
}

type tracedAsk struct {
	Question []byte `json:"q"`
	Answer   []byte `json:"a,omitempty"`
	Broken   string `json:"broken,omitempty"` // what broke on the host's side
}

type tracedEnd struct {
	Exit   int    `json:"exit"`
	Stdout []byte `json:"stdout,omitempty"`
	Log    string `json:"log,omitempty"`
	Error  string `json:"error,omitempty"`
	Fuel   int64  `json:"fuel"`
	Calls  int64  `json:"calls"`
	Memory int64  `json:"memory"`
}

// Runner runs one call of a plugin: in the sandbox, or natively.
type Runner func(ctx context.Context, call wasm.Call) (wasm.Result, error)

// Tracer writes what calls of plugins do. It is safe for concurrent use by the
// calls of one run of one lane, which come one after the other.
type Tracer struct {
	mu  sync.Mutex
	z   *gzip.Writer
	enc *json.Encoder
	err error
}

// New begins a trace.
func New(w io.Writer) *Tracer {
	z := gzip.NewWriter(w)
	return &Tracer{z: z, enc: json.NewEncoder(z)}
}

func (t *Tracer) write(line traceLine) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = t.enc.Encode(line)
	}
}

// Close ends the trace.
func (t *Tracer) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.err, t.z.Close())
}

// Wrap runs a call and writes it down.
func (t *Tracer) Wrap(name string, module []byte, run Runner) Runner {
	return func(ctx context.Context, call wasm.Call) (wasm.Result, error) {
		t.write(traceLine{Call: &tracedCall{Plugin: name, Digest: wasm.Digest(module), Module: module, Stdin: call.Stdin,
			Args: call.Args, Env: call.Env, Clock: call.Clock, Fails: call.Fails}})
		log := &bytes.Buffer{}
		if call.Stderr != nil {
			call.Stderr = io.MultiWriter(call.Stderr, log)
		}
		call.World = &tracedWorld{World: call.World, to: t}
		result, err := run(ctx, call)
		t.write(traceLine{End: endOf(result, err, log.String())})
		return result, err
	}
}

func endOf(r wasm.Result, err error, log string) *tracedEnd {
	end := &tracedEnd{Exit: r.Exit, Stdout: r.Stdout, Log: log, Fuel: r.Used.Fuel, Calls: r.Used.Calls,
		Memory: r.Used.Memory}
	if err != nil {
		end.Error = withoutTimes(err.Error())
	}
	return end
}

// withoutTimes leaves out of an error what no two runs have alike.
func withoutTimes(text string) string {
	text, used, found := strings.Cut(text, "used: ")
	if _, rest, cut := strings.Cut(used, ", "); found && cut {
		return text + "used: " + rest
	}
	return text
}

type tracedWorld struct {
	wasm.World
	to *Tracer
}

// Ask passes a question on.
func (w *tracedWorld) Ask(ctx context.Context, q wasm.Question) (wasm.Answer, error) {
	a, err := w.World.Ask(ctx, q)
	line := &tracedAsk{}
	line.Question, _ = q.MarshalBinary()
	if err != nil {
		line.Broken = err.Error()
	} else {
		line.Answer, _ = a.MarshalBinary()
	}
	w.to.write(traceLine{Ask: line})
	return a, err
}

// maxTraceLine is the longest line of a trace, bytes: a module in base64.
const maxTraceLine = 128 << 20

// Loader loads modules for a replay: the host's sandbox.
type Loader interface {
	Load(ctx context.Context, name string, module []byte) (*sandbox.Plugin, error)
}

// Replay repeats every call of a trace and compares: with the module that was
// traced, or with another one, to see what it would have done. It prints what
// the plugin says, and reports whether everything was as before.
func Replay(ctx context.Context, modules Loader, w io.Writer, trace, other string) (bool, error) {
	f, err := os.Open(trace)
	if err != nil {
		return false, problem.Usage(fmt.Errorf("cannot replay: %w", err))
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return false, fmt.Errorf("cannot replay %s: it is not a trace: %w", trace, err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, maxTraceLine)
	r := replay{modules: modules, w: w, other: other, same: true}
	for lines.Scan() {
		var line traceLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return false, fmt.Errorf("cannot replay %s: it is not a trace: %w", trace, err)
		}
		if err := r.take(ctx, line); err != nil {
			return false, err
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("cannot replay %s: %w", trace, err)
	}
	return r.same && r.calls > 0, nil
}

// replay is one trace being repeated.
type replay struct {
	modules Loader
	w       io.Writer
	other   string // module file in place of the traced one
	call    *tracedCall
	asks    []tracedAsk
	calls   int
	same    bool
}

func (r *replay) take(ctx context.Context, line traceLine) error {
	switch {
	case line.Call != nil:
		r.call, r.asks = line.Call, nil
	case line.Ask != nil:
		r.asks = append(r.asks, *line.Ask)
	case line.End != nil && r.call != nil:
		return r.repeat(ctx, line.End)
	}
	return nil
}

func (r *replay) repeat(ctx context.Context, want *tracedEnd) error {
	r.calls++
	module := r.call.Module
	if r.other != "" {
		var err error
		if module, err = os.ReadFile(r.other); err != nil {
			return problem.Usage(fmt.Errorf("cannot replay: %w", err))
		}
	}
	m, err := r.modules.Load(ctx, r.call.Plugin, module)
	if err != nil {
		return err
	}
	var log bytes.Buffer
	world := &replayedWorld{asks: r.asks}
	call := config.PluginCall(0)
	call.Stdin, call.Args, call.Env, call.Clock = r.call.Stdin, r.call.Args, r.call.Env, r.call.Clock
	call.Fails, call.Stderr, call.World = r.call.Fails, &log, world
	result, err := m.Run(ctx, call)
	got := endOf(result, err, log.String())
	fmt.Fprintf(r.w, "call %d: exit %d, %d requests, %d units of fuel\n", r.calls, got.Exit, world.at, got.Fuel)
	fmt.Fprint(r.w, indentLines(printable.CleanText(string(got.Stdout))), indentLines(printable.CleanText(got.Log)))
	if got.Error != "" {
		fmt.Fprint(r.w, indentLines(printable.CleanText(got.Error)))
	}
	r.compare(world, got, want)
	return nil
}

func (r *replay) compare(world *replayedWorld, got, want *tracedEnd) {
	switch {
	case world.strayed != "":
		r.differs("it made another request: " + world.strayed)
	case world.at < len(r.asks):
		r.differs(fmt.Sprintf("it made %d requests, before %d", world.at, len(r.asks)))
	case got.Exit != want.Exit || !bytes.Equal(got.Stdout, want.Stdout) || got.Log != want.Log || got.Error != want.Error:
		r.differs("its output differs")
	case r.other == "" && (got.Fuel != want.Fuel || got.Calls != want.Calls || got.Memory != want.Memory):
		r.differs("it used another amount of work")
	default:
		fmt.Fprintln(r.w, "  the same as in the trace, bit for bit")
	}
}

func (r *replay) differs(how string) {
	r.same = false
	fmt.Fprintf(r.w, "  different from the trace: %s\n", how)
}

// replayedWorld gives the answers of a trace, as long as the questions are its.
type replayedWorld struct {
	asks    []tracedAsk
	at      int
	strayed string // the first question that the trace does not have here
}

var errStrayed = errors.New("the trace has no response to this")

// Ask answers the next question.
func (w *replayedWorld) Ask(_ context.Context, q wasm.Question) (wasm.Answer, error) {
	data, err := q.MarshalBinary()
	if err != nil {
		return wasm.Answer{}, err
	}
	if w.at >= len(w.asks) || !slices.Equal(w.asks[w.at].Question, data) {
		if w.strayed == "" {
			w.strayed = fmt.Sprintf("request %d: %s %q", w.at+1, q.Kind, printable.Clean(q.Name))
		}
		return wasm.Answer{}, errStrayed
	}
	one := w.asks[w.at]
	w.at++
	if one.Broken != "" {
		return wasm.Answer{}, errors.New(one.Broken)
	}
	var a wasm.Answer
	return a, a.UnmarshalBinary(one.Answer)
}

// Close does nothing: a replay holds no resources.
func (w *replayedWorld) Close() {}

func indentLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}
