package lanes

import (
	"regexp"
	"slices"
	"strings"
)

// LockedImage is what the name of an image in a registry stood for when it was
// pinned.
type LockedImage struct {
	Name   string `toml:"name"`   // with registry and tag: "docker.io/library/node:22"
	Digest string `toml:"digest"` // "sha256:…" of the image, or of its list of platforms
}

var imageDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// checkImages refuses pins that could not have their effect.
func (l *Lock) checkImages(fail func(string, ...any) error) error {
	seen := map[string]bool{}
	for _, i := range l.Images {
		switch {
		case i.Name == "" || len(i.Name) > 400:
			return fail("an image has no name, or one of more than 400 bytes")
		case seen[i.Name]:
			return fail("image %q is there twice", i.Name)
		case !imageDigest.MatchString(i.Digest):
			return fail("image %q has no digest (sha256: and 64 hex digits)", i.Name)
		}
		seen[i.Name] = true
	}
	return nil
}

// Image is the digest that an image is pinned to; "" where it is not pinned.
func (l *Lock) Image(name string) string {
	if l == nil {
		return ""
	}
	i := slices.IndexFunc(l.Images, func(i LockedImage) bool { return i.Name == name })
	if i < 0 {
		return ""
	}
	return l.Images[i].Digest
}

// PinImage pins an image, or pins it to other content. They are sorted by name.
func (l *Lock) PinImage(image LockedImage) {
	l.Images = slices.DeleteFunc(l.Images, func(i LockedImage) bool { return i.Name == image.Name })
	l.Images = append(l.Images, image)
	slices.SortFunc(l.Images, func(a, b LockedImage) int { return strings.Compare(a.Name, b.Name) })
}
