//go:build wasip1 && extism

package main

import "encoding/binary"

func main() {}

//go:wasmimport extism:host/env input_length
func inputLength() uint64

//go:wasmimport extism:host/env input_load_u8
func inputLoad8(uint64) uint32

//go:wasmimport extism:host/env input_load_u64
func inputLoad64(uint64) uint64

//go:wasmimport extism:host/env alloc
func alloc(uint64) uint64

//go:wasmimport extism:host/env store_u8
func store8(uint64, uint32)

//go:wasmimport extism:host/env store_u64
func store64(uint64, uint64)

//go:wasmimport extism:host/env output_set
func outputSet(uint64, uint64)

// run moves bytes as Extism's own kits do: eight with each call of the host.
//
//go:wasmexport run
func run() int32 {
	n := inputLength()
	input := make([]byte, n)
	i := uint64(0)
	for ; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(input[i:], inputLoad64(i))
	}
	for ; i < n; i++ {
		input[i] = byte(inputLoad8(i))
	}
	out := work(input)
	at := alloc(uint64(len(out)))
	j := 0
	for ; j+8 <= len(out); j += 8 {
		store64(at+uint64(j), binary.LittleEndian.Uint64(out[j:]))
	}
	for ; j < len(out); j++ {
		store8(at+uint64(j), uint32(out[j]))
	}
	outputSet(at, uint64(len(out)))
	return 0
}
