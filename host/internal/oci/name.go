package oci

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// Name is a reference to an image in a registry.
type Name struct {
	Registry   string // host, perhaps with a port
	Repository string
	Tag        string // "latest" where the text has neither tag nor digest
	Digest     string // sha256:…; it counts where there is a tag as well
}

// maxName is the longest name, in bytes.
const maxName = 400

var (
	hostForm = regexp.MustCompile(`^(localhost|\[[0-9a-f:]+\]|[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?` +
		`(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(:[0-9]{1,5})?$`)
	repositoryForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	digestForm     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// IsName reports whether text begins with a registry, so that it is the name of
// an OCI image and not an alias: "docker.io/library/node:22", "localhost:5000/app".
func IsName(text string) bool {
	host, rest, found := strings.Cut(text, "/")
	return found && rest != "" && (strings.ContainsAny(host, ".:") || host == "localhost")
}

// Parse reads "HOST/NAME:TAG", "HOST/NAME@sha256:DIGEST" or both. An official
// image of docker.io may be written without its "library/".
func Parse(text string) (Name, error) {
	if len(text) > maxName || !IsName(text) {
		return Name{}, problem.WithHint(fmt.Errorf("cannot use image %q: it is not the name of an image in a registry",
			cut(text)), "write the registry too: docker.io/library/node:22")
	}
	n := Name{}
	var rest string
	n.Registry, rest, _ = strings.Cut(text, "/")
	rest, n.Digest, _ = strings.Cut(rest, "@")
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		rest, n.Tag = rest[:i], rest[i+1:]
		if n.Tag == "" {
			return Name{}, badName(text, errors.New("its tag is empty"))
		}
	}
	n.Repository = rest
	if n.Registry == "docker.io" && !strings.Contains(rest, "/") {
		n.Repository = "library/" + rest
	}
	switch {
	case !hostForm.MatchString(n.Registry):
		return Name{}, badName(text, fmt.Errorf("%q is not a registry", n.Registry))
	case !repositoryForm.MatchString(n.Repository):
		return Name{}, badName(text, fmt.Errorf("%q is not a repository (lower-case letters, digits, dots, dashes, slashes)",
			n.Repository))
	case n.Tag != "" && !tagForm.MatchString(n.Tag):
		return Name{}, badName(text, fmt.Errorf("%q is not a tag", n.Tag))
	case strings.Contains(text, "@") && !digestForm.MatchString(n.Digest):
		return Name{}, badName(text, fmt.Errorf("%q is not a digest (sha256: and 64 hex digits)", n.Digest))
	}
	if n.Tag == "" && n.Digest == "" {
		n.Tag = "latest"
	}
	return n, nil
}

func badName(text string, why error) error {
	return problem.WithHint(fmt.Errorf("cannot use image %q: %w", cut(text), why),
		"write it like docker.io/library/node:22 or ghcr.io/org/app@sha256:DIGEST")
}

// String is the name in full.
func (n Name) String() string {
	text := n.Path()
	if n.Tag != "" {
		text += ":" + n.Tag
	}
	if n.Digest != "" {
		text += "@" + n.Digest
	}
	return text
}

// Path is registry and repository.
func (n Name) Path() string { return n.Registry + "/" + n.Repository }

// Tagged is the name without its digest: what a pin is of.
func (n Name) Tagged() string {
	n.Digest = ""
	return n.String()
}

// cut shortens a name of a user for a message.
func cut(text string) string {
	if len(text) <= 100 {
		return text
	}
	return strings.ToValidUTF8(text[:100], "") + "…"
}
