package incus

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// A new network namespace has its loopback interface down, and the image may
// have no program that brings it up. So pushlane has its own, in machine code:
// what would be
//
//	fd = socket(AF_INET, SOCK_DGRAM, 0); ioctl(fd, SIOCSIFFLAGS, {"lo", IFF_UP})
//
// The kernel gives the interface 127.0.0.1 and ::1 then.

// loopbackPrograms are that program for each processor we know, as arguments
// of printf: the shell writes it and tries it. One for another processor does
// not start.
func loopbackPrograms() []string {
	return []string{octal(program(machineAMD64, codeAMD64())), octal(program(machineARM64, codeARM64()))}
}

const (
	machineAMD64 = 62
	machineARM64 = 183
	headers      = 64 + 56 // of the file, and of its one segment
)

// request is a struct ifreq of 40 bytes that sets the flag IFF_UP of lo.
func request() []byte {
	r := make([]byte, 40)
	copy(r, "lo")
	r[16] = 1
	return r
}

// codeAMD64 is followed by the request.
func codeAMD64() []byte {
	return []byte{
		0xb8, 41, 0, 0, 0, // mov eax, socket
		0xbf, 2, 0, 0, 0, // mov edi, AF_INET
		0xbe, 2, 0, 0, 0, // mov esi, SOCK_DGRAM
		0x31, 0xd2, // xor edx, edx
		0x0f, 0x05, // syscall
		0x89, 0xc7, // mov edi, eax
		0xbe, 0x14, 0x89, 0, 0, // mov esi, SIOCSIFFLAGS
		0x48, 0x8d, 0x15, 18, 0, 0, 0, // lea rdx, [rip+18]: the request
		0xb8, 16, 0, 0, 0, // mov eax, ioctl
		0x0f, 0x05, // syscall
		0x89, 0xc7, // mov edi, eax
		0xf7, 0xdf, // neg edi
		0xb8, 60, 0, 0, 0, // mov eax, exit
		0x0f, 0x05, // syscall
	}
}

// codeARM64 is followed by the request.
func codeARM64() []byte {
	var code []byte
	for _, word := range []uint32{
		0xd2800040, // mov x0, AF_INET
		0xd2800041, // mov x1, SOCK_DGRAM
		0xd2800002, // mov x2, 0
		0xd28018c8, // mov x8, socket
		0xd4000001, // svc 0
		0xd2912281, // mov x1, SIOCSIFFLAGS
		0x100000c2, // adr x2, 24 bytes on: the request
		0xd28003a8, // mov x8, ioctl
		0xd4000001, // svc 0
		0xcb0003e0, // neg x0, x0
		0xd2800ba8, // mov x8, exit
		0xd4000001, // svc 0
	} {
		code = binary.LittleEndian.AppendUint32(code, word)
	}
	return code
}

// program is a static ELF file of one segment.
func program(machine uint16, code []byte) []byte {
	const base = 0x400000
	body := append(code, request()...)
	size := uint64(headers + len(body))
	le := binary.LittleEndian
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	b = le.AppendUint16(b, 2) // ET_EXEC
	b = le.AppendUint16(b, machine)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, base+headers) // where it starts
	b = le.AppendUint64(b, 64)           // program headers
	b = le.AppendUint64(b, 0)            // no section headers
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 1, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, 1) // PT_LOAD
	b = le.AppendUint32(b, 5) // read and execute
	for _, v := range []uint64{0, base, base, size, size, 0x10000} {
		b = le.AppendUint64(b, v)
	}
	return append(b, body...)
}

// octal writes bytes as the format of a shell's printf.
func octal(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		fmt.Fprintf(&b, `\%03o`, c)
	}
	return b.String()
}
