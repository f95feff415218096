package config

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/zone"
)

// Allow lets lanes of a repository have what reaches beyond their run. Where a
// policy has such tables, no repository has more than they name; the other
// keys of the policy are the ceiling of them all.
type Allow struct {
	// full path, in which * is one name; the name of a [[repository]]; "*" for all
	Repository string   `koanf:"repository"`
	Lanes      []string `koanf:"lanes"`   // ids; none: all
	Secrets    []string `koanf:"secrets"` // names
	HTTP       []string `koanf:"http"`    // hosts, as http.hosts
	Env        []string `koanf:"env"`     // variables
	Network    bool     `koanf:"network"` // of containers
	// http and network for runs of unprotected refs too: any pusher's code then has them
	Unprotected bool `koanf:"unprotected"`
}

// Repository gives a repository the name that the policy uses for it. Folder
// names are not unique.
type Repository struct {
	Path string `koanf:"path"` // of the git directory, absolute
	Name string `koanf:"name"`
}

// Capabilities that reach beyond a run, and what a run has without them.
var (
	beyondRun = []string{"secret", "http", "env", "container.network"}
	strictRun = []string{"repo.read", "repo.history", "container"}
)

// RepositoryNames are the configured names by path.
func (p Policy) RepositoryNames() map[string]string {
	names := map[string]string{}
	for _, r := range p.Repositories {
		names[filepath.Clean(r.Path)] = r.Name
	}
	return names
}

// RepositoryTitle is what people read of a repository: its configured name, else its
// folder's. Nothing is decided by it.
func (p Policy) RepositoryTitle(repo *hooks.Repo) string {
	return cmp.Or(p.repositoryName(repo.CommonDir()), repo.Name())
}

// repositoryName is the configured name of the repository at a path, "" where
// it has none.
func (p Policy) repositoryName(gitDir string) string {
	for _, r := range p.Repositories {
		if filepath.Clean(r.Path) == gitDir {
			return r.Name
		}
	}
	return ""
}

// reaches reports whether the table is for a lane of a zone.
func (a Allow) reaches(p Policy, z zone.Zone, lane string) bool {
	if len(a.Lanes) > 0 && !slices.Contains(a.Lanes, lane) || z.Trust == zone.Unprotected && !a.Unprotected {
		return false
	}
	name := p.repositoryName(z.Repository)
	matched, err := path.Match(a.Repository, z.Repository)
	return a.Repository == "*" || err == nil && matched || name != "" && name == a.Repository
}

// Within is the policy for the runs of one lane in one zone. On a server, what
// reaches beyond the run is for runs that are judged by protected lanes; lanes
// that come with the push they judge have their containers and no more.
func (p Policy) Within(z zone.Zone, lane string, strict bool) Policy {
	if z.Trust == zone.Local {
		return p
	}
	keep := func(c string) bool {
		return z.Trust == zone.Protected && len(p.Allows) == 0 || !slices.Contains(beyondRun, c)
	}
	if strict {
		keep = func(c string) bool { return slices.Contains(strictRun, c) }
	}
	var allowed Allow
	for _, a := range p.Allows {
		if !strict && a.reaches(p, z, lane) {
			allowed.add(a, z)
		}
	}
	p.Capabilities = slices.DeleteFunc(slices.Clone(p.Capabilities),
		func(c string) bool { return !keep(c) && !allowed.gives(c) })
	if !slices.Contains(p.Capabilities, "container.network") {
		p.IncusNetworks = nil
	}
	if len(p.Allows) > 0 || z.Trust != zone.Protected {
		p.only = &allowed
	}
	return p
}

// Guarded is the policy for lanes that come with the commits they judge, on a
// developer's machine: what belongs to that developer is not theirs to ask for.
func (p Policy) Guarded() Policy {
	p.Capabilities = slices.DeleteFunc(slices.Clone(p.Capabilities),
		func(c string) bool { return c == "secret" })
	return p
}

// add joins what two tables give to runs of a zone. Secrets and variables are
// never an unprotected run's.
func (a *Allow) add(b Allow, z zone.Zone) {
	a.HTTP = append(a.HTTP, b.HTTP...)
	a.Network = a.Network || b.Network
	if z.Trust == zone.Protected {
		a.Secrets, a.Env = append(a.Secrets, b.Secrets...), append(a.Env, b.Env...)
	}
}

func (a Allow) gives(capability string) bool {
	switch capability {
	case "secret":
		return len(a.Secrets) > 0
	case "http":
		return len(a.HTTP) > 0
	case "env":
		return len(a.Env) > 0
	case "container.network":
		return a.Network
	}
	return false
}

// Lets reports whether a run may reach an item of a capability: all of the
// policy's where no table binds it.
func (p Policy) Lets(capability, item string) bool {
	if p.only == nil {
		return true
	}
	switch capability {
	case "secret":
		return slices.Contains(p.only.Secrets, item)
	case "env":
		return slices.Contains(p.only.Env, item)
	case "http":
		return AllowsHost(p.only.HTTP, item)
	}
	return true
}

// checkAllows refuses tables that name a repository by something that is not
// its own.
func (p Policy) checkAllows() error {
	names := map[string]bool{"*": true}
	for _, r := range p.Repositories {
		switch {
		case !filepath.IsAbs(r.Path):
			return fmt.Errorf("cannot read the policy: repository: path %q is not absolute", r.Path)
		case r.Name == "" || strings.HasPrefix(r.Name, "/") || strings.Contains(r.Name, "*"):
			return fmt.Errorf("cannot read the policy: repository: name %q of %s is empty, begins with a slash or holds a *",
				r.Name, r.Path)
		case names[r.Name]:
			return fmt.Errorf("cannot read the policy: repository: two repositories have the name %q", r.Name)
		}
		names[r.Name] = true
	}
	for _, a := range p.Allows {
		if _, err := path.Match(a.Repository, ""); err != nil || !filepath.IsAbs(a.Repository) && !names[a.Repository] {
			return problem.WithHint(
				fmt.Errorf("cannot read the policy: allow: repository %q is not a full path, and no [[repository]] has that name",
					a.Repository),
				"write the path of its git directory, or \"*\" for all")
		}
	}
	return nil
}

// AllowsHost holds a host, perhaps with a port, against the policy's list.
func AllowsHost(allowed []string, host string) bool {
	name, _, _ := strings.Cut(host, ":")
	return slices.ContainsFunc(allowed, func(a string) bool {
		suffix, wild := strings.CutPrefix(a, "*")
		return a == host || a == name || wild && strings.HasSuffix(name, suffix)
	})
}
