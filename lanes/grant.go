package lanes

import (
	"fmt"
	"strings"
)

// capability is what a lane may grant: its name in a plugin's manifest and its key
// in [lane.grant].
type capability struct {
	name, key string
	given     func(Grant) bool     // nil: a list, given where it has items
	items     func(Grant) []string // nil: true or false; with given: either
	item      string               // that stands for one in a hint
}

// capabilities is the one table of them, in the order that documents have.
func capabilities() []capability {
	return []capability{
		{name: "repo.read", key: "read", given: func(g Grant) bool { return g.Read }},
		{name: "repo.history", key: "history", given: func(g Grant) bool { return g.History }},
		{name: "container", key: "container", given: func(g Grant) bool { return g.Container }},
		{name: "container.network", key: "network", given: func(g Grant) bool { return g.Network },
			items: func(g Grant) []string { return g.Names }, item: "registry.example.org"},
		{name: "http", key: "http", items: func(g Grant) []string { return g.HTTP }, item: "api.example.org"},
		{name: "secret", key: "secrets", items: func(g Grant) []string { return g.Secrets }, item: "NAME"},
		{name: "kv", key: "kv", given: func(g Grant) bool { return g.KV }},
		{name: "clock", key: "clock", given: func(g Grant) bool { return g.Clock }},
		{name: "env", key: "env", items: func(g Grant) []string { return g.Env }, item: "NAME"},
	}
}

func capabilityOf(name string) (capability, bool) {
	for _, c := range capabilities() {
		if c.name == name {
			return c, true
		}
	}
	return capability{}, false
}

// Capabilities are the names of all capabilities that a lane may grant.
func Capabilities() []string {
	var names []string
	for _, c := range capabilities() {
		names = append(names, c.name)
	}
	return names
}

// Gives reports whether the grant has a capability, by its name in a manifest.
func (g Grant) Gives(name string) bool {
	c, known := capabilityOf(name)
	if known && c.items != nil && len(c.items(g)) > 0 {
		return true
	}
	return known && c.given != nil && c.given(g)
}

// Items are the hosts or names of a capability; nil for one without.
func (g Grant) Items(name string) []string {
	if c, known := capabilityOf(name); known && c.items != nil {
		return c.items(g)
	}
	return nil
}

// GrantHint is GrantLine with a word that stands for the item of a list.
func GrantHint(name string) string {
	c, _ := capabilityOf(name)
	return GrantLine(name, c.item)
}

// GrantLine is the line of [lane.grant] that grants a capability, of one with a
// list these items; "" for a name that is not a capability.
func GrantLine(name string, items ...string) string {
	c, known := capabilityOf(name)
	if !known {
		return ""
	}
	if c.items == nil {
		return c.key + " = true"
	}
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = fmt.Sprintf("%q", item)
	}
	return fmt.Sprintf("%s = [%s]", c.key, strings.Join(quoted, ", "))
}
