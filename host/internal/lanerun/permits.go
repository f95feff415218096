package lanerun

import (
	"slices"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// permits is what one lane run's plugin may do, as the manifest asks and the
// lane grants and the policy allows: each capability with what it reaches. Of
// repo.read that is sets of globs, a path has to be in each; of the others
// names or hosts.
type permits map[string]reach

type reach struct {
	items []string       // hosts or names
	globs [][]lanes.Glob // of repo.read
}

func permitted(m sdk.Manifest, g lanes.Grant, p config.Policy) permits {
	all := permits{}
	for _, c := range m.Capabilities {
		if g.Gives(c.Name) && slices.Contains(p.Capabilities, c.Name) {
			all[c.Name] = reachOf(c, g, p)
		}
	}
	return all
}

func reachOf(c sdk.Capability, g lanes.Grant, p config.Policy) reach {
	switch c.Name {
	case "repo.read":
		return reach{globs: slices.DeleteFunc([][]lanes.Glob{parseGlobs(c.Scope), parseGlobs(g.Files)},
			func(set []lanes.Glob) bool { return set == nil })}
	case "http":
		hosts := both(c.Scope, g.HTTP)
		return reach{items: slices.DeleteFunc(hosts, func(h string) bool {
			return !config.AllowsHost(p.HTTPHosts, h) ||
				!p.Lets("http", h)
		})}
	case "secret":
		return reach{items: slices.DeleteFunc(both(c.Scope, g.Secrets),
			func(name string) bool { return !p.Lets("secret", name) })}
	case "env":
		return reach{items: slices.DeleteFunc(both(c.Scope, g.Env), func(name string) bool { return !p.Lets("env", name) })}
	}
	return reach{}
}

// both are the granted items that were asked for.
func both(asked, granted []string) []string {
	return slices.DeleteFunc(slices.Clone(granted), func(item string) bool {
		return !slices.Contains(asked, item) && !slices.Contains(asked, "*")
	})
}

// parseGlobs gives nil for no patterns, which is no limit; a pattern that
// cannot be read matches nothing.
func parseGlobs(patterns []string) []lanes.Glob {
	var all []lanes.Glob
	for _, p := range patterns {
		if p == "*" { // whatever the lane grants
			return nil
		}
		g, err := lanes.ParseGlob(p)
		if err != nil {
			g = lanes.Glob{}
		}
		all = append(all, g)
	}
	return all
}

func (p permits) has(name string) bool { _, ok := p[name]; return ok }

// reaches reports whether a capability reaches an item.
func (p permits) reaches(name, item string) bool { return slices.Contains(p[name].items, item) }

// names are the capabilities in the manifest's order.
func (p permits) names(m sdk.Manifest) []string {
	names := []string{}
	for _, c := range m.Capabilities {
		if p.has(c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// sees reports whether a path is in what repo.read reaches.
func (p permits) sees(path string) bool {
	for _, set := range p["repo.read"].globs {
		if !slices.ContainsFunc(set, func(g lanes.Glob) bool { return g.Match(path) }) {
			return false
		}
	}
	return true
}

// patterns is how many globs a path is held against.
func (p permits) patterns() int {
	n := 0
	for _, set := range p["repo.read"].globs {
		n += len(set)
	}
	return n
}

// limited reports whether some files of the tree are not there for the plugin.
func (p permits) limited() bool { return len(p["repo.read"].globs) > 0 }

// identity is who a plugin is to what outlives its versions: the name in its
// manifest and who was found to have signed it, else its digest. What the
// lanes file or the lock says of it counts for nothing.
func identity(m *sandbox.Plugin, signer string) string {
	if signer == "" {
		return "sha256:" + m.Digest()
	}
	return m.Manifest().Name + " signed by " + signer
}
