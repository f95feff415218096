package histories

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Policy is the policy of a history's gate.
type Policy struct {
	Protect                 []string
	AllowDelete, AllowForce bool
	PerRef                  bool // each ref has its own answer
}

// Line is one ref line of a push.
type Line struct{ Old, New, Ref string }

// Push is one push to a repository.
type Push struct {
	Dir    string
	Policy Policy
	Lines  []Line
	Cut    bool // the gate sees the last line in part, and git all of it; not where git runs the gate
}

// Stdin is what the gate reads.
func (p Push) Stdin() []byte {
	var b []byte
	for _, l := range p.Lines {
		b = fmt.Appendf(b, "%s %s %s\n", l.Old, l.New, l.Ref)
	}
	if p.Cut {
		b = b[:len(b)-9]
	}
	return b
}

// Answer is what a gate made of a push.
type Answer struct {
	Accepted []bool            // by line
	Done     bool              // git has moved the refs
	JudgedBy map[string]string // by resolved ref: the commit whose lanes judged it; "" its own; nil: not known
	Said     string
}

// world is a repository as it is on disk, and what the model thinks of it.
type world struct {
	pool    *Pool
	dir     string
	policy  Policy
	head    string            // what HEAD names; "" it is detached
	links   map[string]string // symbolic refs
	refs    map[string]*object
	packed  map[string]*object // what packed-refs holds
	byID    map[string]*object
	commits []*object // that pushes draw from

	trusted bool            // a protected ref had lanes once
	sticky  bool            // when that was first so, HEAD named nothing, and every branch was protected
	clean   map[string]bool // refs whose value came while they were protected, or from the owner
	script  strings.Builder
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(&w.script, format+"\n", args...) }

func (w *world) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// resolve is the ref that a name ends at.
func (w *world) resolve(name string) string {
	for range 10 {
		next, link := w.links[name]
		if name == "HEAD" && w.head != "" {
			next, link = w.head, true
		}
		if !link {
			return name
		}
		name = next
	}
	return name
}

func (w *world) value(ref string) string {
	if o := w.refs[ref]; o != nil {
		return o.id
	}
	return zeroID
}

func (w *world) create() error {
	for _, dir := range []string{"objects/info", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(w.path(dir), 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{"HEAD": "ref: " + w.head, "config": "[core]\n\trepositoryformatversion = 0\n\tbare = true",
		"objects/info/alternates": filepath.Join(w.pool.dir, "objects")}
	for name, end := range w.links {
		files[name] = "ref: " + end
	}
	for ref, o := range w.refs {
		if w.packed[ref] == nil {
			files[ref] = o.id
		}
	}
	for name, text := range files {
		if err := w.write(name, text); err != nil {
			return err
		}
	}
	return w.writePacked()
}

func (w *world) write(name, text string) error {
	path := w.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	err := os.Remove(path) // git takes an empty folder away for a ref
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte(text+"\n"), 0o644)
}

func (w *world) writePacked() error {
	if w.packed == nil {
		return nil
	}
	text := "# pack-refs with: sorted"
	for _, ref := range slices.Sorted(maps.Keys(w.packed)) {
		text += "\n" + w.packed[ref].id + " " + ref
	}
	return w.write("packed-refs", text)
}

// git updates one ref as git does after the gate accepted it: if the old value is
// that of the push, and the name is valid.
func (w *world) git(l Line) error {
	ref, o := w.resolve(l.Ref), w.byID[l.New]
	switch {
	case !strings.HasPrefix(l.Ref, "refs/"), strings.Contains(l.Ref, ".."), w.value(ref) != l.Old, w.inTheWay(ref):
		return nil
	case l.New == zeroID && ref != "HEAD":
		return w.remove(ref)
	case l.New == zeroID, !strings.HasPrefix(ref, "refs/tags/") && !strings.HasPrefix(ref, "refs/odd/") && (!o.commit ||
		o.tag):
		return nil
	}
	w.refs[ref] = o
	return w.write(ref, o.id)
}

// inTheWay: a ref cannot be a folder of another.
func (w *world) inTheWay(ref string) bool {
	for _, other := range slices.Concat(slices.Collect(maps.Keys(w.refs)), slices.Collect(maps.Keys(w.links))) {
		if strings.HasPrefix(other, ref+"/") || strings.HasPrefix(ref, other+"/") {
			return true
		}
	}
	return false
}

func (w *world) remove(ref string) error {
	if w.refs[ref] == nil {
		return nil
	}
	delete(w.refs, ref)
	if err := os.Remove(w.path(ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if w.packed[ref] == nil {
		return nil
	}
	delete(w.packed, ref)
	return w.writePacked()
}

// reload reads what real git has made of the refs.
func (w *world) reload() error {
	now := map[string]*object{}
	for ref, o := range w.packed {
		now[ref] = o
	}
	err := filepath.WalkDir(w.path("refs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || strings.HasPrefix(string(text), "ref:") {
			return err
		}
		ref, err := filepath.Rel(w.dir, path)
		if o := w.byID[strings.TrimSpace(string(text))]; o != nil {
			now[filepath.ToSlash(ref)] = o
		}
		return err
	})
	if text, err := os.ReadFile(w.path("HEAD")); err == nil && w.head == "" {
		now["HEAD"] = w.byID[strings.TrimSpace(string(text))]
	}
	w.refs = now
	return err
}

// readPacked reads packed-refs again: git takes what it deletes out of it.
func (w *world) readPacked() error {
	text, err := os.ReadFile(w.path("packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	w.packed = map[string]*object{}
	for line := range strings.Lines(string(text)) {
		id, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		if o := w.byID[id]; o != nil {
			w.packed[ref] = o
		}
	}
	return err
}
