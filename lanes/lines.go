package lanes

import (
	"fmt"
	"sort"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is the position of one value of a TOML document: the values themselves
// are what go-toml decodes, which does not give lines.
type place struct {
	line  int
	depth int               // tables and lists above it
	keys  map[string]*place // of a table
	items []*place          // of an array of tables, or of an array
}

func (p *place) key(name string) *place {
	if p == nil || p.keys[name] == nil {
		return p
	}
	return p.keys[name]
}

func (p *place) item(i int) *place {
	if p == nil || i >= len(p.items) {
		return p
	}
	return p.items[i]
}

func (p *place) at() int {
	if p == nil {
		return 0
	}
	return p.line
}

// child is the table below p called name, made on first sight. Of an array
// of tables it is the last one, as in TOML's own headers.
func (p *place) child(name string, line int) *place {
	if p.keys == nil {
		p.keys = map[string]*place{}
	}
	c := p.keys[name]
	if c == nil {
		c = &place{line: line, depth: p.depth + 1}
		p.keys[name] = c
	}
	if n := len(c.items); n > 0 {
		return c.items[n-1]
	}
	return c
}

// lineIndex finds the line of an offset without counting from the top.
type lineIndex []int

func newLineIndex(data []byte) lineIndex {
	var ends lineIndex
	for i, b := range data {
		if b == '\n' {
			ends = append(ends, i)
		}
	}
	return ends
}

func (x lineIndex) line(offset uint32) int {
	return sort.SearchInts(x, int(offset)) + 1
}

// maxDepth is how far tables and lists may nest. The parsers are recursive,
// and a megabyte of dots or brackets must not become their stack.
const maxDepth = 64

// maxKeys is how many keys one table may have. The TOML parser looks for each
// new key among all that its table has, one by one.
const maxKeys = 1000

// document is what we know of a file besides its values.
type document struct {
	root   *place
	lines  lineIndex
	starts []int       // the line of each header and each key at the left edge
	excess FormatError // the first thing that is more than we take; Line 0: none
}

// readPlaces walks a document as far as it is good TOML; that it is, others
// check.
func readPlaces(data []byte) *document {
	d := &document{root: &place{line: 1}, lines: newLineIndex(data)}
	current := d.root
	p := unstable.Parser{}
	p.Reset(data)
	for d.excess.Line == 0 && p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.Comment {
			continue
		}
		key := e.Key()
		key.Next()
		d.starts = append(d.starts, d.lines.line(key.Node().Raw.Offset))
		switch e.Kind {
		case unstable.Table:
			current, _ = d.descend(d.root, e.Key())
		case unstable.ArrayTable:
			current = d.appendTable(e.Key())
		case unstable.KeyValue:
			d.readKeyValue(current, e)
		}
	}
	return d
}

// check notes the first place that is nested too deep or has too many keys.
func (d *document) check(p *place, line int) {
	switch {
	case d.excess.Line > 0:
	case p.depth > maxDepth:
		d.excess = FormatError{Line: line, Msg: fmt.Sprintf("tables or lists are nested more than %d deep", maxDepth)}
	case len(p.keys) > maxKeys:
		d.excess = FormatError{Line: line, Msg: fmt.Sprintf("a table has more than %d keys", maxKeys)}
	}
}

// blame finds the header or key from which on a document is refused, for errors
// that have no line. It tries each start of one: the text before it is complete.
func (d *document) blame(data []byte, refused func([]byte) bool) int {
	k := sort.Search(len(d.starts), func(i int) bool {
		if i+1 == len(d.starts) {
			return true
		}
		return refused(data[:d.lines[d.starts[i+1]-2]+1])
	})
	if k == len(d.starts) {
		return 0
	}
	return d.starts[k]
}

// descend follows a dotted key and returns where it ends and its line.
func (d *document) descend(from *place, key unstable.Iterator) (*place, int) {
	line := from.line
	for key.Next() {
		n := key.Node()
		line = d.lines.line(n.Raw.Offset)
		next := from.child(string(n.Data), line)
		d.check(from, line)
		from = next
	}
	d.check(from, line)
	return from, line
}

func (d *document) appendTable(key unstable.Iterator) *place {
	at := d.root
	for key.Next() {
		n := key.Node()
		name, line := string(n.Data), d.lines.line(n.Raw.Offset)
		next := at.child(name, line)
		d.check(at, line)
		if key.IsLast() {
			list := at.keys[name]
			next = &place{line: line, depth: at.depth + 2}
			list.items = append(list.items, next)
		}
		at = next
	}
	d.check(at, at.line)
	return at
}

func (d *document) readKeyValue(table *place, e *unstable.Node) {
	at, line := d.descend(table, e.Key())
	d.readValue(at, e.Value(), line)
}

func (d *document) readValue(at *place, v *unstable.Node, line int) {
	d.check(at, line)
	for it := v.Children(); d.excess.Line == 0 && it.Next(); {
		n := it.Node()
		switch {
		case v.Kind == unstable.InlineTable:
			d.readKeyValue(at, n)
		case v.Kind == unstable.Array && n.Kind != unstable.Comment:
			if n.Raw.Length > 0 {
				line = d.lines.line(n.Raw.Offset)
			}
			item := &place{line: line, depth: at.depth + 1}
			at.items = append(at.items, item)
			d.readValue(item, n, line)
		}
	}
}

// bracketsTooDeep reports whether more brackets are open at once than any
// person writes, so that a recursive parser is not handed them. Those in
// strings and comments are counted with the others, hence the large number.
func bracketsTooDeep(data []byte) bool {
	const most = 5000
	depth := 0
	for _, b := range data {
		switch b {
		case '[', '{':
			if depth++; depth > most {
				return true
			}
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return false
}

// LineOf is the line of a key in a TOML document, which its tables' names lead
// to, or of the last of them that is there.
func LineOf(data []byte, keys ...string) int {
	at := readPlaces(data).root
	for _, key := range keys {
		at = at.key(key)
	}
	return at.at()
}
