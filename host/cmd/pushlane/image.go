package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/images"
	"github.com/pushlane/pushlane/host/internal/oci"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

func imageCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "image", Short: "pull, build, pin and remove the images that lanes run in",
		Long: `image brings images of OCI registries to this host's Incus, so that a lane can name them:

  [lane.with]
  image = "docker.io/library/node:22"

A lane pulls an image that is missing when it is first needed, where the policy allows
it (images.names, images.pull). Credentials are those of docker and podman.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return wrongUse(fmt.Errorf("unknown command %q of pushlane image", args[0]))
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	cmd.AddCommand(imageAddCommand(p), imageBuildCommand(p), imagePinCommand(p), imageListCommand(p), imageShowCommand(p),
		imageRemoveCommand(p), imagePruneCommand(p))
	return cmd
}

// withImages opens the images of this host's Incus.
func (p *program) withImages(ctx context.Context, do func(*images.Images) error) (err error) {
	policy, err := config.Load(p.getenv)
	if err != nil {
		return err
	}
	all, err := images.Connect(ctx, host.IncusConfig(policy), policy)
	if err != nil {
		return err
	}
	defer func() {
		if failed := all.Close(); err == nil {
			err = failed
		}
	}()
	return do(all)
}

// atLeastOne takes one argument or more, with our exit status.
func atLeastOne(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return hintedUse(fmt.Errorf("%s takes the names of images, got none", cmd.CommandPath()),
			"see: "+cmd.CommandPath()+" --help")
	}
	return nil
}

// imagesToPin are the images of the arguments, or those that the lanes name.
func (p *program) imagesToPin(all *images.Images, lock plugins.LockFile, args []string) ([]oci.Name, error) {
	texts := args
	if len(texts) == 0 {
		set, err := p.lanesBeside(lock)
		if err != nil {
			return nil, err
		}
		texts = all.Named(set)
	}
	var names []oci.Name
	for _, text := range texts {
		n, err := imageName(all, text)
		if err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, nil
}

// lanesBeside are the lanes that the lock is for, as they are in the work tree.
func (p *program) lanesBeside(lock plugins.LockFile) (*lanes.Set, error) {
	name := p.config
	if name == "" {
		name = filepath.Join(filepath.Dir(lock.Path), "lanes.toml")
	}
	data, err := bounded.ReadFile(name, lanes.MaxFile)
	if err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot read the lanes: %w", err),
			"name the images: pushlane image pin docker.io/library/node:22")
	}
	return lanes.Load(filepath.Base(name), data)
}

// imageName reads the name of an image in a registry.
func imageName(all *images.Images, text string) (oci.Name, error) {
	n, named, err := all.Name(text)
	if err == nil && !named {
		_, err = oci.Parse(text)
	}
	if err != nil {
		return n, problem.Usage(err)
	}
	return n, nil
}

func imageAddCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "add NAME...", Short: "pull images from registries", Args: atLeastOne,
		Long: `add looks up what a name stands for now, and pulls it if this host does not have it.
Only content that is missing is pulled and sent to Incus.`,
		Example: "  pushlane image add docker.io/library/node:22 ghcr.io/acme/tools:1",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withImages(cmd.Context(), func(all *images.Images) error {
				for _, text := range args {
					if err := p.addImage(cmd.Context(), all, text); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func (p *program) addImage(ctx context.Context, all *images.Images, text string) error {
	n, err := imageName(all, text)
	if err != nil {
		return err
	}
	began := time.Now()
	found, err := all.Get(ctx, n, p.need(true))
	if err != nil {
		return err
	}
	how := "already here"
	if found.Pulled {
		how = "added in " + time.Since(began).Round(100*time.Millisecond).String()
	}
	fmt.Fprintf(p.out, "%s %s: %s\n", printable.Clean(n.Tagged()), found.Digest, how)
	return nil
}

// need is how images are asked for by a user who watches.
func (p *program) need(fresh bool) images.Need {
	bar := &pullProgress{p: p}
	return images.Need{Fresh: fresh, Progress: bar.moved, Said: bar.said}
}

func imagePinCommand(p *program) *cobra.Command {
	var update bool
	cmd := &cobra.Command{
		Use: "pin [NAME...]", Short: "write what images stand for to lanes.lock",
		Long: `pin writes the digest that each image of the lanes file, or each NAME, stands for to
lanes.lock, so that every machine runs the same content. Lanes then use that content,
whatever becomes of the tag. A pinned image stays as it is; --update looks its tag up
again, and says what changed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			lock, err := plugins.OpenLock(cmd.Context(), p.call("manual"))
			if err != nil {
				return err
			}
			return p.withImages(cmd.Context(), func(all *images.Images) error {
				names, err := p.imagesToPin(all, lock, args)
				if err != nil {
					return err
				}
				for _, n := range names {
					if err := p.pinImage(cmd.Context(), all, lock, n, update); err != nil {
						return err
					}
				}
				return lock.Save()
			})
		},
	}
	cmd.Flags().BoolVar(&update, "update", false, "look up tags that are pinned already, too")
	return cmd
}

func (p *program) pinImage(ctx context.Context, all *images.Images, lock plugins.LockFile, n oci.Name,
	update bool) error {
	was := lock.Image(n.Tagged())
	if was != "" && !update {
		fmt.Fprintf(p.out, "%s stays %s\n", printable.Clean(n.Tagged()), was)
		return nil
	}
	now, err := all.Registry.Resolve(ctx, oci.Name{Registry: n.Registry, Repository: n.Repository, Tag: n.Tag})
	if err != nil {
		return err
	}
	lock.PinImage(lanes.LockedImage{Name: n.Tagged(), Digest: now})
	switch was {
	case "":
		fmt.Fprintf(p.out, "%s is %s\n", printable.Clean(n.Tagged()), now)
	case now:
		fmt.Fprintf(p.out, "%s stays %s\n", printable.Clean(n.Tagged()), was)
	default:
		fmt.Fprintf(p.out, "%s moved from %s to %s\n", printable.Clean(n.Tagged()), was, now)
	}
	return nil
}

func imageListCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the images of this host's Incus", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withImages(cmd.Context(), func(all *images.Images) error {
				list, err := all.List(cmd.Context())
				if err != nil {
					return err
				}
				t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "NAME\tFINGERPRINT\tMB\tADDED\tLAST USED")
				for _, s := range list {
					used := "never"
					if s.Used.After(s.Added) {
						used = s.Used.UTC().Format("2006-01-02")
					}
					fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", printable.Clean(s.Title()), s.Fingerprint[:12], s.Size/1_000_000,
						s.Added.UTC().Format("2006-01-02"), used)
				}
				return t.Flush()
			})
		},
	}
}

// storedImage is the one image that a text means.
func storedImage(ctx context.Context, all *images.Images, text string) (images.Stored, error) {
	list, err := all.List(ctx)
	if err != nil {
		return images.Stored{}, err
	}
	for _, s := range list {
		if s.Is(text) {
			return s, nil
		}
	}
	return images.Stored{}, hintedUse(fmt.Errorf("cannot find image %q: this host does not have it",
		printable.Clean(text)), "see which there are: pushlane image ls")
}

func imageShowCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "show an image: digests, size, environment, entry", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withImages(cmd.Context(), func(all *images.Images) error {
				s, err := storedImage(cmd.Context(), all, args[0])
				if err != nil {
					return err
				}
				return p.showImage(s)
			})
		},
	}
}

func (p *program) showImage(s images.Stored) error {
	row := func(key, value string) {
		if value != "" {
			fmt.Fprintf(p.out, "%-12s %s\n", key, printable.Clean(value))
		}
	}
	row("names", strings.Join(s.Names, ", "))
	row("digests", strings.Join(s.Digests, ", "))
	row("fingerprint", s.Fingerprint)
	row("size", fmt.Sprintf("%d MB", s.Size/1_000_000))
	row("added", s.Added.UTC().Format(time.RFC3339))
	run, err := s.Program()
	if err != nil || run == nil {
		return err
	}
	row("user", run.User)
	row("workdir", run.WorkingDir)
	row("entrypoint", fmt.Sprintf("%q", run.Entrypoint))
	row("command", fmt.Sprintf("%q", run.Cmd))
	for _, pair := range run.Env {
		row("env", pair)
	}
	return nil
}

func imageRemoveCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME...", Short: "remove images", Args: atLeastOne,
		Long: `rm removes images with all their names. Containers that were made of them go on. A lane
that needs one pulls it again, where it may.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withImages(cmd.Context(), func(all *images.Images) error {
				for _, text := range args {
					s, err := storedImage(cmd.Context(), all, text)
					if err != nil {
						return err
					}
					if err := all.Incus.Images().Delete(cmd.Context(), s.Fingerprint); err != nil {
						return err
					}
					fmt.Fprintf(p.out, "removed %s (%d MB)\n", printable.Clean(s.Title()), s.Size/1_000_000)
				}
				return nil
			})
		},
	}
}

func imagePruneCommand(p *program) *cobra.Command {
	var age time.Duration
	cmd := &cobra.Command{
		Use: "prune", Short: "remove images that pushlane pulled or built and no lane used lately", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if age < 0 {
				return wrongUse(fmt.Errorf("--older is %s, want a time such as 720h", age))
			}
			return p.withImages(cmd.Context(), func(all *images.Images) error {
				gone, layers, err := all.Prune(cmd.Context(), age)
				for _, s := range gone {
					fmt.Fprintf(p.out, "removed %s (%d MB)\n", printable.Clean(s.Title()), s.Size/1_000_000)
				}
				if err == nil {
					fmt.Fprintf(p.out, "%d images removed, %d MB of layers\n", len(gone), layers/1_000_000)
				}
				return err
			})
		},
	}
	cmd.Flags().DurationVar(&age, "older", 30*24*time.Hour, "remove images that no lane used for `TIME`")
	return cmd
}
