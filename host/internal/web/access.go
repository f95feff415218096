package web

import (
	"github.com/pushlane/pushlane/host/internal/store"
)

// Access is what one user may do whom the proxy names.
type Access struct {
	User         string
	Scope        string   // none, read, run or admin
	Repositories []string // paths, or names as the page shows them; none: all
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
