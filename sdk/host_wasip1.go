package sdk

import (
	"os"
	"runtime"
	"unsafe"
)

// process is what the host gives a guest. A module that asks nothing of
// the host does not import lane1: the linker drops what no one calls.
func process() Session {
	return Session{In: os.Stdin, Out: os.Stdout, Log: os.Stderr,
		Src: "/src", Base: "/base", History: "/history", Results: "/results", Artifacts: "/out", WithImports: true}
}

//go:wasmimport lane1 call
func laneCall(op unsafe.Pointer, opLen uint32, req unsafe.Pointer, reqLen uint32, resp unsafe.Pointer,
	respCap uint32) int64

//go:wasmimport lane1 take
func laneTake(p unsafe.Pointer, size uint32) int64

//go:wasmimport lane1 read
func laneRead(handle int32, p unsafe.Pointer, size uint32) int64

//go:wasmimport lane1 wait
func laneWait(handles unsafe.Pointer, n uint32, ready unsafe.Pointer, timeout int64) int32

//go:wasmimport lane1 close
func laneClose(handle int32) int32

// callHost carries out one operation. The error is an *OpError.
func callHost(op string, req []byte) ([]byte, error) {
	name := []byte(op)
	resp := make([]byte, 512)
	n := laneCall(unsafe.Pointer(&name[0]), uint32(len(name)), unsafe.Pointer(&req[0]), uint32(len(req)),
		unsafe.Pointer(&resp[0]), uint32(len(resp)))
	runtime.KeepAlive(name)
	runtime.KeepAlive(req)
	switch {
	case n < 0:
		return nil, opFault(op, n, takeParked())
	case n > int64(len(resp)):
		return takeParked(), nil
	}
	return resp[:n], nil
}

// takeParked fetches the answer that was too large for callHost's buffer, or
// the words to an error.
func takeParked() []byte {
	b := make([]byte, 512)
	for {
		n := laneTake(unsafe.Pointer(&b[0]), uint32(len(b)))
		switch {
		case n < 0:
			return nil
		case n <= int64(len(b)):
			return b[:n]
		}
		b = make([]byte, n)
	}
}

// waitHandles waits until one of the handles is ready, or for some
// milliseconds. An error counts as all of them being ready: what is wrong
// shows when they are used.
func waitHandles(handles []int32, millis int64) []byte {
	ready := make([]byte, len(handles))
	n := laneWait(unsafe.Pointer(&handles[0]), uint32(len(handles)), unsafe.Pointer(&ready[0]), millis)
	runtime.KeepAlive(handles)
	if n < 0 {
		for i := range ready {
			ready[i] = flagErr
		}
	}
	return ready
}

// readHandle reads from a handle; 0 is its end.
func readHandle(handle int32, p []byte) (int, error) {
	n := laneRead(handle, unsafe.Pointer(&p[0]), uint32(len(p)))
	runtime.KeepAlive(p)
	if n < 0 {
		return 0, opFault("read", n, takeParked())
	}
	return int(n), nil
}

func closeHandle(handle int32) { laneClose(handle) }
