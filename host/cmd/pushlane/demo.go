package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/doctor"
	"github.com/pushlane/pushlane/host/internal/hookclient"
)

func demoCommand(p *program) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use: "demo", Short: "demonstrate pushlane on a temporary repository", Args: exactly(0),
		Long: `demo creates a temporary repository with a real remote, installs the hooks and pushes
four times: a good change, a bad one, one whose tests fail in a container, and the fix.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "pushlane-demo-")
			if err != nil {
				return fmt.Errorf("cannot create a temporary folder: %w", err)
			}
			if !keep {
				defer os.RemoveAll(dir)
			}
			d := demo{p: p, dir: filepath.Join(dir, "shop")}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the temporary repository")
	return cmd
}

// demo is one demonstration: every push is a real `git push` through real hooks.
type demo struct {
	p          *program
	dir        string // the work tree; its remote is next to it
	containers bool
}

const demoLanes = `version = 1

[[lane]]
id = "files"              # Wasm alone: conflict markers and private keys
plugin = "files"
`

const demoTestLane = `
[[lane]]
id = "test"               # the project's tests, in a throw-away container
plugin = "shell"
paths = ["*.sh"]
[lane.with]
image = "busybox"
run = "sh test.sh"
[lane.grant]
container = true
`

const (
	demoPrice    = "price() { echo $(( $1 * $2 )); }\n"
	demoBroken   = "price() { echo $(( $1 + $2 )); }\n"
	demoConflict = "<<<<<<< HEAD\nOpen from 9 to 5.\n=======\nOpen from 8 to 4.\n>>>>>>> hours\n"
	demoTest     = ". ./price.sh\ngot=$(price 3 4)\nif [ \"$got\" != 12 ]; then\n  echo \"test.sh:2: error: price 3 4: " +
		"got $got, want 12\" >&2\n  exit 1\nfi\necho \"ok price\"\n"
)

func (d *demo) run(ctx context.Context) error {
	if err := d.setUp(ctx); err != nil {
		return err
	}
	steps := []struct {
		say, file, text, message string
		accept, container        bool
	}{
		{"A good change: every lane passes, and the push is accepted.", "price.sh", demoPrice, "Add prices", true, false},
		{"A forgotten merge conflict: the lane files refuses, without a container.", "hours.txt", demoConflict,
			"Merge opening hours", false, false},
		{"A bug: the tests fail in a throw-away Incus container.", "price.sh", demoBroken, "Speed up prices", false, true},
		{"The fix: the push is accepted.", "price.sh", demoPrice + "total() { price \"$@\"; }\n", "Add totals", true, false},
	}
	for n, s := range steps {
		if s.container && !d.containers {
			continue
		}
		fmt.Fprintf(d.p.out, "\n%d. %s\n", n+1, s.say)
		if err := d.step(ctx, s.file, s.text, s.message, s.accept); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.p.out,
		"\nEvery run is recorded; list them in a repository with: pushlane runs\nNext: pushlane init && pushlane install\n")
	return nil
}

// setUp makes the repository, its remote and the hooks.
func (d *demo) setUp(ctx context.Context) error {
	d.containers = d.canRunContainers(ctx)
	text := demoLanes
	if d.containers {
		text += demoTestLane
	}
	remote := filepath.Join(filepath.Dir(d.dir), "shop.git")
	if err := d.git(ctx, "", io.Discard, "init", "-q", "--bare", remote); err != nil {
		return err
	}
	if err := d.git(ctx, "", io.Discard, "init", "-q", "-b", "main", d.dir); err != nil {
		return err
	}
	for _, kv := range [][2]string{{"user.name", "Demo"}, {"user.email", "demo@example.org"},
		{"commit.gpgsign", "false"}} {
		if err := d.git(ctx, d.dir, io.Discard, "config", kv[0], kv[1]); err != nil {
			return err
		}
	}
	if err := d.git(ctx, d.dir, io.Discard, "remote", "add", "origin", remote); err != nil {
		return err
	}
	for name, data := range map[string]string{".pushlane/lanes.toml": text, "test.sh": demoTest} {
		if err := d.write(name, data); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.p.out, "A temporary repository with these lanes (.pushlane/lanes.toml):\n\n%s\n", indentText(text))
	bin, err := hookClient()
	if err != nil {
		return err
	}
	fmt.Fprintln(d.p.out, "$ pushlane install")
	lines, err := hooks.Install(ctx, hooks.Env{Dir: d.dir, Getenv: d.p.getenv},
		hooks.InstallOptions{Gates: []string{"pre-push"}, Bin: bin, Args: hookclient.Args(bin)})
	d.p.lines(lines)
	return err
}

// canRunContainers reports whether Incus works here; if not, it prints which
// part of the demo is left out.
func (d *demo) canRunContainers(ctx context.Context) bool {
	for _, check := range doctor.Incus(ctx, d.p.getenv, "busybox") {
		if !check.OK {
			fmt.Fprintf(d.p.out, "Without the lane that needs a container (%s: %s).\n", check.Name, check.Message)
			if check.Hint != "" {
				fmt.Fprintf(d.p.out, "To include it: %s\n", check.Hint)
			}
			return false
		}
	}
	return true
}

// step commits one change and pushes it; a refused commit is reset.
func (d *demo) step(ctx context.Context, file, text, message string, accept bool) error {
	if err := d.write(file, text); err != nil {
		return err
	}
	if err := d.git(ctx, d.dir, io.Discard, "add", "-A"); err != nil {
		return err
	}
	if err := d.git(ctx, d.dir, io.Discard, "commit", "-q", "-m", message); err != nil {
		return err
	}
	fmt.Fprintf(d.p.out, "$ git push origin main    # %s\n", message)
	err := d.git(ctx, d.dir, d.p.err, "push", "-q", "origin", "main")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if pushed := err == nil; pushed != accept {
		return fmt.Errorf("cannot show the demo: the push of %q should have been %s", message,
			map[bool]string{true: "accepted", false: "refused"}[accept])
	}
	if !accept {
		return d.git(ctx, d.dir, io.Discard, "reset", "-q", "--hard", "HEAD~1")
	}
	return nil
}

func (d *demo) write(name, text string) error {
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// git runs git; its error contains what git printed.
func (d *demo) git(ctx context.Context, dir string, stderr io.Writer, args ...string) error {
	var said strings.Builder
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = dir, cleanGit(d.p.env)
	cmd.Stderr = stderr
	if stderr == io.Discard {
		cmd.Stderr = &said
	}
	err := cmd.Run()
	if err != nil && said.Len() > 0 {
		return fmt.Errorf("cannot run git %s: %w", args[0],
			errors.Join(err, errors.New(strings.TrimSpace(said.String()))))
	}
	return err
}

// cleanGit keeps a surrounding git command's variables out of the demo.
func cleanGit(env []string) []string {
	var kept []string
	for _, pair := range env {
		if !strings.HasPrefix(pair, "GIT_") {
			kept = append(kept, pair)
		}
	}
	return kept
}

func indentText(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
}
