package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// names are what a repository may be called, the shortest first: its name, the
// ends of its path from two parts on, and its name with a digest of its path,
// which no other has.
func (r Repository) names() []string {
	folder, inside := strings.CutSuffix(r.Key, "/.git")
	if !inside {
		folder = strings.TrimSuffix(folder, ".git")
	}
	parts := strings.Split(strings.Trim(folder, "/"), "/")
	list := []string{r.Name}
	for n := 2; n <= len(parts); n++ {
		list = append(list, strings.Join(parts[len(parts)-n:], "/"))
	}
	sum := sha256.Sum256([]byte(r.Key))
	return append(list, fmt.Sprintf("%s~%x", r.Name, sum[:6]))
}

// Called reports whether a repository may be called by a name. Others may be
// called so too.
func (r Repository) Called(name string) bool { return slices.Contains(r.names(), name) }

// Addresses gives each repository, by its key, the shortest name by which no
// other of them may be called.
func Addresses(all []Repository) map[string]string {
	claims := map[string]map[string]bool{} // name -> keys
	for _, r := range all {
		for _, name := range r.names() {
			if claims[name] == nil {
				claims[name] = map[string]bool{}
			}
			claims[name][r.Key] = true
		}
	}
	addresses := map[string]string{}
	for _, r := range all {
		names := r.names()
		at := slices.IndexFunc(names, func(name string) bool { return name != "" && len(claims[name]) == 1 })
		addresses[r.Key] = names[max(0, at)]
	}
	return addresses
}

// Address gives the address of one repository among all.
func (s *Repositories) Address(ctx context.Context, repoKey string) (string, error) {
	all, err := s.Known(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot read the address of %s: %w", repoKey, err)
	}
	return Addresses(all)[repoKey], nil
}

// Known lists all repositories, without their runs.
func (s *Repositories) Known(ctx context.Context) ([]Repository, error) {
	found, err := s.db.reading(ctx).rows(`SELECT key, name, served FROM repositories`)
	return collect(found, err, func(row *rows) (r Repository, err error) {
		err = row.Scan(&r.Key, &r.Name, &r.Served)
		return r, err
	})
}

// AmbiguousError says that a name is that of several repositories.
type AmbiguousError struct {
	Name      string
	Addresses []string // one for each
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("more than one repository is called %q: use one of %s", e.Name, strings.Join(e.Addresses, ", "))
}

// keyOf finds the one repository that may be called by a name. The error is
// ErrNoRun where there is none, an AmbiguousError where there are several.
func (s *Repositories) keyOf(ctx context.Context, name string) (string, error) {
	all, err := s.Known(ctx)
	if err != nil {
		return "", err
	}
	addresses := Addresses(all)
	all = slices.DeleteFunc(all, func(r Repository) bool { return !r.Called(name) })
	switch len(all) {
	case 0:
		return "", ErrNoRun
	case 1:
		return all[0].Key, nil
	}
	several := &AmbiguousError{Name: name}
	for _, r := range all {
		several.Addresses = append(several.Addresses, addresses[r.Key])
	}
	slices.Sort(several.Addresses)
	return "", several
}
