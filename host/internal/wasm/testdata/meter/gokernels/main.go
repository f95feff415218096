// Gokernels does what plugins spend their time on: standard input's first byte
// says which.
package main

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
)

func sieve() (primes uint32) {
	out := make([]bool, 2_000_000)
	for i := 2; i < len(out); i++ {
		if out[i] {
			continue
		}
		primes++
		for k := i + i; k < len(out); k += i {
			out[k] = true
		}
	}
	return primes
}

func hash() uint32 {
	data, h := make([]byte, 4<<20), uint32(2166136261)
	for range 4 {
		for _, b := range data {
			h = (h ^ uint32(b)) * 16777619
		}
	}
	return h
}

func matrix() uint32 {
	const n = 160
	var a, b, c [n][n]float64
	for i := range n {
		for k := range n {
			a[i][k], b[i][k] = float64(i+k), float64(i-k)
		}
	}
	for i := range n {
		for j := range n {
			for k := range n {
				c[i][j] += a[i][k] * b[k][j]
			}
		}
	}
	return uint32(int64(c[3][4]))
}

func parse() uint32 {
	seen := map[string]int{}
	for line := range strings.Lines(strings.Repeat("path=src/a/b.c line=127 tags=x,y,z\n", 20_000)) {
		for _, field := range strings.Fields(line) {
			if key, value, found := strings.Cut(field, "="); found {
				seen[key] += len(value)
			}
		}
	}
	return uint32(seen["path"])
}

func sort() uint32 {
	v, seed := make([]uint32, 200_000), uint32(1)
	for i := range v {
		seed = seed*1664525 + 1013904223
		v[i] = seed
	}
	slices.Sort(v)
	return v[len(v)/2]
}

//go:noinline
func calls(n uint32) uint32 {
	if n < 2 {
		return n
	}
	return calls(n-1) + calls(n-2)
}

func main() {
	which := make([]byte, 1)
	if _, err := os.Stdin.Read(which); err != nil {
		os.Exit(3)
	}
	var got uint32
	switch which[0] {
	case 's':
		got = sieve()
	case 'h':
		got = hash()
	case 'm':
		got = matrix()
	case 'j':
		got = parse()
	case 'q':
		got = sort()
	case 'c':
		got = calls(30)
	default:
		os.Exit(4)
	}
	_ = binary.Write(os.Stdout, binary.LittleEndian, got)
}
