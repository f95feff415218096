package sdk

import (
	"strconv"
	"strings"
)

// maxDepth is how deep arrays and objects may nest, the outermost being 1.
const maxDepth = 64

// SyntaxError is the position of unexpected JSON.
type SyntaxError struct {
	Offset int    // byte from the start
	Where  string // "changes[3].path"; empty at the top
	Msg    string // "want a string, found a number"
}

func (e *SyntaxError) Error() string {
	at := " at byte " + strconv.Itoa(e.Offset)
	if e.Where == "" {
		return e.Msg + at
	}
	return e.Where + ": " + e.Msg + at
}

// decoder reads JSON from the left, once, without reflection. The first fault
// stays in err and every read after it does nothing. Strings that need no
// unescaping are parts of s, not copies.
type decoder struct {
	s     string
	pos   int
	depth int
	err   *SyntaxError
}

// end returns the fault, if any; what follows the value must be white space.
func (d *decoder) end() error {
	if d.peek(); d.err == nil && d.pos < len(d.s) {
		d.fail("want the end, found more")
	}
	if d.err != nil {
		return d.err
	}
	return nil
}

func (d *decoder) fail(msg string) {
	if d.err == nil {
		d.err = &SyntaxError{Offset: d.pos, Msg: msg}
	}
}

// within says in which part of the value the fault lies, inner parts first.
func (d *decoder) within(part string) {
	if len(part) > 64 {
		part = part[:64]
	}
	if w := d.err.Where; w != "" && w[0] != '[' {
		part += "."
	}
	d.err.Where = part + d.err.Where
}

// peek passes over white space and returns the next byte, 0 at the end.
func (d *decoder) peek() byte {
	for d.pos < len(d.s) {
		switch c := d.s[d.pos]; c {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// kindOf names the value that starts with c, for a message.
func kindOf(c byte) string {
	switch {
	case c == 0:
		return "the end"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '"':
		return "a string"
	case c == 't', c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-', '0' <= c && c <= '9':
		return "a number"
	}
	return strconv.QuoteToASCII(string(rune(c)))
}

func (d *decoder) want(what string) { d.fail("want " + what + ", found " + kindOf(d.peek())) }

// null takes a null, which means the same as an absent key.
func (d *decoder) null() bool {
	return d.err == nil && d.peek() == 'n' && d.word("null")
}

func (d *decoder) word(w string) bool {
	if !strings.HasPrefix(d.s[d.pos:], w) {
		d.fail("want a value")
		return false
	}
	d.pos += len(w)
	return true
}

// open takes the first byte of an array or an object.
func (d *decoder) open(c byte, what string) bool {
	if d.err != nil || d.null() {
		return false
	}
	if d.peek() != c {
		d.want(what)
		return false
	}
	if d.depth++; d.depth > maxDepth {
		d.fail("nested deeper than " + strconv.Itoa(maxDepth))
		return false
	}
	d.pos++
	return true
}

// next is called before each element of an array or object that ends with c. It
// consumes the comma or the end and reports whether an element follows.
func (d *decoder) next(c byte, first bool) bool {
	if d.err != nil {
		return false
	}
	got := d.peek()
	switch {
	case got == c:
		d.pos++
		d.depth--
		return false
	case first:
		return true
	case got != ',':
		d.fail("want , or " + string(rune(c)) + ", found " + kindOf(got))
		return false
	}
	d.pos++
	if d.peek() == c {
		d.fail("want a value after the comma")
		return false
	}
	return true
}

// object reads an object. field gets each key and reads its value, or returns
// false for a key it does not know, whose value is passed over. A key that
// comes twice is refused.
func (d *decoder) object(field func(key string) bool) {
	if !d.open('{', "an object") {
		return
	}
	var keys keySet
	for first := true; d.next('}', first); first = false {
		if d.peek() != '"' {
			d.want("a key")
			return
		}
		key := d.quoted(false)
		if d.err == nil && !keys.add(key) {
			d.fail("a key that comes twice")
		}
		if d.err == nil && d.peek() != ':' {
			d.fail("want :, found " + kindOf(d.peek()))
		}
		if d.err == nil {
			d.pos++
			if !field(key) {
				d.skip()
			}
		}
		if d.err != nil {
			d.within(key)
			return
		}
	}
}

// keySet holds the keys of one object; few need no map.
type keySet struct {
	few  [12]string
	n    int
	many map[string]struct{}
}

func (k *keySet) add(key string) bool {
	for _, have := range k.few[:k.n] {
		if have == key {
			return false
		}
	}
	if k.n < len(k.few) {
		k.few[k.n] = key
		k.n++
		return true
	}
	if k.many == nil {
		k.many = make(map[string]struct{})
	}
	_, have := k.many[key]
	k.many[key] = struct{}{}
	return !have
}

// array reads an array; item reads one element.
func (d *decoder) array(item func()) {
	if !d.open('[', "an array") {
		return
	}
	for i := 0; d.next(']', i == 0); i++ {
		if item(); d.err != nil {
			d.within("[" + strconv.Itoa(i) + "]")
			return
		}
	}
}

// list reads an array of one type.
func list[T any](d *decoder, into *[]T, item func(*T)) {
	if d.null() {
		return
	}
	*into = []T{}
	d.array(func() {
		var v T
		item(&v)
		*into = append(*into, v)
	})
}

// text reads a string into s; invalid UTF-8 becomes U+FFFD.
func (d *decoder) text(s *string) { d.str(s, false) }

// path reads a file name into s: bytes, see Change.
func (d *decoder) path(s *string) { d.str(s, true) }

func (d *decoder) str(s *string, raw bool) {
	switch {
	case d.err != nil || d.null():
	case d.peek() != '"':
		d.want("a string")
	default:
		*s = d.quoted(raw)
	}
}

func (d *decoder) texts(into *[]string) { list(d, into, d.text) }
func (d *decoder) paths(into *[]string) { list(d, into, d.path) }

// number passes over a number and reports whether it is an integer.
func (d *decoder) number() (text string, integer bool) {
	start := d.pos
	if d.at('-') {
		d.pos++
	}
	if d.at('0') {
		d.pos++
	} else if !d.digits() {
		return "", false
	}
	integer = true
	if d.at('.') {
		d.pos++
		integer = false
		d.digits()
	}
	if d.at('e') || d.at('E') {
		d.pos++
		integer = false
		if d.at('+') || d.at('-') {
			d.pos++
		}
		d.digits()
	}
	return d.s[start:d.pos], integer
}

func (d *decoder) at(c byte) bool { return d.pos < len(d.s) && d.s[d.pos] == c }

func (d *decoder) digits() bool {
	start := d.pos
	for d.pos < len(d.s) && '0' <= d.s[d.pos] && d.s[d.pos] <= '9' {
		d.pos++
	}
	if d.pos == start {
		d.fail("want a digit")
	}
	return d.pos > start
}

// integer reads an integer of 64 bits, written without fraction or exponent.
func (d *decoder) integer() int64 {
	if d.err != nil || d.null() {
		return 0
	}
	if kindOf(d.peek()) != "a number" {
		d.want("an integer")
		return 0
	}
	start := d.pos
	text, whole := d.number()
	if d.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if !whole || err != nil {
		d.pos = start
		d.fail("want an integer of 64 bits, found another number")
	}
	return n
}

func (d *decoder) int64(n *int64) {
	if !d.null() {
		*n = d.integer()
	}
}

func (d *decoder) int(n *int) {
	if d.null() {
		return
	}
	v := d.integer()
	if *n = int(v); int64(*n) != v {
		d.fail("want an integer of this machine's size")
	}
}

func (d *decoder) bool(b *bool) {
	if d.err != nil || d.null() {
		return
	}
	switch d.peek() {
	case 't':
		*b = d.word("true")
	case 'f':
		*b = !d.word("false")
	default:
		d.want("a boolean")
	}
}

// skip passes over any value, as strictly as if it were wanted.
func (d *decoder) skip() {
	if d.err != nil {
		return
	}
	var b bool
	switch c := d.peek(); kindOf(c) {
	case "an object":
		d.object(func(string) bool { return false })
	case "an array":
		d.array(d.skip)
	case "a string":
		d.quoted(true)
	case "a boolean":
		d.bool(&b)
	case "null":
		d.null()
	case "a number":
		d.number()
	default:
		d.want("a value")
	}
}
