package wasm

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// computing is a module with one function f(i32) i32 and room to work in.
func computing(locals []byte, ops ...byte) []byte {
	m := minimal()
	m.types = append(m.types, []byte{0x60, 1, 0x7f, 1, 0x7f}, []byte{0x60, 2, 0x7f, 0x7f, 2, 0x7f, 0x7f})
	m.funcs = []byte{0, 1, 1, 2}
	m.tables = [][]byte{{0x70, 0, 4}}
	m.exports = append(m.exports, export("f", 0, 1))
	m.elems = [][]byte{{0, 0x41, 0, 0x0b, 2, 1, 2}}
	m.bodies = [][]byte{code(),
		sized(slices.Concat(locals, ops, []byte{0x0b})),
		code(0x20, 0, 0x41, 3, 0x6c), // g(x) = x*3
		code(0x20, 1, 0x20, 0),       // swap
	}
	m.datas = [][]byte{
		append([]byte{0, 0x41, 8, 0x0b, 4}, "abcd"...),
		append([]byte{0, 0x41, 16, 0x0b, 4}, "efgh"...),
		append(append([]byte{0, 0x41}, appendS64(nil, 4096)...), append([]byte{0x0b, 4}, "ijkl"...)...),
	}
	return m.bytes()
}

// programs use everything that metering touches.
var programs = map[string][]byte{
	"a sum in a loop": computing([]byte{1, 1, 0x7f},
		0x03, 0x40, // loop
		0x20, 1, 0x20, 0, 0x6a, 0x21, 1, // s += x
		0x20, 0, 0x41, 1, 0x6b, 0x22, 0, // x--
		0x0d, 0, // br_if
		0x0b, 0x20, 1),
	"a loop in a loop that leaves both": computing([]byte{1, 2, 0x7f},
		0x02, 0x40, 0x03, 0x40, 0x03, 0x40,
		0x20, 1, 0x41, 1, 0x6a, 0x22, 1, 0x41, 0xe4, 0x00, 0x4a, 0x0d, 2, // if ++s > 100 leave
		0x20, 1, 0x41, 7, 0x70, 0x0d, 0, // while s%7
		0x0b, 0x20, 1, 0x20, 0, 0x48, 0x0d, 0, // while s < x
		0x0b, 0x0b, 0x20, 1),
	"a loop with parameters": computing([]byte{0},
		0x20, 0, 0x41, 5, 0x03, 2, // (x, 5) loop (i32 i32) -> (i32 i32)
		0x10, 3, 0x0b, 0x6b), // swap, sub
	"a recursion": computing([]byte{0},
		0x20, 0, 0x41, 2, 0x48, 0x04, 0x7f, 0x20, 0, 0x05, // fib
		0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x20, 0, 0x41, 2, 0x6b, 0x10, 1, 0x6a, 0x0b),
	"an indirect call": computing([]byte{0}, 0x20, 0, 0x41, 1, 0x11, 1, 0),
	"a br_table": computing([]byte{0}, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 0, 0x0e, 2, 0, 1, 2, 0x0b, 0x41, 10,
		0x0f, 0x0b, 0x41, 20, 0x0f, 0x0b, 0x41, 30),
	"memory.fill": computing([]byte{0}, 0x41, 0x80, 0x01, 0x20, 0, 0x41, 0xd0, 0x00, 0xfc, 11, 0, 0x41, 0x82, 0x01,
		0x28, 2, 0),
	"memory.copy":      computing([]byte{0}, 0x41, 12, 0x41, 9, 0x41, 7, 0xfc, 10, 0, 0, 0x41, 12, 0x28, 0, 0),
	"an overlong fill": computing([]byte{0}, 0x41, 0, 0x20, 0, 0x41, 0x7f, 0xfc, 11, 0, 0x20, 0),
	"table work": computing([]byte{0}, 0x41, 2, 0x41, 0, 0x41, 2, 0xfc, 14, 0, 0, 0xd2, 2, 0x41, 3, 0xfc, 15, 0,
		0x1a, 0x20, 0, 0x41, 3, 0x11, 1, 0, 0xfc, 16, 0, 0x6a),
	"memory.grow": computing([]byte{0}, 0x41, 1, 0x40, 0, 0x3f, 0, 0x6a),
	"segments": computing([]byte{0}, 0x41, 8, 0x28, 2, 0, 0x41, 12, 0x28, 2, 0, 0x6a, 0x41, 16, 0x28, 2, 0, 0x73, 0x41,
		0x80, 0x20, 0x28, 2, 0, 0x6a),
	"a long leaf": computing([]byte{0}, append([]byte{0x20, 0},
		bytes.Repeat([]byte{0x41, 3, 0x6a, 0x20, 0, 0x73}, 60)...)...),
	"dead code":   computing([]byte{0}, 0x20, 0, 0x0f, 0x03, 0x40, 0x00, 0xfc, 11, 0, 0x0c, 0, 0x0b, 0x41, 0),
	"vectors":     computing([]byte{0}, 0x20, 0, 0xfd, 17, 0x41, 3, 0xfd, 17, 0xfd, 0xb5, 0x01, 0xfd, 27, 2),
	"unreachable": computing([]byte{0}, 0x00),
}

// TestMeteredBehavesTheSame runs each program as it is and metered.
func TestMeteredBehavesTheSame(t *testing.T) {
	for name, data := range programs {
		t.Run(name, func(t *testing.T) {
			f, err := check(data)
			if err != nil {
				t.Fatal(err)
			}
			metered, err := meter(data, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range []uint64{0, 1, 2, 5, 24} {
				if x == 0 && name == "a sum in a loop" {
					continue // counts down from 2^32
				}
				want, got := compute(t, data, ^uint32(0), x), compute(t, metered, uint32(f.allFuncs()), x)
				if want != got {
					t.Fatalf("f(%d): plain %s, metered %s", x, want, got)
				}
			}
		})
	}
}

// compute calls f and tells its result and what memory is like afterwards.
func compute(t *testing.T, data []byte, tick uint32, x uint64) string {
	t.Helper()
	ctx := experimental.WithFunctionListenerFactory(t.Context(), experimental.FunctionListenerFactoryFunc(
		func(d api.FunctionDefinition) experimental.FunctionListener {
			if d.Index() != tick {
				return nil
			}
			return experimental.FunctionListenerFunc(func(context.Context, api.Module, api.FunctionDefinition, []uint64,
				experimental.StackIterator) {
			})
		}))
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(16))
	defer r.Close(ctx)
	mod, err := r.InstantiateWithConfig(ctx, data, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	res, err := mod.ExportedFunction("f").Call(ctx, x)
	if err != nil {
		cause, _ := (&Module{}).splitTrap(err.Error())
		return cause
	}
	mem, _ := mod.Memory().Read(0, 8192)
	return fmt.Sprint(res, " ", mem)
}

// FuzzMeter: what check lets through is valid with its meter if and only if it
// is valid without. So nothing in the original can reach the meter.
func FuzzMeter(f *testing.F) {
	for _, data := range programs {
		f.Add(data)
	}
	ctx := context.Background()
	config := wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(1 << 16)
	valid := func(b []byte) error {
		r := wazero.NewRuntimeWithConfig(ctx, config)
		defer r.Close(ctx)
		_, err := r.CompileModule(ctx, b)
		return err
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := check(b)
		if err != nil {
			return
		}
		metered, err := meter(b, facts)
		if err != nil {
			return
		}
		plain, with := valid(withoutCustom(b, facts)), valid(metered)
		if plain == nil && with != nil || plain != nil && with == nil {
			t.Fatalf("plain: %v\nmetered: %v\n%x", plain, with, b)
		}
	})
}

// withoutCustom leaves out what meter leaves out as well.
func withoutCustom(b []byte, f *facts) []byte {
	out := slices.Clone(coreHeader)
	for _, s := range f.sections {
		if s.id != 0 {
			out = append(out, b[s.start:s.end]...)
		}
	}
	return out
}
