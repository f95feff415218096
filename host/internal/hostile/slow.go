package hostile

import "slices"

// Slow are modules that a reader lets through and a compiler takes minutes
// for: only a limit of its processor time ends them. They are not among All,
// as a process that has no such limit is busy with each for that long.
func Slow() []Attack {
	const want = `^cannot load plugin "[a-z0-9-]+": compiling it takes more than \d+ s of processor time`
	deep := func(n int) []byte {
		return slices.Concat(times(n, i32(0), op(0x04, 0x40)), times(n, op(0x0b)))
	}
	return []Attack{
		{ID: "ifs-39k", About: "39,000 ifs in one function, one behind the other", Want: want, Kind: Refused,
			Module: running(times(39_000, i32(0), op(0x04, 0x40, 0x0b)))},
		{ID: "ifs-nested-32k", About: "32,000 ifs in one another", Want: want, Kind: Refused,
			Module: running(deep(32_000))},
		{ID: "ifs-with-else-30k", About: "30,000 ifs that each set one of 30 locals, or another", Want: want, Kind: Refused,
			Module: changed(func(m *module) { m.bodies[0] = body(seq(op(1), u32(30), op(0x7f)), elses(30_000, 30)) })},
	}
}

// elses are ifs that set other locals than their elses do.
func elses(n, locals int) []byte {
	var b []byte
	for i := range n {
		b = append(b, seq(get(i%locals), op(0x04, 0x40), i32(int64(i)), set((i+1)%locals), op(0x05), i32(0),
			set((i+2)%locals), op(0x0b))...)
	}
	return b
}
