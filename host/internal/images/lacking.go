package images

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/oci"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/lanes"
)

// Looked is what this host has of an image that a lane names.
type Looked struct {
	Lane, Image string
	Fingerprint string // "" where it is not here
	Err         error  // why it is not here, with a hint; nil: it is, or is brought when it is needed
	Later       string // what brings it when it is needed
}

// Look says of every image that lanes name in their settings whether it is here.
// Nothing is pulled or built for that.
func (i *Images) Look(ctx context.Context, set *lanes.Set, lock *lanes.Lock) []Looked {
	var all []Looked
	for _, lane := range set.Lanes {
		for _, text := range imageTexts("", lane.With) {
			// A text with such a sign is put together by the plugin.
			if strings.ContainsAny(text, "${}<> ") || slices.ContainsFunc(all, func(l Looked) bool { return l.Image == text }) {
				continue
			}
			looked := Looked{Lane: lane.ID, Image: text}
			if _, recipe := set.Images[text]; recipe {
				looked.Later = "built by its recipe"
			} else {
				i.look(ctx, lock, &looked)
			}
			all = append(all, looked)
		}
	}
	return all
}

func (i *Images) look(ctx context.Context, lock *lanes.Lock, l *Looked) {
	n, named, err := i.Name(l.Image)
	if err == nil && !named {
		l.Fingerprint, err = i.Incus.Images().Fingerprint(ctx, l.Image, i.Policy.IncusImages)
	}
	if err != nil || !named {
		l.Err = err
		return
	}
	if n.Digest == "" {
		n.Digest = lock.Image(n.Tagged())
	}
	found, err := i.Find(ctx, n)
	l.Fingerprint, l.Err = found.Fingerprint, err
	if errors.Is(err, ErrMissing) {
		l.Err = i.later(n, l)
	}
}

// later says what brings an image that is missing.
func (i *Images) later(n oci.Name, l *Looked) error {
	if i.Policy.ImagePull == "push" {
		l.Later = "pulled by the first run of a protected ref that needs it"
		return nil
	}
	return problem.WithHint(fmt.Errorf("cannot use image %s: %w", n, ErrMissing),
		"the host's owner brings it with: pushlane image add "+n.String())
}
