// Sums does honest work for a while: it sorts, hashes and concatenates.
package main

import (
	"crypto/sha256"
	"os"
	"sort"
	"strings"
)

func main() {
	numbers := make([]int, 50_000)
	seed := uint32(1)
	for i := range numbers {
		seed = seed*1664525 + 1013904223
		numbers[i] = int(seed >> 8)
	}
	sort.Ints(numbers)
	sum := sha256.Sum256(make([]byte, 1<<20))
	words := strings.Fields(strings.Repeat("a bb ccc ", 20_000))
	os.Stdout.WriteString(strings.ToUpper(words[len(words)-1]))
	os.Stdout.Write(sum[:4])
	if numbers[0] > numbers[1] {
		os.Exit(1)
	}
}
