package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/console"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/web/api"
)

func artifactCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "artifact", Short: "list and fetch the files that lanes stored",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(artifactListCommand(p), artifactGetCommand(p))
	return cmd
}

// someArtifacts are those that a command means, and how the content of one is
// read.
type someArtifacts struct {
	run   int64
	files []runjson.Artifact
	read  func(ctx context.Context, a runjson.Artifact, w io.Writer) error
}

// artifacts finds those of RUN, RUN:LANE or RUN LANE, here or with --url.
func (p *program) artifacts(cmd *cobra.Command, there *away, args []string, do func(someArtifacts) error) error {
	which, lane, _ := strings.Cut(append(args, "last")[0], ":")
	if len(args) > 1 {
		lane = args[1]
	}
	done, err := there.withRun(cmd.Context(), p, which, func(c api.Client, repo string, number int64) error {
		run, err := c.Run(cmd.Context(), repo, number)
		if err != nil {
			return err
		}
		some, err := pickArtifacts(run, lane)
		some.read = func(ctx context.Context, a runjson.Artifact, w io.Writer) error {
			return c.Artifact(ctx, repo, number, a, w)
		}
		if err != nil {
			return err
		}
		return do(some)
	})
	if done {
		return err
	}
	return p.withHost(cmd, func(h *host.Host) error {
		run, err := console.WholeRun(cmd.Context(), h, p.call("manual"), which)
		if err != nil {
			return err
		}
		some, err := pickArtifacts(run, lane)
		some.read = func(_ context.Context, a runjson.Artifact, w io.Writer) error { return copyFile(w, a.Path) }
		if err != nil {
			return err
		}
		return do(some)
	})
}

// pickArtifacts are those of a run's newest attempts, or of one lane.
func pickArtifacts(run runjson.Run, lane string) (someArtifacts, error) {
	some := someArtifacts{run: run.Number}
	known := lane == ""
	for _, l := range run.Newest() {
		known = known || l.Lane == lane
		if lane == "" || l.Lane == lane {
			some.files = append(some.files, l.Stored()...)
		}
	}
	if !known {
		return some, hintedUse(fmt.Errorf("cannot find artifacts: run #%d has no lane %q", run.Number, printable.Clean(lane)),
			fmt.Sprintf("see its lanes with: pushlane show %d", run.Number))
	}
	return some, nil
}

func copyFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it was removed")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func oneOrTwo(cmd *cobra.Command, args []string) error {
	if len(args) > 2 {
		return wrongUse(fmt.Errorf("%s takes a run and a lane, got %d arguments", cmd.CommandPath(), len(args)))
	}
	return nil
}

func artifactListCommand(p *program) *cobra.Command {
	var there away
	var asJSON bool
	cmd := &cobra.Command{
		Use: "ls [RUN [LANE]]", Short: "list the artifacts of a run; default: the last run", Args: oneOrTwo,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.artifacts(cmd, &there, args, func(some someArtifacts) error {
				if asJSON {
					return p.printJSON(some.files)
				}
				for _, a := range some.files {
					fmt.Fprintf(p.out, "%s  %s  %s\n", printable.Clean(a.Lane), printable.Bytes(a.Size), printable.Clean(a.Shown()))
				}
				if len(some.files) == 0 {
					fmt.Fprintf(p.err, "run #%d stored no artifacts\n", some.run)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	there.flags(cmd)
	return cmd
}

func artifactGetCommand(p *program) *cobra.Command {
	var there away
	var dir, glob string
	cmd := &cobra.Command{
		Use: "get [RUN [LANE]]", Short: "copy the artifacts of a run into a folder", Args: oneOrTwo,
		Example: "  pushlane artifact get 12 test\n  pushlane artifact get last --name '*.xml' -o out",
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := path.Match(glob, ""); err != nil {
				return wrongUse(fmt.Errorf("cannot read --name: %q is not a pattern", glob))
			}
			return p.artifacts(cmd, &there, args, func(some someArtifacts) error {
				if dir == "" {
					dir = fmt.Sprintf("artifacts-%d", some.run)
				}
				return p.fetchArtifacts(cmd.Context(), some, dir, glob)
			})
		},
	}
	cmd.Flags().StringVarP(&dir, "output", "o", "", "write below `DIR`; default: artifacts-RUN")
	cmd.Flags().StringVar(&glob, "name", "*", "only files whose name, without folders, matches `PATTERN`")
	there.flags(cmd)
	return cmd
}

// fetchArtifacts writes DIR/LANE/NAME for each. Names come from containers: none
// leads out of the folder, and no file is overwritten.
func (p *program) fetchArtifacts(ctx context.Context, some someArtifacts, dir, glob string) error {
	n := 0
	for _, a := range some.files {
		if ok, _ := path.Match(glob, path.Base(a.Shown())); !ok {
			continue
		}
		if n++; n == 1 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("cannot write artifacts: %w", err)
			}
		}
		if err := fetchArtifact(ctx, some, dir, a); err != nil {
			err = fmt.Errorf("cannot get artifact %s of lane %s: %w", printable.Clean(a.Shown()), printable.Clean(a.Lane), err)
			if errors.Is(err, fs.ErrExist) {
				return hintedUse(err, fmt.Sprintf("write elsewhere: pushlane artifact get %d -o DIR", some.run))
			}
			return err
		}
		fmt.Fprintln(p.out, filepath.Join(dir, a.Folder(), a.Shown()))
	}
	if n == 0 {
		return hintedUse(fmt.Errorf("cannot get artifacts: run #%d stored none that match", some.run),
			fmt.Sprintf("see them with: pushlane artifact ls %d", some.run))
	}
	return nil
}

func fetchArtifact(ctx context.Context, some someArtifacts, dir string, a runjson.Artifact) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name := filepath.Join(a.Folder(), a.Shown())
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(some.read(ctx, a, f), f.Close()); err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return nil
}
