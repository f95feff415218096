// Package zone decides which runs may share stored data.
//
// Code of a push runs with the data of earlier runs: caches, results, values of
// plugins, stored modules. Everything that is stored beyond a run therefore belongs
// to a zone, and a run uses only the data of its own zone.
package zone

import "fmt"

// Trust says who decided what a run does.
type Trust uint8

// The zero value is the one that may do least.
const (
	// Unprotected: a branch that is not protected, or lanes that came with the
	// push they judge. Anyone who may push wrote them.
	Unprotected Trust = iota
	// Local: a gate on the developer's own machine, judged by the pushed
	// commit's own lanes.
	Local
	// Protected: a protected ref of a server, judged by the lanes of a
	// protected ref of the same repository or of the host's owner.
	Protected
)

// String is the word that labels, notes and statuses use.
func (t Trust) String() string {
	switch t {
	case Local:
		return "local"
	case Protected:
		return "protected"
	}
	return "unprotected"
}

// Zone is one repository's runs of one trust.
type Zone struct {
	Repository string // absolute path of the common git directory
	Trust      Trust
}

// Key names the zone in a database column or a digest. Keys of two zones
// differ, whatever the path holds.
func (z Zone) Key() string { return z.Trust.String() + ":" + z.Repository }

// Check is an error where the zone names no repository: what has no owner is
// shared by all.
func (z Zone) Check() error {
	if z.Repository == "" {
		return fmt.Errorf("zone %q names no repository", z.Key())
	}
	return nil
}
