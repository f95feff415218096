package main

import "slices"

// finder finds the keys of all rules in one pass over a text, upper and lower
// case alike: an automaton with a state for each beginning of a key.
type finder struct {
	delta [maxStates << 8]uint16 // state, byte -> state, with ending where a key ends in it
	outs  [][]keyEnd             // by state
}

const (
	maxStates = 1024
	ending    = maxStates // flag of a state in which a key ends
)

// keyEnd is a key that ends in a state.
type keyEnd struct {
	rule int
	key  string
}

func newFinder(rules []rule) *finder {
	f := &finder{outs: make([][]keyEnd, 1)}
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
	state := 0
	for _, c := range []byte(k.key) {
		small, large := bothCases(c)
		if f.delta[state<<8|int(small)] == 0 {
			to := uint16(len(f.outs))
			f.outs = append(f.outs, nil)
			f.delta[state<<8|int(small)], f.delta[state<<8|int(large)] = to, to
		}
		state = int(f.delta[state<<8|int(small)])
	}
	f.outs[state] = append(f.outs[state], k)
}

// link gives each state what follows where no key goes on: that of its longest
// end which begins one. Then it marks the states in which keys end.
func (f *finder) link() {
	failed := make([]uint16, len(f.outs))
	var queue []uint16
	for c := range 256 {
		if to := f.delta[c]; to != 0 && (len(queue) == 0 || queue[len(queue)-1] != to) && failed[to] == 0 {
			queue = appendNew(queue, to)
		}
	}
	for len(queue) > 0 {
		state := int(queue[0])
		queue = queue[1:]
		back := int(failed[state])
		f.outs[state] = append(f.outs[state], f.outs[back]...)
		for c := range 256 {
			at, other := state<<8|c, f.delta[back<<8|c]
			if to := f.delta[at]; to != 0 {
				failed[to] = other
				queue = appendNew(queue, to)
			} else {
				f.delta[at] = other
			}
		}
	}
	for i, to := range f.delta {
		if len(f.outs[to]) > 0 {
			f.delta[i] = to | ending
		}
	}
}

// appendNew adds a state that the last few have not got: both cases of a letter
// lead to one.
func appendNew(queue []uint16, state uint16) []uint16 {
	if slices.Contains(queue[max(0, len(queue)-64):], state) {
		return queue
	}
	return append(queue, state)
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
