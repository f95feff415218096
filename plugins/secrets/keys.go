package main

// finder finds the keys of all rules in one pass over a text, upper and lower
// case alike: an automaton with a state for each beginning of a key.
type finder struct {
	class [256]byte // of each byte; 0: in no key
	width int       // number of classes
	delta []uint16  // state*width + class -> state
	outs  [][]keyEnd
	ends  []bool // states in which a key ends
}

// keyEnd is a key that ends in a state.
type keyEnd struct {
	rule int
	key  string
}

func newFinder(rules []rule) *finder {
	f := &finder{width: 1}
	for _, r := range rules {
		for _, key := range r.keys {
			f.classes(key)
		}
	}
	f.state()
	for i, r := range rules {
		for _, key := range r.keys {
			f.add(keyEnd{i, key})
		}
	}
	f.link()
	return f
}

// classes gives the bytes of a key classes of their own.
func (f *finder) classes(key string) {
	for _, c := range []byte(key) {
		if c = small(c); f.class[c] == 0 {
			f.class[c] = byte(f.width)
			f.class[large(c)] = byte(f.width)
			f.width++
		}
	}
}

func small(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func large(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// state makes a new one.
func (f *finder) state() uint16 {
	f.delta = append(f.delta, make([]uint16, f.width)...)
	f.outs = append(f.outs, nil)
	f.ends = append(f.ends, false)
	return uint16(len(f.outs) - 1)
}

// add makes the states of a key.
func (f *finder) add(k keyEnd) {
	state := uint16(0)
	for _, c := range []byte(k.key) {
		at := int(state)*f.width + int(f.class[c])
		if f.delta[at] == 0 {
			to := f.state()
			f.delta[at] = to
		}
		state = f.delta[at]
	}
	f.outs[state] = append(f.outs[state], k)
	f.ends[state] = true
}

// link gives each state what follows where no key goes on: that of its longest
// end which begins one.
func (f *finder) link() {
	failed := make([]uint16, len(f.outs))
	var queue []uint16
	for class := 1; class < f.width; class++ {
		if to := f.delta[class]; to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		back := failed[state]
		f.outs[state] = append(f.outs[state], f.outs[back]...)
		f.ends[state] = f.ends[state] || f.ends[back]
		for class := 1; class < f.width; class++ {
			at, other := int(state)*f.width+class, f.delta[int(back)*f.width+class]
			if to := f.delta[at]; to != 0 {
				failed[to] = other
				queue = append(queue, to)
			} else {
				f.delta[at] = other
			}
		}
	}
}

// next goes on from a state to the next place where a key ends, and gives how
// many bytes that takes: all of the text where there is none. It is a small
// function of its own: a loop is charged for the whole of the function it is in.
func (f *finder) next(state uint16, text []byte) (int, uint16) {
	for i, c := range text {
		state = f.delta[int(state)*f.width+int(f.class[c])]
		if f.ends[state] {
			return i + 1, state
		}
	}
	return len(text) + 1, 0
}
