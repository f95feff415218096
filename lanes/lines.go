package lanes

import (
	"sort"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where one value of a TOML document stands: the values themselves
// come through koanf, which knows no lines.
type place struct {
	line  int
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
		c = &place{line: line}
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

// readPlaces walks a document that the TOML parser has already accepted.
func readPlaces(data []byte) *place {
	root := &place{line: 1}
	current := root
	lines := newLineIndex(data)
	p := unstable.Parser{}
	p.Reset(data)
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			current, _ = descend(root, e.Key(), lines)
		case unstable.ArrayTable:
			current = appendTable(root, e.Key(), lines)
		case unstable.KeyValue:
			readKeyValue(current, e, lines)
		}
	}
	return root
}

// descend follows a dotted key and returns where it ends and its line.
func descend(from *place, key unstable.Iterator, lines lineIndex) (*place, int) {
	line := from.line
	for key.Next() {
		n := key.Node()
		line = lines.line(n.Raw.Offset)
		from = from.child(string(n.Data), line)
	}
	return from, line
}

func appendTable(root *place, key unstable.Iterator, lines lineIndex) *place {
	at, line := root, 0
	for key.Next() {
		n := key.Node()
		line = lines.line(n.Raw.Offset)
		if !key.IsLast() {
			at = at.child(string(n.Data), line)
			continue
		}
		at.child(string(n.Data), line) // so that it is there
		list, item := at.keys[string(n.Data)], &place{line: line}
		list.items = append(list.items, item)
		return item
	}
	return at
}

func readKeyValue(table *place, e *unstable.Node, lines lineIndex) {
	at, line := descend(table, e.Key(), lines)
	readValue(at, e.Value(), line, lines)
}

func readValue(at *place, v *unstable.Node, line int, lines lineIndex) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			readKeyValue(at, it.Node(), lines)
		}
	case unstable.Array:
		for it := v.Children(); it.Next(); {
			n := it.Node()
			if n.Kind == unstable.Comment {
				continue
			}
			if n.Raw.Length > 0 {
				line = lines.line(n.Raw.Offset)
			}
			item := &place{line: line}
			at.items = append(at.items, item)
			readValue(item, n, line, lines)
		}
	}
}

// tooDeep reports whether a document nests brackets beyond any that a person
// writes, so that the recursive parser is not handed them. Brackets in
// strings count as well: only their number open at once is judged.
func tooDeep(data []byte) bool {
	const most = 2000
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
