package histories

import "math/rand/v2"

// Choices is what a history is made of: a row of small numbers.
type Choices struct{ next func() int }

// FromSeed is the history of a seed.
func FromSeed(seed uint64) Choices {
	r := rand.New(rand.NewPCG(seed, seed))
	return Choices{func() int { return int(r.Uint32() >> 1) }}
}

// FromBytes is the history that a fuzzer's bytes spell, one byte a choice.
// After the last byte every choice is 0.
func FromBytes(data []byte) Choices {
	return Choices{func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}}
}

// n is a number from 0 to k-1.
func (c Choices) n(k int) int { return c.next() % k }

// oneIn is true once in k times. Zeroes mean no.
func (c Choices) oneIn(k int) bool { return c.n(k) == k-1 }

func pick[T any](c Choices, of ...T) T { return of[c.n(len(of))] }
