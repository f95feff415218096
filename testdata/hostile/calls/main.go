// Calls uses the functions of module lane1 as they are, rightly and wrongly,
// and prints every answer.
package main

import (
	"fmt"
	"os"
	"unsafe"
)

//go:wasmimport lane1 call
func call(op, opLen, req, reqLen, resp, respCap uint32) int64

//go:wasmimport lane1 take
func take(ptr, room uint32) int64

//go:wasmimport lane1 read
func read(handle, ptr, room uint32) int64

//go:wasmimport lane1 write
func write(handle, ptr, n uint32) int64

//go:wasmimport lane1 wait
func wait(handles, n, ready uint32, timeout int64) int32

//go:wasmimport lane1 close
func closeHandle(handle uint32) int32

//go:wasmimport lane1 log
func log(level, ptr, n uint32)

func at(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

var buf = make([]byte, 4096)

func ask(op, req string, room int) int64 {
	o, r := []byte(op), []byte(req)
	return call(at(o), uint32(len(o)), at(r), uint32(len(r)), at(buf), uint32(room))
}

func taken() string {
	n := take(at(buf), uint32(len(buf)))
	if n < 0 || int(n) > len(buf) {
		return fmt.Sprint(n)
	}
	return string(buf[:n])
}

func main() {
	fmt.Println("echo", ask("echo@1", `{"a":1}`, 4096), string(buf[:7]))
	fmt.Println("echo, no room", ask("echo@1", `{"a":1}`, 3), take(at(buf), 2), taken(), taken())
	fmt.Println("unknown", ask("rocket.launch@9", `{}`, 4096), taken())
	fmt.Println("no JSON", ask("echo@1", `{`, 4096), taken())
	fmt.Println("refused", ask("refuse@1", `{}`, 4096), taken())
	fmt.Println("broke", ask("break@1", `{}`, 4096), taken())
	long := make([]byte, 1<<20+1)
	fmt.Println("too large", call(at([]byte("echo@1")), 6, at(long), uint32(len(long)), 0, 0), taken())
	fmt.Println("outside", call(0xfffffff0, 0x20, 0, 0, 0, 0), call(0, 0, 0xffffffff, 0xffffffff, 0, 0),
		call(0, 0, 0, 0, 0x7fffffff, 1), take(0xffffff00, 0x1000), taken())
	handles()
	log(1, at([]byte("went\nwrong")), 10)
	log(3, at([]byte("so so")), 5)
	log(1, 0xffffffff, 0xffffffff)
	for n := 0; ; n++ {
		if code := ask("slow@1", "{}", 4096); code < 0 {
			fmt.Println("handles", n, code, taken())
			break
		}
	}
	if len(os.Args) > 1 {
		os.Exit(2)
	}
}

func handles() {
	ids := make([]byte, 4*65)
	ready := make([]byte, 65)
	fmt.Println("bad handles", read(7, at(buf), 10), write(7, at(buf), 1), closeHandle(7), closeHandle(0),
		closeHandle(0xffffffff), read(1, 0xfffffff0, 100))
	ids[0] = 9
	fmt.Println("wait for none", wait(at(ids), 1, at(ready), 1000), ready[0])
	fmt.Println("wait wrongly", wait(0, 0, 0, -1), wait(at(ids), 65, at(ready), 0), wait(0xfffffff0, 5, at(ready), 0),
		wait(at(ids), 1, 0xffffffff, 0), wait(0, 0, 0, 1))
	fmt.Println("slow", ask("slow@1", "{}", 4096), string(buf[:12]))
	ids[0] = 1
	fmt.Println("not yet", wait(at(ids), 1, at(ready), 0), ready[0], read(1, at(buf), 4096))
	fmt.Println("now", wait(at(ids), 1, at(ready), -1), ready[0])
	n := read(1, at(buf), 4096)
	fmt.Println("read", n, string(buf[:n]), read(1, at(buf), 4096), read(1, 0xfffffff0, 4096))
	fmt.Println("write", write(1, at(buf), 1))
	fmt.Println("close", closeHandle(1), closeHandle(1))
}
