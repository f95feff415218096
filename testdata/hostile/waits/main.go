// Waits blocks in its host without end.
package main

import "unsafe"

//go:wasmimport lane1 call
func call(op, opLen, req, reqLen, resp, respCap uint32) int64

//go:wasmimport lane1 wait
func wait(handles, n, ready uint32, timeout int64) int32

func at(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

func main() {
	op, req, buf, ids := []byte("never@1"), []byte("{}"), make([]byte, 64), []byte{1, 0, 0, 0}
	call(at(op), uint32(len(op)), at(req), 2, at(buf), 64)
	wait(at(ids), 1, at(buf), -1)
}
