package lanes

import (
	"errors"
	"fmt"
)

type byteSet [4]uint64

func (s *byteSet) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *byteSet) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// compile turns the part of a pattern from its first wildcard on into tokens.
func compile(p string) ([]token, error) {
	var prog []token
	for i := 0; i < len(p); {
		switch p[i] {
		case '*':
			t, n := compileStars(p, i)
			prog = append(prog, t)
			i += n
		case '?':
			prog = append(prog, token{kind: anyByte})
			i++
		case '[':
			set, n, err := compileClass(p[i:])
			if err != nil {
				return nil, err
			}
			prog = append(prog, token{kind: classByte, set: set})
			i += n
		case '\\':
			if i+1 == len(p) {
				return nil, errors.New("it ends in a lone backslash")
			}
			prog = append(prog, token{kind: oneByte, b: p[i+1]})
			i += 2
		default:
			prog = append(prog, token{kind: oneByte, b: p[i]})
			i++
		}
	}
	for i := range prog {
		if prog[i].kind == manyDirs {
			prog[i].jump = "/" + plainHead(prog[i+1:])
		}
	}
	return prog, nil
}

// compileStars reads a run of stars at p[i:] and says how many bytes it took,
// with the slash of a `**/`.
func compileStars(p string, i int) (token, int) {
	end := i
	for end < len(p) && p[end] == '*' {
		end++
	}
	rest := p[end:]
	whole := (i == 0 || p[i-1] == '/') &&
		(rest == "" || rest[0] == '/' || len(rest) > 1 && rest[:2] == `\/`)
	switch {
	case end-i == 1 || !whole:
		return token{kind: star}, end - i
	case rest != "" && rest[0] == '/':
		return token{kind: manyDirs}, end - i + 1
	default:
		return token{kind: anything}, end - i
	}
}

var errUnclosed = errors.New("a [ has no ]; write \\[ to mean the character")

// compileClass reads a bracket expression at the start of p and says how many
// bytes it took.
func compileClass(p string) (*byteSet, int, error) {
	set := new(byteSet)
	i := 1
	negated := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negated {
		i++
	}
	low := -1 // the start of a possible range
	for first := true; ; first = false {
		if i >= len(p) {
			return nil, 0, errUnclosed
		}
		if p[i] == ']' && !first {
			break
		}
		n, err := classItem(set, p[i:], &low)
		if err != nil {
			return nil, 0, err
		}
		i += n
	}
	if negated {
		set.invert()
	}
	return set, i + 1, nil
}

// classItem adds one item of a bracket expression to set: a byte, an escaped
// byte, the rest of a range whose first byte is *low, or a [:name:].
func classItem(set *byteSet, p string, low *int) (int, error) {
	switch {
	case p[0] == '\\':
		if len(p) < 2 {
			return 0, errUnclosed
		}
		set.add(p[1])
		*low = int(p[1])
		return 2, nil
	case p[0] == '-' && *low > 0 && len(p) > 1 && p[1] != ']':
		return classRange(set, p, low)
	case len(p) > 1 && p[:2] == "[:":
		if n, err := namedClass(set, p); n > 0 || err != nil {
			*low = -1
			return n, err
		}
	}
	set.add(p[0])
	*low = int(p[0])
	return 1, nil
}

func classRange(set *byteSet, p string, low *int) (int, error) {
	n, high := 2, p[1]
	if high == '\\' {
		if len(p) < 3 {
			return 0, errUnclosed
		}
		n, high = 3, p[2]
	}
	for b := *low; b <= int(high); b++ {
		set.add(byte(b))
	}
	*low = -1
	return n, nil
}

// namedClass reads a [:name:]; 0 bytes and no error mean that p holds none.
func namedClass(set *byteSet, p string) (int, error) {
	end := 2
	for end < len(p) && p[end] != ']' {
		end++
	}
	if end == len(p) {
		return 0, errUnclosed
	}
	if end < 3 || p[end-1] != ':' {
		return 0, nil
	}
	name := p[2 : end-1]
	holds, ok := posix(name)
	if !ok {
		return 0, fmt.Errorf("unknown class [:%s:]", name)
	}
	for b := range 256 {
		if holds(byte(b)) {
			set.add(byte(b))
		}
	}
	return end + 1, nil
}

// posix gives the meaning of a class name in the C locale: no byte above 127
// is in any of them.
func posix(name string) (func(byte) bool, bool) {
	between := func(low, high byte) func(byte) bool {
		return func(b byte) bool { return b >= low && b <= high }
	}
	lower, upper, digit, graph := between('a', 'z'), between('A', 'Z'), between('0', '9'), between('!', '~')
	alpha := func(b byte) bool { return lower(b) || upper(b) }
	alnum := func(b byte) bool { return alpha(b) || digit(b) }
	switch name {
	case "alnum":
		return alnum, true
	case "alpha":
		return alpha, true
	case "blank":
		return func(b byte) bool { return b == ' ' || b == '\t' }, true
	case "cntrl":
		return func(b byte) bool { return b < 32 || b == 127 }, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return between(' ', '~'), true
	case "punct":
		return func(b byte) bool { return graph(b) && !alnum(b) }, true
	case "space":
		return func(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }, true
	case "upper":
		return upper, true
	case "xdigit":
		return func(b byte) bool { return digit(b) || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F' }, true
	}
	return nil, false
}

// plainHead is the plain text that a pattern begins with.
func plainHead(prog []token) string {
	var b []byte
	for _, t := range prog {
		if t.kind != oneByte {
			break
		}
		b = append(b, t.b)
	}
	return string(b)
}

// plainTail is the plain text that a pattern ends in.
func plainTail(prog []token) string {
	first := len(prog)
	for first > 0 && prog[first-1].kind == oneByte {
		first--
	}
	var b []byte
	for _, t := range prog[first:] {
		b = append(b, t.b)
	}
	return string(b)
}
