package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/author"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/trace"
)

// authorCommands are for people who write plugins.
func authorCommands(p *program) []*cobra.Command {
	return []*cobra.Command{newCommand(p), checkCommand(p), testCommand(p), tryCommand(p), traceCommand(p),
		replayCommand(p)}
}

// authoring is a command on this user's host.
func (p *program) authoring(do func(ctx context.Context, h *host.Host, args []string) error) func(*cobra.Command,
	[]string) error {
	return func(cmd *cobra.Command, args []string) error {
		h, _, err := p.host()
		if err != nil {
			return err
		}
		defer h.Close(cmd.Context())
		return do(cmd.Context(), h, args)
	}
}

func newCommand(p *program) *cobra.Command {
	var lang string
	cmd := &cobra.Command{
		Use: "new NAME", Short: "create a small plugin that builds and runs", Args: exactly(1),
		Long: `new creates a plugin in the folder NAME that refuses lines with FIXME, with its manifest,
a test case and a build script.

Languages:
` + plugins.Languages(),
		Example: "  pushlane plugin new todo --lang go",
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := plugins.Begin(args[0], lang)
			for _, f := range files {
				fmt.Fprintln(p.out, filepath.Join(args[0], f))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "go", "`LANGUAGE` of the plugin")
	return cmd
}

func checkCommand(p *program) *cobra.Command {
	var with string
	cmd := &cobra.Command{
		Use: "check FILE.wasm", Short: "check that a module follows the contract", Args: exactly(1),
		Long: `check prints what a module requests and runs it as a host would: with an ordinary
request, the same again, unknown fields and operations, odd file names, nothing granted,
and a truncated request. Exit status 1: it does not follow the contract (sdk/ABI.md).`,
		RunE: p.authoring(func(ctx context.Context, h *host.Host, args []string) error {
			ok, err := h.Bench().CheckPlugin(ctx, p.out, args[0], with)
			if err == nil && !ok {
				p.exit = gate.ExitRefuse
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&with, "with", "", "settings of the lane, `JSON`")
	return cmd
}

func testCommand(p *program) *cobra.Command {
	var o author.CaseOptions
	var cases string
	cmd := &cobra.Command{
		Use: "test FILE.wasm", Short: "run the test cases of a plugin", Args: exactly(1),
		Long: `test runs every case of a folder in the sandbox and, with --native, as a native program
too. A case is a txtar file: TOML, then the files of the pushed tree below src/ and those
of the previous tree below base/. Files that the Nth commit has and the pushed tree does
not have are below commit/N/.

    verdict = "fail: 1 line is not ready"
    findings = ["a.go:1: error: FIXME [fixme]"]
    [[container]]           # result of a container whose id or command contains match
    match = "go test"
    exit = 1
    output = "FAIL"
    [[http]]                # response to a request whose address contains match
    match = "example.org"
    status = 200
    body = "{}"
    -- src/a.go --
    // FIXME

Keys: with, commits, container, http, verdict, findings, containers. Exit status 1: a case
has another result.`,
		Example: "  pushlane plugin test todo.wasm\n  pushlane plugin test todo.wasm --native 'go run .'",
		RunE: p.authoring(func(ctx context.Context, h *host.Host, args []string) error {
			ok, err := h.Bench().TestPlugin(ctx, p.out, args[0], cases, o)
			if err == nil && !ok {
				p.exit = gate.ExitRefuse
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&cases, "cases", "cases", "`FOLDER` of the cases")
	cmd.Flags().StringVar(&o.Native, "native", "",
		"`COMMAND` that runs the plugin as a native program, without a sandbox")
	return cmd
}

// attempt is a module tried on a real repository.
type attempt struct {
	span, with, build string
}

func (a *attempt) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.span, "range", "", "judge `A..B` instead of what a push would update")
	cmd.Flags().StringVar(&a.with, "with", "", "settings of the lane, `JSON`")
}

func (p *program) try(ctx context.Context, a attempt, file string, trace *trace.Tracer) error {
	h, _, err := p.host()
	if err != nil {
		return err
	}
	defer h.Close(ctx)
	call := p.call("manual")
	call.Range, call.Trace = a.span, trace
	p.exit, err = h.TryPlugin(ctx, call, file, a.with, p.output())
	return err
}

func tryCommand(p *program) *cobra.Command {
	var a attempt
	var watch bool
	cmd := &cobra.Command{
		Use: "run FILE.wasm", Short: "run a plugin on a real repository, with real containers", Args: exactly(1),
		Long: `run judges what a push of the current branch would update, or the range given, with this
module as the only lane. The lane grants everything that the module requests and this
host's policy allows. A module without a manifest is packed with the manifest.toml next to
it. An unsigned module runs even if the policy requires signatures.

With --watch it runs again after every change of the module; with --build it runs the
build command after every change of another file in the module's folder.`,
		Example: "  pushlane plugin run todo.wasm --range HEAD~5..HEAD\n  pushlane plugin run plugin.wasm --watch --build " +
			"./build.sh",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !watch {
				return p.try(cmd.Context(), a, args[0], nil)
			}
			return p.watch(cmd.Context(), a, args[0])
		},
	}
	a.flags(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "run again after every change, until interrupted")
	cmd.Flags().StringVar(&a.build, "build", "", "`COMMAND` that builds the module, run in its folder")
	return cmd
}

// watch tries the module after every change.
func (p *program) watch(ctx context.Context, a attempt, file string) error {
	folder := filepath.Dir(file)
	for sources, module := "", ""; ; {
		if now := newest(folder, file); a.build != "" && now != sources {
			cmd := exec.CommandContext(ctx, "sh", "-c", a.build)
			cmd.Dir, cmd.Stdout, cmd.Stderr = folder, p.err, p.err
			if err := cmd.Run(); err != nil {
				fmt.Fprintf(p.err, "pushlane: error: cannot build: %v\n", err)
			}
			sources = newest(folder, file) // what the build itself wrote is not a change
		}
		if now := stamp(file); now != module && now != "" {
			module = now
			if err := p.try(ctx, a, file, nil); err != nil {
				problem.Write(p.err, err)
			}
			fmt.Fprintf(p.err, "pushlane: waiting for a change of %s\n", folder)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func stamp(file string) string {
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	return info.ModTime().String()
}

// newest says which source next to the module changed last.
func newest(folder, module string) string {
	last := ""
	_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case d.IsDir() && path != folder && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" ||
			d.Name() == "target"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Clean(path) == filepath.Clean(module) || strings.HasSuffix(path, ".wasm") ||
			strings.HasSuffix(path, ".o"):
			return nil
		}
		if info, err := d.Info(); err == nil {
			last = max(last, info.ModTime().UTC().Format(time.RFC3339Nano)+" "+path)
		}
		return nil
	})
	return last
}

func traceCommand(p *program) *cobra.Command {
	var a attempt
	var out string
	cmd := &cobra.Command{
		Use: "trace FILE.wasm", Short: "run a plugin and record its input and output", Args: exactly(1),
		Long: `trace does the same as run and records the request, every call of the host with its
response, and the output of the plugin. "pushlane plugin replay" repeats the run on any
machine. A trace contains everything that the plugin read from the repository.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Create(out)
			if err != nil {
				return wrongUse(err)
			}
			defer f.Close()
			t := trace.New(f)
			err = p.try(cmd.Context(), a, args[0], t)
			if closed := t.Close(); err == nil {
				err = closed
			}
			if err == nil {
				fmt.Fprintf(p.err, "pushlane: repeat it with: pushlane plugin replay %s\n", out)
			}
			return err
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "plugin.trace", "write the trace to `FILE`")
	return cmd
}

func replayCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "replay TRACE [FILE.wasm]", Short: "repeat a recorded run bit for bit, without Incus and repository",
		Args: between(1, 2),
		Long: `replay runs the traced module again with the recorded responses and reports whether its
output is the same. With FILE.wasm it runs that module instead, for example a fixed
version of the plugin. Exit status 1: something differs from the trace.`,
		RunE: p.authoring(func(ctx context.Context, h *host.Host, args []string) error {
			other := ""
			if len(args) == 2 {
				other = args[1]
			}
			same, err := h.Replay(ctx, p.out, args[0], other)
			if err == nil && !same {
				p.exit = gate.ExitRefuse
			}
			return err
		}),
	}
}

// between is cobra.RangeArgs with our exit status.
func between(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < low || len(args) > high {
			return wrongUse(fmt.Errorf("%s takes %d to %d arguments, got %d", cmd.CommandPath(), low, high, len(args)))
		}
		return nil
	}
}
