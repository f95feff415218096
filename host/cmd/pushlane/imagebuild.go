package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/images"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
)

// buildTime is how long the images of one command may take.
const buildTime = 2 * time.Hour

func imageBuildCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "build [NAME...]", Short: "build the images whose recipes are in the lanes file",
		Long: `build makes the images of [image.NAME] in the lanes file, all of them or those named, as
far as that was not done before. Every step is an image of its own, named by all that
went into it: a changed last step does not repeat the first. Files are those of HEAD.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), buildTime)
			defer cancel()
			lock, err := plugins.OpenLock(ctx, p.call("manual"))
			if err != nil {
				return err
			}
			set, err := p.lanesBeside(lock)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = slices.Sorted(maps.Keys(set.Images))
			}
			repo, err := hooks.Open(ctx, p.call("manual").HooksEnv())
			if err != nil {
				return err
			}
			defer repo.Close()
			return p.withImages(ctx, func(all *images.Images) error {
				for _, name := range args {
					if err := p.buildImage(ctx, all, builder{repo, set, lock}, name); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// builder is what recipes are made of.
type builder struct {
	repo *hooks.Repo
	set  *lanes.Set
	lock plugins.LockFile
}

func (p *program) buildImage(ctx context.Context, all *images.Images, from builder, name string) error {
	recipe, ok := from.set.Images[name]
	if !ok {
		return hintedUse(fmt.Errorf("cannot build image %q: the lanes file has no [image.%s]", printable.Clean(name),
			printable.Clean(name)), "recipes there are: "+strings.Join(slices.Sorted(maps.Keys(from.set.Images)), ", "))
	}
	deadline, _ := ctx.Deadline()
	need := p.need(false)
	began := time.Now()
	found, err := all.Make(ctx, images.Build{Recipe: recipe, Recipes: from.set.Images, Deadline: deadline,
		Zone: zone.Zone{Repository: from.repo.CommonDir(), Trust: zone.Local}, Out: cleaned{p.err},
		Base: func(ctx context.Context, text string) (string, error) {
			return all.Base(ctx, text, from.lock.Lock, need)
		},
		Files: func(ctx context.Context, patterns []string) (images.Source, error) {
			t, err := from.repo.Tree(ctx, "HEAD")
			if err != nil {
				return nil, err
			}
			return t.Only(ctx, images.Matching(patterns))
		}}, need)
	if err != nil {
		return err
	}
	how := "already here"
	if found.Pulled {
		how = "built in " + time.Since(began).Round(100*time.Millisecond).String()
	}
	fmt.Fprintf(p.out, "%s %s: %s\n", name, found.Fingerprint[:12], how)
	return nil
}

// cleaned writes the output of steps, without what would change a terminal.
type cleaned struct{ w io.Writer }

func (c cleaned) Write(data []byte) (int, error) {
	_, err := io.WriteString(c.w, printable.CleanText(string(data)))
	return len(data), err
}
