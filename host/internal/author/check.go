package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// CheckPlugin prints what a module is and asks for, and holds it to the
// contract (sdk/ABI.md): what it does with an ordinary request, with one that
// says more than today's hosts say, with an odd one, with none. It reports
// whether the module keeps the contract.
func (b Bench) CheckPlugin(ctx context.Context, w io.Writer, file, text string) (bool, error) {
	with, err := WithJSON(text)
	if err != nil {
		return false, err
	}
	a, err := b.authored(ctx, file)
	if err != nil {
		return false, err
	}
	if err := a.plugin.CheckWith(with); err != nil {
		return false, problem.WithHint(err, "pass settings that its schema accepts: --with JSON")
	}
	a.describe(w)
	c := conformance{ctx: ctx, subject: a, with: with, w: w}
	for _, check := range []func(){c.ordinary, c.same, c.grease, c.nothing, c.oddPaths, c.denied, c.cut} {
		check()
	}
	if c.faults == 0 {
		fmt.Fprintf(w, "ok    %s follows the contract, ABI %d\n", a.plugin.Manifest().Name, sdk.ABI)
	}
	return c.faults == 0, nil
}

func (a subject) describe(w io.Writer) {
	m, f := a.plugin.Manifest(), a.plugin.Facts()
	fmt.Fprintf(w, "%s %s, sha256 %s\n", m.Name, printable.Clean(m.Version), a.plugin.Digest())
	fmt.Fprintf(w, "abi %d, output %s, input %s\n", m.ABI, m.Output, inputWords(m))
	fmt.Fprintf(w, "%d functions, starts with %.1f MiB of memory (at most %d MiB), imports %s\n", f.Functions,
		float64(f.MinMemory)/(1<<20), config.PluginMemory>>20, strings.Join(f.Imports, ", "))
	plugins.WriteAsks(w, plugins.Granted(m))
}

func inputWords(m sdk.Manifest) string {
	switch {
	case m.Tool != nil:
		return "only files: it is a tool"
	case m.Input == nil:
		return "the whole request (list what it needs in `input`, so that its results can be cached)"
	case len(m.Input) == 0:
		return "only settings and files"
	}
	return strings.Join(m.Input, ", ")
}

// conformance is one module under the checks of the contract.
type conformance struct {
	ctx     context.Context
	subject subject
	with    []byte
	w       io.Writer
	faults  int
	first   tried // of the ordinary request
}

func (c *conformance) try(t trial) tried {
	t.policy = c.subject.policy
	return t.run(c.ctx, c.subject.plugin.Manifest(), c.subject.plugin.Run)
}

func (c *conformance) result(what string, fault string, more ...string) {
	if fault == "" {
		fmt.Fprintf(c.w, "ok    %s%s\n", what, strings.Join(more, ""))
		return
	}
	c.faults++
	fmt.Fprintf(c.w, "FAIL  %s: %s\n", what, fault)
}

func (c *conformance) usual() trial {
	src := memTree{"README.md": {data: []byte("# Hello\n")}, "src/a.go": {data: []byte("package a\n\nfunc A() {}\n")},
		"empty": {}, "run.sh": {data: []byte("#!/bin/sh\nexit 0\n"), mode: 0o755}}
	base := memTree{"README.md": {data: []byte("# Hallo\n")}, "gone.txt": {data: []byte("gone\n")}}
	return trialOf(c.subject.plugin.Manifest(), src, base, c.with)
}

func (c *conformance) ordinary() {
	c.first = c.try(c.usual())
	c.result("an ordinary request", c.first.cause(),
		fmt.Sprintf(": exit %d, %d findings, %d calls, %s", c.first.exit, len(c.first.said.Findings), c.first.rounds,
			c.first.used))
}

func (c *conformance) same() {
	if fault := c.differs(c.try(c.usual())); fault != "" {
		c.result("the same request again", fault)
		return
	}
	c.result("the same request again", "", fmt.Sprintf(": the same output and the same work (%d units of fuel)",
		c.first.used.Fuel))
}

func (c *conformance) differs(again tried) string {
	switch {
	case again.cause() != c.first.cause():
		return fmt.Sprintf("%s, before: %s", orWell(again.cause()), orWell(c.first.cause()))
	case again.exit != c.first.exit || !bytes.Equal(again.stdout, c.first.stdout):
		return "its output differs"
	}
	return ""
}

func orWell(cause string) string {
	if cause == "" {
		return "it succeeds"
	}
	return cause
}

// grease adds keys that no host sends today, so that no plugin depends on their
// absence.
func (c *conformance) grease() {
	t := c.usual()
	t.shape = greased
	c.result("a request with unknown fields, operations and capabilities", c.differs(c.try(t)))
}

func greased(request []byte) ([]byte, error) {
	var r map[string]any
	dec := json.NewDecoder(bytes.NewReader(request))
	dec.UseNumber()
	if err := dec.Decode(&r); err != nil {
		return nil, err
	}
	with := r["with"]
	r = greaseValue(r).(map[string]any)
	r["with"] = with // the plugin's own
	for key, more := range map[string]string{"ops": "grease.later@7", "granted": "grease.later"} {
		list, _ := r[key].([]any)
		r[key] = append(list, more)
	}
	return json.Marshal(r)
}

// greaseValue puts unknown keys of every kind of value into every object.
func greaseValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, one := range v {
			v[key] = greaseValue(one)
		}
		v["grease"] = map[string]any{"nested": []any{1, "two", nil, true, map[string]any{"\"quoted\"\n": "\u2028 \\ \x01"}},
			"number": json.Number("-1.5e300")}
		v["grease_text"] = "]}\",\\"
		v["grease_null"] = nil
	case []any:
		for i := range v {
			v[i] = greaseValue(v[i])
		}
	}
	return v
}

func (c *conformance) nothing() {
	t := trialOf(c.subject.plugin.Manifest(), nil, nil, c.with)
	c.result("a push that changes nothing", c.try(t).cause())
}

// oddPaths are names that trees can hold and few programs expect.
func (c *conformance) oddPaths() {
	src := memTree{"\xff\xfe.txt": {data: []byte("x\n")}, "a \"b\"\n.txt": {data: []byte("x\n")},
		"ünï/ç\u202e.md": {data: []byte("x\n")},
		"-rf":            {data: []byte("x\n")}, "link": {data: []byte("/etc/passwd"), mode: fs.ModeSymlink},
		strings.Repeat("long/", 200) + "x": {data: []byte("x\n")},
		"binary":                           {data: bytes.Repeat([]byte{0, 0xff, '\n'}, 100)},
		"crlf.txt":                         {data: []byte("a\r\nb")}}
	t := trialOf(c.subject.plugin.Manifest(), src, nil, c.with)
	t.changes = append(t.changes, sdk.Change{Path: "zz-module", Status: "A", Mode: "160000",
		NewID: strings.Repeat("3", 40)})
	if t.request.Changes != nil {
		t.request.Changes = t.changes
	}
	c.result("names that are not UTF-8, links, submodules, long paths", c.try(t).cause())
}

// denied: without its capabilities it may not pass as if it had looked, nor
// fall over.
func (c *conformance) denied() {
	t := c.usual()
	t.src, t.base, t.changes = nil, nil, nil
	t.request.Granted, t.request.Ops, t.request.Commits = []string{}, nil, nil
	t.request.Changes = t.request.Changes[:0]
	got := c.try(t)
	var trap *wasm.TrapError
	if errors.As(got.err, &trap) && strings.HasPrefix(trap.Cause, "exit status") || errors.As(got.err, new(*notGranted)) {
		got.err = nil // it says that it cannot decide, or asks and is refused
	}
	c.result("nothing granted", got.cause())
}

// cut: an unreadable request must not pass.
func (c *conformance) cut() {
	if c.subject.plugin.Manifest().Tool != nil {
		return
	}
	t := c.usual()
	t.shape = func(whole []byte) ([]byte, error) { return whole[:len(whole)/2], nil }
	got := c.try(t)
	if got.err == nil {
		c.result("a truncated request", fmt.Sprintf("it exits with %d, as if it had been judged; want 2 or above", got.exit))
		return
	}
	c.result("a truncated request", "", ": broken, as required")
}
