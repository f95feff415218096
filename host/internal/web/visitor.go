package web

import (
	"context"
	"slices"
)

// What a token may do; each includes those before it.
const (
	scopeNone = iota
	scopeRead
	scopeRun
	scopeAdmin
)

// Scopes are the names of the scopes, from the least.
func Scopes() []string { return []string{"read", "run", "admin"} }

func scopeOf(name string) int {
	for i, s := range Scopes() {
		if s == name {
			return i + 1
		}
	}
	return 0
}

// visitor is who sent a request.
type visitor struct {
	Name         string
	Scope        int
	Repositories []string // keys of those that exist for the visitor; nil: all

	form string // the value that a form must return; "" without a session
}

// same reports whether o is the same user with the same rights.
func (v visitor) same(o visitor) bool {
	return v.Name == o.Name && v.Scope == o.Scope && v.form == o.form &&
		(v.Repositories == nil) == (o.Repositories == nil) && slices.Equal(v.Repositories, o.Repositories)
}

// sees reports whether a repository exists for the visitor.
func (v visitor) sees(key string) bool {
	return v.Repositories == nil || slices.Contains(v.Repositories, key)
}

type visitorKey struct{}

func visitorOf(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}
