package config

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// AllowsImage holds the name of an image, registry and repository without tag,
// against a list: "ghcr.io/acme/app", "docker.io/library/*", "ghcr.io/acme/**",
// "*" for all.
func AllowsImage(allowed []string, name string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		prefix, below := strings.CutSuffix(a, "/**")
		matched, err := path.Match(a, name)
		return a == "*" || err == nil && matched || below && strings.HasPrefix(name, prefix+"/")
	})
}

// NamesImage is AllowsImage without "*": the policy itself names the image.
func NamesImage(allowed []string, name string) bool {
	return AllowsImage(slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "*" }), name)
}

var shortForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Pairs reads a list of "NAME=VALUE".
func Pairs(list []string) map[string]string {
	pairs := map[string]string{}
	for _, one := range list {
		name, value, _ := strings.Cut(one, "=")
		pairs[name] = value
	}
	return pairs
}

// checkImages refuses keys of images that could not have their effect.
func (p Policy) checkImages() error {
	if p.ImagePull != "push" && p.ImagePull != "add" {
		return fmt.Errorf("cannot read the policy: images.pull is %q, want push or add", p.ImagePull)
	}
	if p.ImageRefresh < 0 {
		return errors.New("cannot read the policy: images.refresh is below zero")
	}
	lists := [][]string{p.ImageNames}
	for _, a := range p.Allows {
		lists = append(lists, a.Images)
	}
	for _, name := range slices.Concat(lists...) {
		if _, err := path.Match(name, ""); err != nil || name != "*" && !strings.Contains(name, "/") {
			return problem.WithHint(fmt.Errorf("cannot read the policy: images: %q is not a name with its registry", name),
				`write it like "docker.io/library/*" or "ghcr.io/acme/**"; "*" for all`)
		}
	}
	for _, one := range p.ImageShort {
		name, value, _ := strings.Cut(one, "=")
		if !shortForm.MatchString(name) || !strings.Contains(value, "/") {
			return problem.WithHint(fmt.Errorf("cannot read the policy: images.short: %q is not a short name", one),
				`write it like "node=docker.io/library/node"`)
		}
	}
	for _, one := range p.ImageMirror {
		name, value, _ := strings.Cut(one, "=")
		if name == "" || value == "" || strings.Contains(value, "://") || strings.Contains(name, "/") {
			return problem.WithHint(fmt.Errorf("cannot read the policy: images.mirrors: %q is not a mirror", one),
				`write it like "docker.io=mirror.example.org/dockerhub"`)
		}
	}
	return nil
}
