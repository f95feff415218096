package main

import "slices"

// finder finds the keys of all rules in one pass over a text, upper and lower
// case alike: an automaton with a state for each beginning of a key.
type finder struct {
	delta [maxStates << 8]uint16 // state, byte -> state, with ending where a key ends in it
	outs  [][]keyEnd             // by state
	kids  [][]kid                // by state: the bytes that a key goes on with
}

const (
	maxStates = 2048
	ending    = maxStates // flag of a state in which a key ends
)

// keyEnd is a key that ends in a state.
type keyEnd struct {
	rule int
	key  string
}

// kid is a byte, in lower case, and the state that it leads to.
type kid struct {
	c  byte
	to uint16
}

func newFinder(rules []rule) *finder {
	f := &finder{outs: make([][]keyEnd, 1), kids: make([][]kid, 1)}
	for i, r := range rules {
		for _, key := range r.keys {
			f.add(keyEnd{i, key})
		}
	}
	f.link()
	return f
}

// bothCases are a byte's lower and upper case; the same where it has none.
func bothCases(c byte) (small, large byte) {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A', c
	case 'a' <= c && c <= 'z':
		return c, c - 'a' + 'A'
	}
	return c, c
}

// add makes the states of a key.
func (f *finder) add(k keyEnd) {
	state := uint16(0)
	for _, c := range []byte(k.key) {
		small, _ := bothCases(c)
		i := slices.IndexFunc(f.kids[state], func(k kid) bool { return k.c == small })
		if i < 0 {
			i = len(f.kids[state])
			f.kids[state] = append(f.kids[state], kid{small, uint16(len(f.outs))})
			f.outs, f.kids = append(f.outs, nil), append(f.kids, nil)
		}
		state = f.kids[state][i].to
	}
	f.outs[state] = append(f.outs[state], k)
}

// link gives each state, the short beginnings first, what follows where no key
// goes on: that of its longest end which begins one.
func (f *finder) link() {
	failed := make([]uint16, len(f.outs))
	for queue := []uint16{0}; len(queue) > 0; queue = queue[1:] {
		state, back := int(queue[0]), int(failed[queue[0]])
		if state != 0 {
			copy(f.delta[state<<8:][:256], f.delta[back<<8:][:256])
		}
		for _, k := range f.kids[state] {
			if state != 0 {
				failed[k.to] = f.delta[back<<8|int(k.c)] &^ ending
			}
			f.outs[k.to] = append(f.outs[k.to], f.outs[failed[k.to]]...)
			to := k.to
			if len(f.outs[to]) > 0 {
				to |= ending
			}
			small, large := bothCases(k.c)
			f.delta[state<<8|int(small)], f.delta[state<<8|int(large)] = to, to
			queue = append(queue, k.to)
		}
	}
}

// next goes on from a state to the next place where a key ends, and gives how
// many bytes that takes: more than the text has where there is none. A guest pays
// for its code each time that it jumps, so eight bytes are looked at a jump.
func (f *finder) next(state uint16, text []byte) (int, uint16) {
	n := 0
	for ; len(text)-n >= 8; n += 8 {
		t := text[n : n+8 : n+8]
		seen, s := uint16(0), state
		s = f.delta[uint(s&(maxStates-1))<<8|uint(t[0])]
		seen |= s
		s = f.delta[uint(s&(maxStates-1))<<8|uint(t[1])]
		seen |= s
		s = f.delta[uint(s&(maxStates-1))<<8|uint(t[2])]
		seen |= s
		s = f.delta[uint(s&(maxStates-1))<<8|uint(t[3])]
		seen |= s
		s = f.delta[uint(s&(maxStates-1))<<8|uint(t[4])]
		seen |= s
		s = f.delta[uint(s&(maxStates-1))<<8|uint(t[5])]
		seen |= s
		s = f.delta[uint(s&(maxStates-1))<<8|uint(t[6])]
		seen |= s
		s = f.delta[uint(s&(maxStates-1))<<8|uint(t[7])]
		seen |= s
		if seen&ending != 0 {
			break
		}
		state = s
	}
	for ; n < len(text); n++ {
		state = f.delta[uint(state&(maxStates-1))<<8|uint(text[n])]
		if state&ending != 0 {
			return n + 1, state &^ ending
		}
	}
	return len(text) + 1, state
}
