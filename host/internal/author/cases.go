package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/tools/txtar"

	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/trace"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes/plaintext"
	"github.com/pushlane/pushlane/sdk"
)

// pluginCase is one test case of a plugin: a file in txtar's format. The text
// before its first file is TOML, the files below src/ are the pushed tree and
// those below base/ the previous one.
type pluginCase struct {
	With      map[string]any  `toml:"with"`
	Container []scripted      `toml:"container"`
	HTTP      []scriptedReply `toml:"http"`
	Commits   []string        `toml:"commits"` // messages, oldest first
	// pass (where left out), fail, skip or broken; "fail: words" also compares the reason
	Verdict string `toml:"verdict"`
	// "path:line:col: level: message [rule]", in order; where left out they are not compared
	Findings   []string `toml:"findings"`
	Containers []string `toml:"containers"` // commands that were asked for, in order; where left out they are not compared

	name      string
	src, base memTree
	past      map[int]memTree // files of new commits, by the commit's number
}

// CaseOptions say how cases are run.
type CaseOptions struct {
	Native string // command that runs the plugin natively, through sh: "go run ."; empty: as Wasm alone
}

// TestPlugin runs every case of a folder and prints what differs. It reports
// whether all were as declared.
func (b Bench) TestPlugin(ctx context.Context, w io.Writer, file, folder string, o CaseOptions) (bool, error) {
	cases, err := readCases(folder)
	if err != nil {
		return false, err
	}
	a, err := b.authored(ctx, file)
	if err != nil {
		return false, err
	}
	ways := map[string]trace.Runner{"wasm": a.plugin.Run}
	if o.Native != "" {
		ways["native"] = native(o.Native)
	}
	bad := 0
	for _, c := range cases {
		for _, way := range []string{"native", "wasm"} {
			if ways[way] == nil {
				continue
			}
			faults := c.run(ctx, a, ways[way], way == "wasm")
			if len(faults) == 0 {
				fmt.Fprintf(w, "ok    %s (%s)\n", c.name, way)
				continue
			}
			bad++
			fmt.Fprintf(w, "FAIL  %s (%s)\n%s", c.name, way, strings.Join(faults, ""))
		}
	}
	return bad == 0, nil
}

func readCases(folder string) ([]pluginCase, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err == nil && len(files) == 0 {
		err = problem.WithHint(problem.Usage(fmt.Errorf("cannot test plugin: there are no cases in %s", folder)),
			"a case is a file of the form cases/NAME.txtar; see: pushlane plugin test --help")
	}
	var all []pluginCase
	for _, file := range files {
		c, err := readCase(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read case %s: %w", file, err)
		}
		all = append(all, c)
	}
	return all, err
}

func readCase(file string) (pluginCase, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return pluginCase{}, err
	}
	c := pluginCase{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), src: memTree{}, base: memTree{},
		past: map[int]memTree{}}
	head, err := plaintext.Of(archive.Comment)
	if err != nil {
		return c, err
	}
	dec := toml.NewDecoder(bytes.NewReader(head)).DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) {
			return c, fmt.Errorf("unknown key %q", strings.Join(strict.Errors[0].Key(), "."))
		}
		return c, err
	}
	for _, f := range archive.Files {
		tree, name, found := strings.Cut(f.Name, "/")
		if n, path, is := caseCommit(name); is && tree == "commit" {
			if c.past[n] == nil {
				c.past[n] = memTree{}
			}
			c.past[n][path] = memFile{data: f.Data}
			continue
		}
		into := map[string]memTree{"src": c.src, "base": c.base}[tree]
		if !found || into == nil {
			return c, fmt.Errorf("file %q is neither below src/ nor below base/ nor below commit/NUMBER/", f.Name)
		}
		into[name] = memFile{data: f.Data}
	}
	return c, nil
}

// run gives what differs from what was declared.
func (c pluginCase) run(ctx context.Context, a subject, run trace.Runner, sandboxed bool) []string {
	m := a.plugin.Manifest()
	with, err := plugins.SettingsJSON(c.With)
	if err == nil {
		err = a.plugin.CheckWith(with)
	}
	if err != nil {
		return []string{fmt.Sprintf("      settings: %v\n", err)}
	}
	t := trialOf(m, c.src, c.base, with)
	if !sandboxed { // a program of this machine can ask the host for nothing
		t.request.Changes = t.changes
	}
	if t.passed(c.past, m); !sandboxed {
		t.request.History = t.past
	}
	for i, message := range c.Commits {
		commit := sdk.Commit{ID: commitID(i + 1), Author: "A <a@example.org>", Message: message}
		t.request.Commits = append(t.request.Commits, commit)
	}
	t.containers, t.replies, t.native, t.policy = c.Container, c.HTTP, !sandboxed, a.policy
	return c.compare(t.run(ctx, m, run))
}

func (c pluginCase) compare(got tried) (faults []string) {
	want, is := c.Verdict, got.verdict()
	if want == "" {
		want = "pass"
	}
	if !strings.Contains(want, ": ") {
		is, _, _ = strings.Cut(is, ": ")
	}
	if is != want {
		faults = append(faults, fmt.Sprintf("      verdict: got %s, want %s\n", got.verdict(), want))
		if got.err != nil {
			faults = append(faults, "      "+printable.Indent(printable.CleanText(got.err.Error()))+"\n")
		}
	}
	var findings, containers []string
	for _, f := range got.said.Findings {
		findings = append(findings, caseFinding(f))
	}
	for _, asked := range got.asked {
		containers = append(containers, strings.Join(asked.Command, " "))
	}
	faults = append(faults, different("finding", findings, c.Findings)...)
	return append(faults, different("container", containers, c.Containers)...)
}

// verdict is how it ended, and why.
func (t tried) verdict() string {
	word := "pass"
	switch {
	case t.err != nil:
		return "broken: " + t.cause()
	case t.exit != 0:
		word = "fail"
	case t.said.Verdict == "skip":
		word = "skip"
	}
	if t.said.Reason != "" {
		word += ": " + t.said.Reason
	}
	return word
}

func caseFinding(f sdk.Finding) string {
	var b strings.Builder
	if f.Path != "" {
		b.WriteString(f.Path + ":")
		for _, n := range []int{f.Line, f.Col} {
			if n > 0 {
				fmt.Fprintf(&b, "%d:", n)
			}
		}
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, "%s: %s", f.Level, f.Message)
	if f.Rule != "" {
		fmt.Fprintf(&b, " [%s]", f.Rule)
	}
	return b.String()
}

// different lists what is missing and what is unexpected; nil means that nothing is
// compared.
func different(what string, got, want []string) (faults []string) {
	if want == nil || slices.Equal(got, want) {
		return nil
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			faults = append(faults, fmt.Sprintf("      %s unexpected: %s\n", what, printable.Clean(g)))
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			faults = append(faults, fmt.Sprintf("      %s missing:    %s\n", what, w))
		}
	}
	if len(faults) == 0 {
		faults = append(faults, fmt.Sprintf("      %ss in another order: %s\n", what, strings.Join(got, "; ")))
	}
	return faults
}

// native runs a plugin as a program of this machine, over real folders that
// PUSHLANE_SRC, PUSHLANE_BASE and PUSHLANE_HISTORY name, as the Go SDK does in a dry run. It has
// no sandbox: it is its author's own.
func native(command string) trace.Runner {
	return func(ctx context.Context, call wasm.Call) (wasm.Result, error) {
		dir, err := os.MkdirTemp("", "pushlane-case-")
		if err != nil {
			return wasm.Result{}, err
		}
		defer os.RemoveAll(dir)
		local := call.World.(*wasm.Local)
		if s, ok := local.Ops.(*script); ok {
			if err := s.trial.writeBlobs(filepath.Join(dir, "history")); err != nil {
				return wasm.Result{}, err
			}
		}
		for name, tree := range map[string]any{"src": local.Src, "base": local.Base} {
			if files, ok := tree.(memTree); ok {
				if err := files.write(filepath.Join(dir, name)); err != nil {
					return wasm.Result{}, err
				}
			}
		}
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Env = append(os.Environ(), "PUSHLANE_SRC="+filepath.Join(dir, "src"), "PUSHLANE_BASE="+filepath.Join(dir, "base"),
			"PUSHLANE_HISTORY="+filepath.Join(dir, "history"), "PUSHLANE_OUT="+filepath.Join(dir, "out"), "LANE_ABI=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(call.Stdin), &out, call.Stderr
		err = cmd.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			err = nil
		}
		if err != nil {
			err = fmt.Errorf("cannot run %s: %w", command, err)
		}
		return wasm.Result{Exit: cmd.ProcessState.ExitCode(), Stdout: out.Bytes()}, err
	}
}

// WithJSON reads settings that were given as JSON.
func WithJSON(text string) ([]byte, error) {
	if text == "" {
		text = "{}"
	}
	if !json.Valid([]byte(text)) {
		return nil, problem.Usage(fmt.Errorf("cannot read settings: %q is not JSON", text))
	}
	return []byte(text), nil
}

func writeBelow(dir, name string, f memFile) error {
	at := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.WriteFile(at, f.data, 0o644|f.mode.Perm())
}
