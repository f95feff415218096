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
func (s *Store) Address(ctx context.Context, repoKey string) (string, error) {
	found, err := s.reading(ctx).rows(`SELECT key, name FROM repositories`)
	all, err := collect(found, err, func(row *rows) (r Repository, err error) {
		err = row.Scan(&r.Key, &r.Name)
		return r, err
	})
	if err != nil {
		return "", fmt.Errorf("cannot read the address of %s: %w", repoKey, err)
	}
	return Addresses(all)[repoKey], nil
}
