package hooks

import (
	"context"
	"fmt"
)

// Bounds of walks over trees. A hostile push of some kilobytes can hold a tree
// that unfolds to billions of paths, or to some thousand very long ones. What
// is beyond a bound is refused; nothing is cut off.
const (
	maxDepth = 2048
	maxPath  = 4096 // bytes of one path: git's PATH_MAX

	// Of all updates of one push together. A change takes some 200 bytes
	// next to its path.
	maxChanges     = 1_000_000  // paths that differ
	maxChangeBytes = 64 << 20   // bytes of these paths, and of those of folders that differ
	maxCompared    = 50_000_000 // entries of trees that are compared for them: some seconds

	// Of one tree that is walked as a whole.
	maxEntries   = 4_000_000
	maxNameBytes = 64 << 20 // bytes of names in memory

	// Of directories that lie within one another and are held in memory at
	// once, old and new together: some 200 MB.
	maxHeld = 2_000_000
)

const fewerChanges = "push fewer branches and tags at once, or fewer files: git push origin main"

// budget is what is left of the bounds of one push.
type budget struct {
	changes, compared int
	bytes             int64
	nest
}

func newBudget() *budget {
	return &budget{changes: maxChanges, compared: maxCompared, bytes: maxChangeBytes}
}

// path takes a path off the budget: one that is listed, or a folder that is
// walked through.
func (b *budget) path(path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if b.bytes -= int64(len(path)); b.bytes < 0 {
		return withHint(fmt.Errorf("the paths that differ in this push are longer than %d MiB together",
			maxChangeBytes>>20), fewerChanges)
	}
	return nil
}

// change takes one listed path off.
func (b *budget) change() error {
	if b.changes--; b.changes < 0 {
		return withHint(fmt.Errorf("more than %d paths differ in this push", maxChanges), fewerChanges)
	}
	return nil
}

// compare takes the entries of two directories off, and holds them.
func (b *budget) compare(entries int) error {
	if b.compared -= entries; b.compared < 0 {
		return withHint(fmt.Errorf("more than %d entries of trees have to be compared for this push", maxCompared),
			fewerChanges)
	}
	return b.hold(entries)
}

// nest is how many entries the directories have that a walk is in.
type nest int

func (h *nest) hold(entries int) error {
	if *h += nest(entries); *h > maxHeld {
		return fmt.Errorf("directories within one another have more than %d entries", maxHeld)
	}
	return nil
}

func (h *nest) release(entries int) { *h -= nest(entries) }

// checkPath refuses a path that no system could check out, by its beginning.
func checkPath(path string) error {
	if len(path) <= maxPath {
		return nil
	}
	return withHint(fmt.Errorf("path %s has %d bytes, more than %d", quote(path), len(path), maxPath),
		"commit it under a shorter path: git mv OLD NEW")
}

// steps counts the entries of one tree that is walked as a whole, and checks at
// each whether ctx has ended.
type steps struct {
	ctx     context.Context
	entries int
	bytes   int64 // of names in memory
	nest
}

// enter takes the entries of a directory, until it is left with release.
func (s *steps) enter(entries, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("directories are nested more than %d deep", maxDepth)
	}
	if s.entries += entries; s.entries > maxEntries {
		return fmt.Errorf("more than %d entries", maxEntries)
	}
	return s.hold(entries)
}

func (s *steps) entry(path string) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	return checkPath(path)
}

// keep takes a name that is held in memory.
func (s *steps) keep(name string) error {
	if s.bytes += int64(len(name)); s.bytes > maxNameBytes {
		return fmt.Errorf("names longer than %d MiB together", maxNameBytes>>20)
	}
	return nil
}
