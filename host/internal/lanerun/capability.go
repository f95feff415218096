package lanerun

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/host/internal/zone"
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
	given := map[string]bool{"repo.read": g.Read, "repo.history": g.History, "container": g.Container,
		"container.network": g.Network,
		"http":              len(g.HTTP) > 0, "secret": len(g.Secrets) > 0, "kv": g.KV, "clock": g.Clock,
		"env": len(g.Env) > 0}
	all := permits{}
	for _, c := range m.Capabilities {
		if given[c.Name] && slices.Contains(p.Capabilities, c.Name) {
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

// tree opens a revision's tree as far as the plugin may see it. A container
// gets the same: files that were not granted do not exist in it.
func (l *Lane) tree(ctx context.Context, rev string) (*hooks.Tree, error) {
	t, err := l.repo.Tree(ctx, rev)
	if err == nil && l.spool != nil {
		t.In(l.spool)
	}
	if err != nil || !l.permits.limited() {
		return t, err
	}
	return t.Only(ctx, l.permits.sees)
}

// denied explains why a capability is missing: who would have to give it.
func (l *Lane) denied(name string) error {
	asked := slices.ContainsFunc(l.module.Manifest().Capabilities, func(c sdk.Capability) bool { return c.Name == name })
	switch {
	case !asked:
		return fmt.Errorf("plugin %q used capability %s, which its manifest does not ask for", l.lane().Plugin, name)
	case slices.Contains(l.j.Policy.Capabilities, name) && !slices.Contains(l.policy().Capabilities, name):
		return l.notInZone(name)
	case !slices.Contains(l.policy().Capabilities, name):
		return problem.WithHint(fmt.Errorf("plugin %q asks for %s, which the policy of this host does not allow",
			l.lane().Plugin, name),
			"the host's owner may add it to `capabilities` in "+config.PolicyFiles(l.call.Getenv)[0])
	}
	return problem.WithHint(fmt.Errorf("plugin %q asks for %s, which lane %q does not grant", l.lane().Plugin, name,
		l.lane().ID),
		"grant it in the lane:\n[lane.grant]\n"+grantLine(name))
}

// notInZone is a denial for what the policy allows to others: it says to whom.
func (l *Lane) notInZone(name string) error {
	z := l.Zone()
	if z.Trust != zone.Protected {
		return problem.WithHint(
			fmt.Errorf("plugin %q asks for %s, which only runs of protected refs have, judged by protected lanes",
				l.lane().Plugin, name),
			"push to a protected branch whose lanes grant it, or take the grant out of lane "+l.lane().ID)
	}
	return problem.WithHint(
		fmt.Errorf("plugin %q asks for %s, which the policy of this host does not allow lane %q of this repository",
			l.lane().Plugin, name, l.lane().ID),
		fmt.Sprintf("the host's owner may add it to an [[allow]] of %s in %s", z.Repository,
			config.PolicyFiles(l.call.Getenv)[0]))
}

// grantLine is what grants a capability in a lane.
func grantLine(name string) string {
	switch name {
	case "http":
		return `http = ["HOST"]`
	case "secret":
		return `secrets = ["NAME"]`
	case "env":
		return `env = ["NAME"]`
	}
	return name[strings.LastIndexByte(name, '.')+1:] + " = true"
}

// outside is a use of a capability beyond what it reaches.
func (l *Lane) outside(name, item string) error {
	if !l.permits.has(name) {
		return l.denied(name)
	}
	g, what := l.lane().Grant, printable.Clean(item)
	granted := map[string][]string{"http": g.HTTP, "secret": g.Secrets, "env": g.Env}[name]
	switch {
	case !slices.Contains(granted, item):
		return problem.WithHint(fmt.Errorf("plugin %q asks for %s %q, which lane %q does not grant", l.lane().Plugin, name,
			what, l.lane().ID),
			"grant it in the lane:\n[lane.grant]\n"+strings.Replace(strings.Replace(grantLine(name), "HOST", what, 1), "NAME",
				what, 1))
	case !l.policy().Lets(name, item):
		return l.notInZone(fmt.Sprintf("%s %q", name, what))
	case name == "http" && !config.AllowsHost(l.policy().HTTPHosts, item):
		return problem.WithHint(fmt.Errorf("plugin %q asks for %s %q, which the policy of this host does not allow",
			l.lane().Plugin, name, what),
			"the host's owner may add it to `http.hosts` in "+config.PolicyFiles(l.call.Getenv)[0])
	}
	return fmt.Errorf("plugin %q used %s %q, which its manifest does not ask for", l.lane().Plugin, name, what)
}

// maxDenials is how many denials of one lane run are put on record.
const maxDenials = 100

// refuse makes an answer of a denial, and puts it on record.
func (l *Lane) refuse(ctx context.Context, err error) error {
	if l.denials++; l.denials <= maxDenials {
		l.log.line('h', "denied: "+err.Error())
		l.rec.Event(ctx, l.i, l.lane().ID, "denied", printable.Clean(err.Error()))
	}
	return &wasm.OpError{Code: wasm.Denied, Message: err.Error(), Hint: problem.Hint(err)}
}

// dependsOutside notes that the run depends on, or changes, something that no record
// of its questions holds.
func (l *Lane) dependsOutside(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.uncacheableWhy == "" {
		l.uncacheableWhy = why
	}
}

// space is the part of the plugins' store that is this one's.
func (l *Lane) space() store.Space {
	return store.Space{Zone: l.Zone(), Plugin: l.who}
}

// identity is who a plugin is to what outlives its versions: the name in its
// manifest and who was found to have signed it, else its digest. What the
// lanes file or the lock says of it counts for nothing.
func identity(m *sandbox.Plugin, signer string) string {
	if signer == "" {
		return "sha256:" + m.Digest()
	}
	return m.Manifest().Name + " signed by " + signer
}
