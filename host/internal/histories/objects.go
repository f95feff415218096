package histories

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// zeroID is what git writes for "not there".
const zeroID = "0000000000000000000000000000000000000000"

// object is what a ref can name, and what the model knows of it.
type object struct {
	id, name string // name is what the script calls it
	commit   bool   // it is a commit, or a tag of one
	tag      bool
	tree     map[string]string // content by path; nil: a blob
	parents  []*object
}

// reaches lists a commit and everything before it.
func (o *object) reaches() map[*object]bool {
	found := map[*object]bool{}
	todo := []*object{o}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if !found[at] {
			found[at] = true
			todo = append(todo, at.parents...)
		}
	}
	return found
}

// Pool is a folder of git objects that the repositories of many histories
// share, each through its alternates. Not safe for concurrent use.
type Pool struct {
	dir     string
	known   map[string]bool
	buf     bytes.Buffer
	deflate *zlib.Writer
	next    int // number of the next repository
}

// NewPool makes one in an empty folder, whose path is absolute.
func NewPool(dir string) (*Pool, error) {
	p := &Pool{dir: dir, known: map[string]bool{}}
	p.deflate = zlib.NewWriter(&p.buf)
	return p, os.MkdirAll(dir, 0o755)
}

// maxPool is how many objects the histories share before they start anew: a
// folder in memory takes a page for each.
const maxPool = 20_000

// forget empties a pool that has grown; no repository may be in use.
func (p *Pool) forget() error {
	if len(p.known) < maxPool {
		return nil
	}
	clear(p.known)
	return os.RemoveAll(filepath.Join(p.dir, "objects"))
}

func (p *Pool) put(kind string, body []byte) (string, error) {
	head := fmt.Appendf(nil, "%s %d\x00", kind, len(body))
	sum := sha1.Sum(append(head, body...))
	id := hex.EncodeToString(sum[:])
	if p.known[id] {
		return id, nil
	}
	p.buf.Reset()
	p.deflate.Reset(&p.buf)
	p.deflate.Write(head)
	p.deflate.Write(body)
	p.deflate.Close() // writes to memory cannot fail
	dir := filepath.Join(p.dir, "objects", id[:2])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	p.known[id] = true
	return id, os.WriteFile(filepath.Join(dir, id[2:]), p.buf.Bytes(), 0o444)
}

// tree writes a tree of files and returns its id.
func (p *Pool) tree(files map[string]string) (string, error) {
	type entry struct{ name, mode, id string }
	var entries []entry
	folders := map[string]map[string]string{}
	for name, text := range files {
		dir, rest, deep := strings.Cut(name, "/")
		if deep {
			if folders[dir] == nil {
				folders[dir] = map[string]string{}
			}
			folders[dir][rest] = text
			continue
		}
		id, err := p.put("blob", []byte(text))
		if err != nil {
			return "", err
		}
		entries = append(entries, entry{name, "100644", id})
	}
	for name, inside := range folders {
		id, err := p.tree(inside)
		if err != nil {
			return "", err
		}
		entries = append(entries, entry{name + "/", "40000", id})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var body []byte
	for _, e := range entries {
		raw, err := hex.DecodeString(e.id)
		if err != nil {
			return "", err
		}
		body = append(body, e.mode+" "+strings.TrimSuffix(e.name, "/")+"\x00"...)
		body = append(body, raw...)
	}
	return p.put("tree", body)
}

const signature = "A <a@example.org> %d +0000"

// commit writes a commit; time is its date in seconds.
func (p *Pool) commit(name string, files map[string]string, time int, parents ...*object) (*object, error) {
	tree, err := p.tree(files)
	if err != nil {
		return nil, err
	}
	text := "tree " + tree + "\n"
	for _, parent := range parents {
		text += "parent " + parent.id + "\n"
	}
	who := fmt.Sprintf(signature, time)
	id, err := p.put("commit", fmt.Appendf(nil, "%sauthor %s\ncommitter %s\n\n%s\n", text, who, who, name))
	return &object{id: id, name: name, commit: true, tree: maps.Clone(files), parents: parents}, err
}

// annotated writes a tag object of a commit.
func (p *Pool) annotated(name string, of *object) (*object, error) {
	who := fmt.Sprintf(signature, 1_700_000_000)
	id, err := p.put("tag", fmt.Appendf(nil, "object %s\ntype commit\ntag %s\ntagger %s\n\n%s\n", of.id, name, who, name))
	return &object{id: id, name: name, commit: true, tag: true, tree: of.tree, parents: []*object{of}}, err
}

// plain writes a tree or, without files, a blob for a ref to name outright.
func (p *Pool) plain(name string, files map[string]string) (*object, error) {
	if files == nil {
		id, err := p.put("blob", []byte("good\n"))
		return &object{id: id, name: name}, err
	}
	id, err := p.tree(files)
	return &object{id: id, name: name, tree: maps.Clone(files)}, err
}
