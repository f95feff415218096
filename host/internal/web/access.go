package web

import (
	"context"
	"slices"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Access is what one user may do whom the proxy names.
type Access struct {
	User         string
	Scope        string   // none, read, run or admin
	Repositories []string // paths, or names as the page shows them; none: all
}

// proxied is the visitor whom the proxy names; ok is false where the user may
// do nothing.
func (s *site) proxied(ctx context.Context, user string) (v visitor, ok bool) {
	v = visitor{Name: user, Scope: scopeOf(s.Proxy.Scope)}
	i := slices.IndexFunc(s.Proxy.Access, func(a Access) bool { return a.User == user })
	if i < 0 {
		return v, v.Scope > scopeNone
	}
	a := s.Proxy.Access[i]
	v.Scope = scopeOf(a.Scope)
	if len(a.Repositories) > 0 {
		all, err := s.Store.Repositories().Known(ctx)
		if err != nil {
			s.Log.WithError(err).Warn("rights of a user")
			return visitor{}, false
		}
		v.Repositories = keysOf(all, a.Repositories)
	}
	return v, v.Scope > scopeNone
}

// keysOf finds repositories by path or name, and is never nil. A name that
// several have means none of them: it must not come to mean another repository.
func keysOf(all []store.Repository, names []string) []string {
	keys := []string{}
	for _, name := range names {
		var found []string
		for _, r := range all {
			if r.Key == name || r.Called(name) {
				found = append(found, r.Key)
			}
		}
		if len(found) == 1 {
			keys = append(keys, found[0])
		}
	}
	return keys
}
