package hostile

import "bytes"

// Instructions. Each function gives the bytes of a piece of code; pieces are
// put one behind the other.

func op(b ...byte) []byte { return b }

func i32(v int64) []byte { return append([]byte{0x41}, s64(int64(int32(v)))...) }
func i64(v int64) []byte { return append([]byte{0x42}, s64(v)...) }

func get(local int) []byte { return append([]byte{0x20}, u32(uint32(local))...) }
func set(local int) []byte { return append([]byte{0x21}, u32(uint32(local))...) }
func tee(local int) []byte { return append([]byte{0x22}, u32(uint32(local))...) }

func call(function int) []byte { return append([]byte{0x10}, u32(uint32(function))...) }

// callIndirect calls what is in table 0 at the place on the stack.
func callIndirect(typ byte) []byte { return []byte{0x11, typ, 0} }

func drop() []byte    { return []byte{0x1a} }
func add() []byte     { return []byte{0x6a} }
func trap() []byte    { return []byte{0x00} }
func grow() []byte    { return []byte{0x40, 0} }
func refNull() []byte { return []byte{0xd0, 0x70} }

func seq(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func times(n int, code ...[]byte) []byte { return bytes.Repeat(seq(code...), n) }

// forever is a loop without an end.
func forever(code ...[]byte) []byte { return seq(op(0x03, 0x40), seq(code...), op(0x0c, 0, 0x0b)) }

// while repeats code that leaves a condition.
func while(code ...[]byte) []byte { return seq(op(0x03, 0x40), seq(code...), op(0x0d, 0, 0x0b)) }

// count repeats code n times with its own local.
func count(local int, n int64, code ...[]byte) []byte {
	return seq(i32(n), set(local), while(seq(code...), get(local), i32(1), op(0x6b), tee(local)))
}

// when runs code if the condition on the stack holds.
func when(code ...[]byte) []byte { return seq(op(0x04, 0x40), seq(code...), op(0x0b)) }

// bulk is one of the operations behind 0xfc, between its operands and its
// immediates.
func bulk(number byte, immediates ...byte) []byte { return append([]byte{0xfc, number}, immediates...) }

func memoryInit(segment byte) []byte   { return bulk(8, segment, 0) }
func memoryCopy() []byte               { return bulk(10, 0, 0) }
func memoryFill() []byte               { return bulk(11, 0) }
func tableInit(segment byte) []byte    { return bulk(12, segment, 0) }
func tableCopy() []byte                { return bulk(14, 0, 0) }
func tableGrow() []byte                { return bulk(15, 0) }
func tableFill() []byte                { return bulk(17, 0) }
func store32(at, value int64) []byte   { return seq(i32(at), i32(value), op(0x36, 2, 0)) }
func store8(at int64, v []byte) []byte { return seq(i32(at), v, op(0x3a, 0, 0)) }
func store64(at, value int64) []byte   { return seq(i32(at), i64(value), op(0x37, 3, 0)) }

// load32 leaves the number that is in memory.
func load32(at int64) []byte { return seq(i32(at), op(0x28, 2, 0)) }
