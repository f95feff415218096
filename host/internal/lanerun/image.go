package lanerun

import (
	"context"
	"errors"
	"fmt"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/images"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/oci"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
)

// image finds the image of a container that is named by a registry or a recipe,
// and pulls or builds it where it is missing and may be. The fingerprint is empty
// for an alias of Incus, which Incus itself looks up.
func (l *Lane) image(ctx context.Context, client *incus.Client, text string) (fingerprint string, err error) {
	all := images.New(client, l.policy())
	note := func(line string) { l.log.line('h', printable.Clean(line)) }
	found, err := l.findImage(ctx, all, text, images.Need{Said: note})
	if err != nil || found.Fingerprint == "" {
		return "", err
	}
	if found.Note != "" {
		note(found.Note)
	}
	l.rec.Event(ctx, l.i, l.lane().ID, "image", fmt.Sprintf("%s is %s", found.Name, found.Digest))
	return found.Fingerprint, nil
}

// findImage is an image that is not just an alias of Incus.
func (l *Lane) findImage(ctx context.Context, all *images.Images, text string, need images.Need) (images.Found, error) {
	if recipe, ok := l.recipes()[text]; ok {
		return all.Make(ctx, l.recipe(ctx, all, recipe, need), need)
	}
	n, named, err := l.imageName(ctx, all, text, true)
	if err != nil || !named {
		return images.Found{}, err
	}
	return l.getImage(ctx, all, n, need)
}

// recipes are those of the lanes file that judges.
func (l *Lane) recipes() map[string]lanes.Recipe {
	if set := l.Update().LanesFile.Set; set != nil {
		return set.Images
	}
	return nil
}

func (l *Lane) getImage(ctx context.Context, all *images.Images, n oci.Name, need images.Need) (images.Found, error) {
	if need.Pull = l.mayPull(n); l.looking {
		need.Pull = images.ErrMissing
	}
	return all.Get(ctx, n, need)
}

// recipe says how an image is built for this run: of the pushed files, in this
// run's zone.
func (l *Lane) recipe(ctx context.Context, all *images.Images, r lanes.Recipe, need images.Need) images.Build {
	deadline, _ := ctx.Deadline()
	out := l.follow('o', nil)
	b := images.Build{Recipe: r, Recipes: l.recipes(), Zone: l.Zone(), Deadline: deadline, Out: out,
		Refuse: l.mayBuild(r)}
	b.Base = func(ctx context.Context, from string) (string, error) {
		n, named, err := l.imageName(ctx, all, from, false)
		if err != nil {
			return "", err
		}
		if !named {
			return all.Incus.Images().Fingerprint(ctx, from, l.policy().IncusImages)
		}
		found, err := l.getImage(ctx, all, n, need)
		return found.Fingerprint, err
	}
	b.Files = func(ctx context.Context, patterns []string) (incus.Source, error) {
		t, err := l.repo.Tree(ctx, l.Update().New)
		if err != nil {
			return nil, err
		}
		return t.Only(ctx, images.Matching(patterns))
	}
	return b
}

// fingerprint is what a container's image is now, without any network.
func (l *Lane) fingerprint(ctx context.Context, client *incus.Client, text string) (string, error) {
	all := images.New(client, l.policy())
	found, err := l.lookedUp().findImage(ctx, all, text, images.Need{})
	if err != nil || found.Fingerprint != "" {
		return found.Fingerprint, err
	}
	return client.Images().Fingerprint(ctx, text, l.policy().IncusImages)
}

// imageName reads the name of an image, as it is pinned, if this lane may use it.
// A plugin's word for it counts less than that of the lanes file.
func (l *Lane) imageName(ctx context.Context, all *images.Images, text string, plugins bool) (oci.Name, bool, error) {
	n, named, err := all.Name(text)
	if err != nil || !named {
		return n, false, err
	}
	if err := l.mayUse(n, text, plugins); err != nil {
		return n, false, err
	}
	if n.Digest == "" {
		lock, err := l.Update().Lock(ctx, l.repo)
		if err != nil {
			return n, false, err
		}
		n.Digest = lock.Image(n.Tagged())
	}
	return n, true, nil
}

// mayUse: a registry hears the names that it is asked for, so a plugin cannot
// make up a name: it is written in the lane's settings, or in the policy.
func (l *Lane) mayUse(n oci.Name, text string, plugins bool) error {
	names := l.policy().ImageNames
	switch {
	case config.NamesImage(names, n.Path()):
		return nil
	case !config.AllowsImage(names, n.Path()):
		return problem.WithHint(fmt.Errorf("cannot use image %s: the policy of this host does not allow it", n),
			fmt.Sprintf("the host's owner may add %q to images.names in %s", n.Path(), l.j.Policy.File()))
	case plugins && !written(l.lane().With, text):
		return problem.WithHint(fmt.Errorf("cannot use image %s: plugin %q asks for it, and lane %q does not name it", n,
			l.lane().Plugin, l.lane().ID),
			fmt.Sprintf("write it in the lane's [lane.with], or have the host's owner add %q to images.names", n.Path()))
	}
	return nil
}

// written reports whether an image is named in a lane's settings, with any tag: a
// plugin may put that together, out of the axes of a matrix.
func written(v any, text string) bool {
	switch v := v.(type) {
	case string:
		return images.Untagged(v) == images.Untagged(text)
	case []any:
		for _, one := range v {
			if written(one, text) {
				return true
			}
		}
	case map[string]any:
		for _, one := range v {
			if written(one, text) {
				return true
			}
		}
	}
	return false
}

// mayPull says why an image that is missing is not pulled for this run; nil: it
// is.
func (l *Lane) mayPull(n oci.Name) error {
	var why error
	switch z := l.Zone(); {
	case l.policy().ImagePull != "push":
		why = errors.New("this host does not have it, and its policy pulls no images at a push")
	case l.policy().Lets("image", n.Path()):
		return nil
	case z.Trust != zone.Protected:
		why = errors.New("this host does not have it, and only runs of protected refs pull images")
	default:
		why = errors.New("this host does not have it, and no [[allow]] of its policy lets this lane pull it")
	}
	return problem.WithHint(fmt.Errorf("cannot use image %s: %w", n, why),
		"the host's owner brings it with: pushlane image add "+n.String())
}

// mayBuild says why a recipe's image is not built for this run; nil: it is.
func (l *Lane) mayBuild(r lanes.Recipe) error {
	var why error
	switch {
	case l.looking:
		return images.ErrMissing
	case l.policy().ImagePull != "push":
		why = errors.New("this host does not have it, and its policy builds no images at a push")
	case l.Zone().Trust == zone.Unprotected && !l.policy().Lets("image", r.From):
		why = errors.New("this host does not have it, and only runs of protected refs build images")
	default:
		return nil
	}
	return problem.WithHint(why, "the host's owner builds it with: pushlane image build "+r.Name)
}

// lookedUp is the lane run for questions that bring nothing here.
func (l *Lane) lookedUp() *Lane { return &Lane{access: l.access, looking: true} }
