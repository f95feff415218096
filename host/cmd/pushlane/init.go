package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pushlane/pushlane/host/internal/detect"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/lanes"
)

func initCommand(p *program) *cobra.Command {
	var langs []string
	var dry, yes bool
	cmd := &cobra.Command{
		Use: "init", Short: "write a first .pushlane/lanes.toml that fits the repository", Args: exactly(0),
		Long: `init looks at the working tree for projects (go.mod, package.json, pyproject.toml,
Cargo.toml, pom.xml, build.gradle, Gemfile, flake.nix, a Makefile with a target test or
check) and writes a lane that runs the tests of each: with an image of the version that
the project names, the network and the cache that its package manager needs. It prints
what it chose and why. On a terminal it asks before it writes.`,
		Example: "  pushlane init --dry-run\n  pushlane init --lang go,node",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, lang := range langs {
				if !slices.Contains(detect.Langs(), lang) {
					return hintedUse(fmt.Errorf("cannot look for %q: it is not a language that init knows", lang),
						"choose from: "+strings.Join(detect.Langs(), ", "))
				}
			}
			top, err := gate.Top(cmd.Context(), p.call("manual"))
			if err != nil {
				return err
			}
			if err := noLanesYet(top); err != nil && !dry {
				return err
			}
			return p.writeFirst(cmd.Context(), top, langs, dry, yes)
		},
	}
	cmd.Flags().StringSliceVar(&langs, "lang", nil,
		"look for projects of `LANGUAGES` only: "+strings.Join(detect.Langs(), ", "))
	cmd.Flags().BoolVar(&dry, "dry-run", false, "print the file and write nothing")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func noLanesYet(top string) error {
	for _, name := range gate.LanesFiles {
		if _, err := os.Stat(filepath.Join(top, name)); err == nil {
			return hintedUse(fmt.Errorf("cannot write lanes: %s already exists", name),
				"print what init would write: pushlane init --dry-run")
		}
	}
	return nil
}

// writeFirst looks at the tree, says what it found and writes the lanes file.
func (p *program) writeFirst(ctx context.Context, top string, langs []string, dry, yes bool) error {
	tree, err := os.OpenRoot(top)
	if err != nil {
		return fmt.Errorf("cannot look at the repository: %w", err)
	}
	defer tree.Close()
	found, err := detect.Look(tree.FS(), langs...)
	if err != nil {
		return fmt.Errorf("cannot look at the repository: %w", err)
	}
	text := detect.Lanes(found, func(manager string) []string { return packageHosts(ctx, manager) })
	set, err := lanes.Load(gate.LanesFiles[0], text)
	if err != nil {
		return err
	}
	p.sayFound(found)
	if dry {
		_, err := p.out.Write(text)
		return err
	}
	if !yes && !p.agrees("write "+gate.LanesFiles[0]+"?") {
		fmt.Fprintln(p.err, "pushlane: nothing was written")
		return nil
	}
	if err := writeLanes(top, text); err != nil {
		return err
	}
	var ids []string
	for _, l := range set.Lanes {
		ids = append(ids, l.ID)
	}
	fmt.Fprintf(p.out, "wrote %s: %s (%s)\n", gate.LanesFiles[0], count(len(ids), "lane"), strings.Join(ids, ", "))
	fmt.Fprintf(p.out, "try it: pushlane run\nnext: git add %s && git commit -m \"lanes\" && pushlane install\n",
		gate.LanesFiles[0])
	return nil
}

func writeLanes(top string, text []byte) error {
	name := filepath.Join(top, gate.LanesFiles[0])
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err == nil {
			_, err = f.Write(text)
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write lanes: %w", err)
	}
	return nil
}

// sayFound prints what was chosen for each project, and why.
func (p *program) sayFound(found detect.Found) {
	for _, one := range found.Projects {
		where := "."
		if one.Dir != "" {
			where = one.Dir
		}
		fmt.Fprintf(p.err, "found %s in %s (%s)\n", one.Lang, printable.Clean(where),
			printable.Clean(strings.Join(one.Why, "; ")))
		if one.Image != "" {
			fmt.Fprintf(p.err, "  image: %s\n", printable.Clean(one.Image))
		}
		if len(one.Run) > 0 {
			fmt.Fprintf(p.err, "  runs: %s\n", printable.Clean(strings.Join(one.Run, "; ")))
		}
	}
	if found.More > 0 {
		fmt.Fprintf(p.err, "left out: %s more; copy a lane for each\n", count(found.More, "project"))
	}
	if len(found.Projects) == 0 {
		fmt.Fprintln(p.err, "found no project with tests: the lanes check files and commits; add one that runs yours")
	}
	for _, o := range found.Others {
		if o.Tool != "" {
			fmt.Fprintf(p.err, "found %s: take its checks over with: pushlane import %s %s\n", o.File, o.Tool, o.File)
		} else {
			fmt.Fprintf(p.err, "found %s: it stays as it is\n", o.File)
		}
	}
}

// agrees asks on a terminal; elsewhere the answer is yes.
func (p *program) agrees(question string) bool {
	in, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) || !p.terminal.Live {
		return true
	}
	fmt.Fprintf(p.err, "%s [Y/n] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	return err == nil && slices.Contains([]string{"", "y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
}

// askTime is how long a tool has to say what it is set to.
const askTime = 5 * time.Second

// packageHosts is from where a package manager has its packages, as it is set up on
// this machine; none where it does not say.
func packageHosts(ctx context.Context, manager string) []string {
	var hosts []string
	for _, q := range detect.Questions(manager) {
		limited, cancel := context.WithTimeout(ctx, askTime)
		cmd := exec.CommandContext(limited, q.Command[0], q.Command[1:]...)
		cmd.Dir = "/" // the repository's own settings are not followed
		cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local")
		answer, err := cmd.Output()
		cancel()
		if err == nil {
			hosts = append(hosts, detect.HostsOf(string(answer))...)
		}
	}
	return hosts
}
