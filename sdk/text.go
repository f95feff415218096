package sdk

import (
	"bytes"
	"io"
	"iter"
	"unicode/utf16"
	"unicode/utf8"
)

// textKind says how a content is read as text.
type textKind byte

const (
	unread textKind = iota
	narrow          // UTF-8, or what else is not UTF-16
	wide            // UTF-16
	notText
)

const (
	binaryHead = 8000 // bytes that are searched for a NUL, as git does
	// BlockOverlap is how many bytes at the end of a block are repeated at the
	// beginning of the next one if a line is longer than a block: no match up to
	// this length is missed at the boundary.
	BlockOverlap = 4 << 10
)

// Block is a part of a text: whole lines, or a part of one line that is longer.
// Its bytes are valid until the next block is read.
type Block struct {
	Text  []byte
	Line  int  // number of its first line, from 1
	Col   int  // bytes of that line before Text
	Again int  // bytes at its beginning that the block before had too
	Start bool // it begins a line
	End   bool // the text ends with it
}

// Binary reports that the content is not text: it has a NUL byte in its first 8000
// bytes, as in git, and is not UTF-16. It is valid after Blocks has begun.
func (c *Content) Binary() bool { return c.kind == notText }

// Blocks yields a text in order, as UTF-8 without a byte order mark. UTF-16 of
// either byte order is decoded, with or without a mark, and even if the mark is
// wrong. Binary content yields none.
func (c *Content) Blocks() iter.Seq[Block] {
	return func(yield func(Block) bool) {
		buf := c.run.buffers.borrow()
		defer c.run.buffers.giveBack(buf)
		r, err := c.text(buf)
		if err != nil || c.kind == notText {
			c.err = err
			return
		}
		b := Block{Line: 1, Start: true}
		for have := 0; ; {
			n, err := io.ReadFull(r, buf[have:])
			end := err == io.EOF || err == io.ErrUnexpectedEOF
			if err != nil && !end {
				c.err = err
				return
			}
			b.Text, b.End = buf[:have+n], end
			if have = b.cut(); !yield(b) || end {
				return
			}
			b.follow(buf, have)
		}
	}
}

// cut takes of a full buffer what is handed on, and says how much stays.
func (b *Block) cut() (rest int) {
	if b.End {
		return 0
	}
	whole := len(b.Text)
	if n := bytes.LastIndexByte(b.Text, '\n') + 1; n > b.Again {
		b.Text = b.Text[:n]
		return whole - n
	}
	return BlockOverlap
}

// follow makes it the block that comes next; the buffer begins with what stays.
func (b *Block) follow(buf []byte, rest int) {
	if n := len(b.Text); n > 0 && b.Text[n-1] == '\n' && n+rest == len(buf) {
		b.Line += CountLines(b.Text[b.Again:])
		copy(buf, buf[n:])
		*b = Block{Line: b.Line, Start: true}
		return
	}
	b.Col += len(b.Text) - rest
	copy(buf, b.Text[len(b.Text)-rest:])
	*b = Block{Line: b.Line, Col: b.Col, Again: rest}
}

// CountLines counts the line ends of a text. A guest is charged at each jump of its
// code, so this processes eight bytes per jump, where bytes.Count processes one.
func CountLines(text []byte) int {
	n := uint32(0)
	for ; len(text) >= 8; text = text[8:] {
		n += isEnd(text[0]) + isEnd(text[1]) + isEnd(text[2]) + isEnd(text[3]) +
			isEnd(text[4]) + isEnd(text[5]) + isEnd(text[6]) + isEnd(text[7])
	}
	for _, c := range text {
		n += isEnd(c)
	}
	return int(n)
}

// isEnd is 1 for a line's end, without a jump.
func isEnd(c byte) uint32 { return (uint32(c^'\n') - 1) >> 31 }

// text begins to read a content as text; buf is used for its beginning.
func (c *Content) text(buf []byte) (io.Reader, error) {
	n, err := io.ReadFull(c.src, buf[:min(len(buf), binaryHead)])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	head := append(make([]byte, 0, n), buf[:n]...)
	kind, mark := kindOfText(head)
	c.kind = kind
	all := &begun{head: head[mark:], rest: c.src}
	if kind == wide {
		return newWideReader(all, order(head[:mark])), nil
	}
	return all, nil
}

// begun is a reader whose beginning was read already.
type begun struct {
	head []byte
	rest io.Reader
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	return b.rest.Read(p)
}

const (
	markUTF8   = "\xef\xbb\xbf"
	markLittle = "\xff\xfe"
	markBig    = "\xfe\xff"
)

// kindOfText says how a content is read that begins so, and how long its byte
// order mark is.
func kindOfText(head []byte) (textKind, int) {
	switch {
	case bytes.HasPrefix(head, []byte(markUTF8)):
		return narrow, len(markUTF8)
	case bytes.HasPrefix(head, []byte(markLittle)), bytes.HasPrefix(head, []byte(markBig)):
		return wide, len(markBig)
	case bytes.IndexByte(head, 0) < 0:
		return narrow, 0
	case looksWide(head):
		return wide, 0
	}
	return notText, 0
}

// looksWide reports whether bytes without a mark are UTF-16 all the same: of
// many units exactly one byte is NUL, and mostly the same of the two.
func looksWide(head []byte) bool {
	var nul [2]int
	for i, c := range head {
		if c == 0 {
			nul[i%2]++
		}
	}
	few, many := min(nul[0], nul[1]), max(nul[0], nul[1])
	return len(head) >= 4 && many*4 >= len(head)/2 && few*8 <= many
}

// order is what a byte order mark says; little where there is none.
func order(mark []byte) (big bool) { return string(mark) == markBig }

// wideReader makes UTF-8 of UTF-16. A mark is a claim: which byte of a unit
// comes first is found out again for each stretch, since a reader that believes
// it sees noise where others see text.
type wideReader struct {
	src  io.Reader
	big  bool
	in   [1024]byte
	have int // bytes in in
	out  []byte
	end  bool
	high rune // a surrogate that waits for its other half
}

func newWideReader(src io.Reader, big bool) *wideReader { return &wideReader{src: src, big: big} }

func (w *wideReader) Read(p []byte) (int, error) {
	for len(w.out) == 0 {
		if w.end {
			return 0, io.EOF
		}
		if err := w.stretch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.out)
	w.out = w.out[n:]
	return n, nil
}

// stretch decodes some hundred units.
func (w *wideReader) stretch() error {
	n, err := io.ReadFull(w.src, w.in[w.have:])
	if w.end = err == io.EOF || err == io.ErrUnexpectedEOF; err != nil && !w.end {
		return err
	}
	units := w.in[:(w.have+n)&^1]
	w.big = bigFirst(units, w.big)
	w.out = w.out[:0]
	for i := 0; i < len(units); i += 2 {
		a, b := rune(units[i]), rune(units[i+1])
		if !w.big {
			a, b = b, a
		}
		w.unit(a<<8 | b)
	}
	w.have = copy(w.in[:], w.in[len(units):w.have+n])
	return nil
}

// unit appends one code unit. NUL is left out: UTF-32 of plain letters then
// reads as those.
func (w *wideReader) unit(u rune) {
	if w.high != 0 {
		joined := utf16.DecodeRune(w.high, u)
		w.high = 0
		w.out = utf8.AppendRune(w.out, joined)
		if joined != utf8.RuneError {
			return
		}
	}
	switch {
	case u == 0:
	case u >= 0xd800 && u < 0xdc00:
		w.high = u
	default:
		w.out = utf8.AppendRune(w.out, u)
	}
}

// bigFirst reports which byte of each unit is the upper one: the one that is NUL in
// more of them, else as the caller assumed.
func bigFirst(units []byte, said bool) bool {
	var nul [2]int
	for i, c := range units {
		if c == 0 {
			nul[i%2]++
		}
	}
	if nul[0] == nul[1] {
		return said
	}
	return nul[0] > nul[1]
}
