package hooks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// The modes of tree entries, as git writes them.
const (
	modeDir    = 0o40000
	modeFile   = 0o100644
	modeExec   = 0o100755
	modeLink   = 0o120000
	modeModule = 0o160000
)

// treeEntry is one line of a tree object.
type treeEntry struct {
	name string // raw bytes
	mode uint32 // one of the modes above
	id   plumbing.Hash
}

func (e treeEntry) isDir() bool { return e.mode == modeDir }

// compareEntries is git's order: by bytes, a directory as if its name ended
// in a slash.
func compareEntries(a, b treeEntry) int {
	n := min(len(a.name), len(b.name))
	if c := strings.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return int(byteAfter(a, n)) - int(byteAfter(b, n))
}

func byteAfter(e treeEntry, n int) byte {
	switch {
	case n < len(e.name):
		return e.name[n]
	case e.isDir():
		return '/'
	}
	return 0
}

// readTree returns the entries of a tree, in git's order.
func (s *store) readTree(id plumbing.Hash) ([]treeEntry, error) {
	if id.IsZero() {
		return nil, nil
	}
	e, err := s.typed(plumbing.TreeObject, id)
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(string(e.data))
	if err != nil {
		return nil, fmt.Errorf("tree %s cannot be judged: %w", id, err)
	}
	return entries, nil
}

// parseTree is stricter than git: entries that are out of order or appear twice
// could hide one path behind another, and a name such as "..", ".git" or one with
// a slash must not reach a file system. git itself refuses to check out such trees.
func parseTree(text string) ([]treeEntry, error) {
	entries := make([]treeEntry, 0, len(text)/32+1)
	for len(text) > 0 {
		e, rest, err := parseTreeEntry(text)
		if err != nil {
			return nil, err
		}
		if n := len(entries); n > 0 && compareEntries(entries[n-1], e) >= 0 {
			return nil, fmt.Errorf("entry %s is out of order", quote(e.name))
		}
		entries, text = append(entries, e), rest
	}
	for _, e := range entries {
		if e.isDir() && hasFileNamed(entries, e.name) {
			return nil, fmt.Errorf("entry %s appears twice", quote(e.name))
		}
	}
	return entries, nil
}

func hasFileNamed(entries []treeEntry, name string) bool {
	_, ok := slices.BinarySearchFunc(entries, treeEntry{name: name}, compareEntries)
	return ok
}

func parseTreeEntry(text string) (e treeEntry, rest string, err error) {
	space := strings.IndexByte(text, ' ')
	end := strings.IndexByte(text, 0)
	if space < 1 || space > 7 || end < space || len(text) < end+1+idSize {
		return e, "", errors.New("it is cut short or not a tree")
	}
	var raw uint32
	for i := range space {
		c := text[i]
		if c < '0' || c > '7' {
			return e, "", errors.New("a mode is not octal")
		}
		raw = raw<<3 | uint32(c-'0')
	}
	e.name = text[space+1 : end]
	copy(e.id[:], text[end+1:])
	if e.mode = canonicalMode(raw); e.mode == 0 {
		return e, "", fmt.Errorf("entry %s has the unknown mode %o", quote(e.name), raw)
	}
	if e.id.IsZero() {
		return e, "", fmt.Errorf("entry %s has no object id", quote(e.name))
	}
	if !safeName(e.name) {
		return e, "", fmt.Errorf("entry %s has a name that git refuses to check out", quote(e.name))
	}
	return e, text[end+1+idSize:], nil
}

// canonicalMode keeps of a file's permissions what git keeps: whether its
// owner may execute it.
func canonicalMode(raw uint32) uint32 {
	switch raw & 0o170000 {
	case 0o100000:
		if raw&0o100 != 0 {
			return modeExec
		}
		return modeFile
	case modeDir, modeLink, modeModule:
		return raw & 0o170000
	}
	return 0
}

func safeName(name string) bool {
	switch {
	case name == "", name == ".", name == "..", strings.Contains(name, "/"):
		return false
	}
	return len(name) != 4 || !strings.EqualFold(name, ".git")
}

func modeText(mode uint32) string { return fmt.Sprintf("%06o", mode) }
