package wasm

import (
	"errors"
	"slices"
	"testing"
)

// TestChargedBySize: what works on as much as it is told is paid for by that,
// whatever the length of its code.
func TestChargedBySize(t *testing.T) {
	num := func(n int64) []byte { return append([]byte{0x41}, appendS64(nil, n)...) }
	const bytes, entries = 1 << 20, 1 << 16
	null := []byte{0xd0, 0x70}
	tests := map[string]struct {
		code []byte
		want int64 // units at least
	}{
		"nothing":     {nil, 0},
		"memory.fill": {slices.Concat(num(0), num(1), num(bytes), []byte{0xfc, 11, 0}), bytes / 16},
		"memory.copy": {slices.Concat(num(0), num(1), num(bytes), []byte{0xfc, 10, 0, 0}), bytes / 16},
		"memory.init": {slices.Concat(num(0), num(0), num(bytes), []byte{0xfc, 8, 0, 0}), bytes / 16},
		"table.grow":  {slices.Concat(null, num(entries), []byte{0xfc, 15, 0, 0x1a}), entries / 2},
		"table.fill":  {slices.Concat(num(0), null, num(entries), []byte{0xfc, 17, 0}), entries / 2},
		"table.copy":  {slices.Concat(num(0), num(0), num(entries), []byte{0xfc, 14, 0, 0}), entries / 2},
		"table.init":  {slices.Concat(num(0), num(0), num(entries), []byte{0xfc, 12, 0, 0}), entries / 2},
		"long code":   {repeat(1<<16, 0x41, 0, 0x1a), 3 << 12},
	}
	e := open(t, Options{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := minimal().with(test.code...)
			m.memories = [][]byte{{0, 17}}
			m.tables = [][]byte{append([]byte{0x70, 0}, appendU32(nil, entries)...)}
			m.elems = [][]byte{slices.Concat([]byte{1, 0}, appendU32(nil, entries), make([]byte, entries))}
			m.dataCount, m.datas = []byte{1}, [][]byte{append([]byte{1}, sized(make([]byte, bytes))...)}
			mod, err := e.Load(t.Context(), "x", m.bytes())
			if err != nil {
				t.Fatal(err)
			}
			r, err := mod.Run(t.Context(), Call{})
			if err != nil || r.Used.Fuel < test.want || r.Used.Fuel > test.want+100 {
				t.Fatalf("used %d units, want %d and a few (%v)", r.Used.Fuel, test.want, err)
			}
			if test.want == 0 {
				return
			}
			var limit *LimitError
			if _, err := mod.Run(t.Context(), Call{Fuel: 1 << 10}); test.want > fuelSlice && !errors.As(err, &limit) {
				t.Fatalf("with less fuel: %v", err)
			}
		})
	}
}

// TestCallsAreCounted: a run that asks its host more often than it may is
// stopped at the call after the last one.
func TestCallsAreCounted(t *testing.T) {
	m := minimal()
	m.types = append(m.types, []byte{0x60, 0, 1, 0x7f})
	m.imports = [][]byte{imported(wasiModule, "sched_yield", 0, 1)}
	m.exports[0] = export("_start", 0, 1)
	m = m.with(repeat(10, 0x10, 0, 0x1a)...)
	mod, err := open(t, Options{}).Load(t.Context(), "x", m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mod.Run(t.Context(), Call{MaxCalls: 10}); err != nil {
		t.Fatal(err)
	}
	for range 100 { // whether the calls come before the request or after it
		_, err = mod.Run(t.Context(), Call{MaxCalls: 9})
		if want := `plugin "x" was stopped: more than 9 calls of host functions`; err == nil || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
}

// TestListsShareACap: folders that are being read do not add up.
func TestListsShareACap(t *testing.T) {
	f := files{}
	for range 5 {
		f.all = append(f.all, &desc{listed: make([]entry, maxListed/2)}, nil)
		f.forgetLists()
		total := 0
		for _, d := range f.all {
			if d != nil {
				total += len(d.listed)
			}
		}
		if total > maxListed {
			t.Fatalf("%d entries are kept, want at most %d", total, maxListed)
		}
	}
}
