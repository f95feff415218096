package images

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/oci"
	"github.com/pushlane/pushlane/lanes"
)

// Stored is an image in Incus, with all its names.
type Stored struct {
	Fingerprint string
	Names       []string // of registries, and aliases that people gave
	Digests     []string // that it was pulled by
	Description string
	Size        int64     // bytes
	Added       time.Time // to Incus
	Used        time.Time // by the last container; zero: never
	Brought     bool      // pulled or built by pushlane
	Run         string    // JSON of an oci.Run; "" where it was not made of an OCI image
}

// List is all images of the project, by their first name.
func (i *Images) List(ctx context.Context) ([]Stored, error) {
	all, err := i.Incus.Images().List(ctx)
	if err != nil {
		return nil, err
	}
	aliases, err := i.Incus.Images().Aliases(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Stored, 0, len(all))
	for _, image := range all {
		list = append(list, stored(image, aliases))
	}
	slices.SortFunc(list, func(a, b Stored) int {
		return cmp.Or(cmp.Compare(a.Title(), b.Title()), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return list, nil
}

func stored(image incus.Image, aliases []incus.Alias) Stored {
	s := Stored{Fingerprint: image.Fingerprint, Description: image.Description, Size: image.Size, Added: image.Uploaded,
		Used: image.Used, Brought: brought(image), Run: image.Properties[oci.PropertyRun]}
	for _, a := range aliases {
		if a.Fingerprint != image.Fingerprint {
			continue
		}
		name := a.Name
		if t, ok := readTag(a.Description); ok && strings.HasPrefix(a.Name, tagPrefix) {
			name = t.name
		} else if digest, ok := contentOf(a.Name); ok {
			name = a.Description
			s.Digests = append(s.Digests, digest)
		} else if strings.HasPrefix(a.Name, stepPrefix) {
			name = a.Description
		}
		if !slices.Contains(s.Names, name) {
			s.Names = append(s.Names, name)
		}
	}
	slices.Sort(s.Names)
	slices.Sort(s.Digests)
	return s
}

// brought reports whether pushlane pulled or built the image.
func brought(image incus.Image) bool {
	return image.Properties[oci.PropertyKit] != "" || image.Properties[incus.PropertyBuilt] != ""
}

// contentOf reads a contentAlias.
func contentOf(alias string) (digest string, ok bool) {
	parts := strings.Split(alias, "-")
	if len(parts) != 3 || parts[0] != "oci" || len(parts[1]) != 8 || len(parts[2]) != 64 {
		return "", false
	}
	return "sha256:" + parts[2], true
}

// Title is the first name, or the beginning of the fingerprint.
func (s Stored) Title() string {
	if len(s.Names) == 0 {
		return s.Fingerprint[:12]
	}
	return s.Names[0]
}

// Is reports whether a text of a user means the image: one of its names, a
// digest, or the beginning of its fingerprint.
func (s Stored) Is(text string) bool {
	name := text
	if n, err := oci.Parse(text); err == nil {
		name = n.String()
		if n.Digest != "" && slices.Contains(s.Digests, n.Digest) {
			return true
		}
	}
	return slices.Contains(s.Names, name) || slices.Contains(s.Digests, text) ||
		len(text) >= 12 && strings.HasPrefix(s.Fingerprint, text)
}

// Program is how the image wants its program to be run; nil where it was not made
// of an OCI image.
func (s Stored) Program() (*oci.Run, error) {
	if s.Run == "" {
		return nil, nil
	}
	run := new(oci.Run)
	if err := json.Unmarshal([]byte(s.Run), run); err != nil {
		return nil, fmt.Errorf("cannot read image %s: its description is damaged: %w", s.Title(), err)
	}
	return run, nil
}

// Named are the names of images in registries that lanes have in their settings.
func (i *Images) Named(set *lanes.Set) []string {
	var names []string
	for _, lane := range set.Lanes {
		for _, text := range imageTexts("", lane.With) {
			if _, named, err := i.Name(text); (named || err != nil) && !slices.Contains(names, text) {
				names = append(names, text)
			}
		}
	}
	return names
}

// imageTexts are the values of keys called image, at any depth.
func imageTexts(key string, v any) []string {
	switch v := v.(type) {
	case string:
		if key == "image" {
			return []string{v}
		}
	case []any:
		var all []string
		for _, one := range v {
			all = append(all, imageTexts(key, one)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, imageTexts(name, v[name])...)
		}
		return all
	}
	return nil
}

// Last is when it was used last, or added.
func (s Stored) Last() time.Time {
	if s.Used.After(s.Added) {
		return s.Used
	}
	return s.Added
}

// Prune removes the images that pushlane brought and that no container was made
// of for as long as age, and layers beyond the policy's limit. It returns what it
// removed, and the bytes of layers.
func (i *Images) Prune(ctx context.Context, age time.Duration) ([]Stored, int64, error) {
	all, err := i.List(ctx)
	if err != nil {
		return nil, 0, err
	}
	var gone []Stored
	for _, s := range all {
		if !s.Brought || time.Since(s.Last()) < age {
			continue
		}
		if err := i.Incus.Images().Delete(ctx, s.Fingerprint); err != nil {
			return gone, 0, err
		}
		gone = append(gone, s)
	}
	store, err := i.layers()
	if err != nil {
		return gone, 0, err
	}
	bytes, err := store.Prune()
	return gone, bytes, err
}
