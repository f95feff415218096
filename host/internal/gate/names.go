package gate

import (
	"github.com/pushlane/pushlane/lanes"
)

// GrantedNames are the names of capabilities, in their order.
func GrantedNames(all []lanes.Granted) []string {
	var names []string
	for _, g := range all {
		names = append(names, g.Name)
	}
	return names
}
