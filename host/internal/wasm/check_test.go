package wasm

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// raw is a module of bytes behind the header.
func raw(b ...byte) []byte { return append(slices.Clone(coreHeader), b...) }

func repeat(n int, ops ...byte) []byte { return bytes.Repeat(ops, n) }

// TestRefused has the modules that would cost gigabytes, minutes or the whole
// process if they were compiled, and those that are merely wrong.
func TestRefused(t *testing.T) {
	change := func(f func(*made)) []byte {
		m := minimal()
		f(&m)
		return m.bytes()
	}
	big := appendU32(nil, 1<<32-1)
	tests := map[string]struct {
		module []byte
		want   string
	}{
		"nothing":                   {nil, "it is empty"},
		"a text":                    {[]byte("#!/bin/sh\n"), "it is not a WebAssembly module"},
		"a header alone":            {raw(), "it has no memory"},
		"half a header":             {[]byte("\x00asm\x01"), "it is not a WebAssembly module"},
		"a component":               {[]byte("\x00asm\x0d\x00\x01\x00"), "it is a WebAssembly component, a plugin is a core module"},
		"a newer version":           {[]byte("\x00asm\x02\x00\x00\x00"), "it is WebAssembly of version 02 00 00 00, this host reads version 1"},
		"17 bytes, 268 M functions": {raw(10, 5, 0xff, 0xff, 0xff, 0x7f, 0), "it has 0 functions and code for 268435455"},
		"19 bytes, 4 G parameters":  {raw(slices.Concat([]byte{1, 8, 1, 0x60}, big, []byte{0})...), "it claims 4294967295 parameters in 1 bytes"},
		"4 G types":                 {raw(slices.Concat([]byte{1, 5}, big)...), "it claims 4294967295 types in 0 bytes"},
		"4 G locals":                {change(func(m *made) { m.bodies[0] = sized(slices.Concat([]byte{1}, big, []byte{0x7f, 0x0b})) }), "has more than 4096 locals"},
		"4 G locals in two groups": {change(func(m *made) {
			m.bodies[0] = sized(slices.Concat([]byte{2}, big, []byte{0x7f}, big, []byte{0x7f, 0x0b}))
		}), "has more than 4096 locals"},
		"a section beyond the end": {raw(1, 100, 0), "section 1 claims 100 bytes of 1"},
		"an unknown section":       {raw(14, 0), "it has a section of unknown kind 14"},
		"a section twice":          {raw(1, 1, 0, 1, 1, 0), "it has section 1 twice"},
		"sections out of order":    {raw(3, 1, 0, 1, 1, 0), "section 1 is out of order"},
		"a number of six bytes":    {raw(1, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "is too long"},
		"a number of 33 bits":      {raw(1, 5, 0xff, 0xff, 0xff, 0xff, 0x1f), "is too long"},
		"nested 100,000 deep":      {minimal().with(append(repeat(100_000, 0x02, 0x40), repeat(100_000, 0x0b)...)...).bytes(), "it nests blocks deeper than 4096"},
		"32,000 ifs":               {minimal().with(repeat(32_000, 0x41, 0, 0x04, 0x40, 0x0b)...).bytes(), "has 32000 branches, at most 10000 are allowed"},
		"4,000 locals and 4,000 ifs": {change(func(m *made) {
			m.bodies[0] = sized(slices.Concat([]byte{1}, appendU32(nil, 4000), []byte{0x7f}, repeat(4000, 0x41, 0, 0x04, 0x40, 0x0b), []byte{0x0b}))
		}), "has 4000 branches over 4000 locals, the product may be 200000"},
		"9,000 ifs in each of 6 functions": {change(func(m *made) {
			m.funcs = repeat(6, 0)
			m.bodies = nil
			for range 6 {
				m.bodies = append(m.bodies, code(repeat(9000, 0x41, 0, 0x04, 0x40, 0x0b)...))
			}
		}), "it branches so much that compiling it would take too long"},
		"a br_table of a million":    {minimal().with(slices.Concat([]byte{0x41, 0, 0x0e}, appendU32(nil, 1<<20), repeat(1<<20, 0), []byte{0})...).bytes(), "the code of a function is 1048585 bytes long, at most 1048576 are allowed"},
		"a br_table of 20,000":       {minimal().with(slices.Concat([]byte{0x41, 0, 0x0e}, appendU32(nil, 20_000), repeat(20_001, 0))...).bytes(), "it has 20000 branches of a table, at most 16384 are allowed"},
		"a br_table that claims 4 G": {minimal().with(slices.Concat([]byte{0x41, 0, 0x0e}, big)...).bytes(), "it claims 4294967295 branches of a table in 1 bytes"},
		"a table of 400 M":           {change(func(m *made) { m.tables = [][]byte{slices.Concat([]byte{0x70, 0}, appendU32(nil, 400_000_000))} }), "its tables start with 400000000 entries, at most 1048576 are allowed"},
		"16 tables of a million": {change(func(m *made) {
			m.tables = slices.Repeat([][]byte{slices.Concat([]byte{0x70, 0}, appendU32(nil, 1<<20))}, 16)
		}), "its tables start with 2097152 entries, at most 1048576 are allowed"},
		"two memories":                     {change(func(m *made) { m.memories = [][]byte{{0, 1}, {0, 1}} }), "it has 2 memories, at most 1 are allowed"},
		"a shared memory":                  {change(func(m *made) { m.memories = [][]byte{{3, 1, 1}} }), "it has a memory of kind 3: shared and 64-bit ones are not supported"},
		"a memory of 8 GiB":                {change(func(m *made) { m.memories = [][]byte{append([]byte{0}, appendU32(nil, 1<<17)...)} }), "it has a memory of more than 65536 pages"},
		"a memory above the host's":        {change(func(m *made) { m.memories = [][]byte{append([]byte{0}, appendU32(nil, 1<<16)...)} }), "it starts with 4096 MiB of memory, this host allows 512 MiB"},
		"an import from elsewhere":         {change(func(m *made) { m.imports = [][]byte{imported("env", "system", 0, 0)} }), `it imports "system" from module "env"; a plugin may import from wasi_snapshot_preview1 and lane1 only`},
		"an import that does not exist":    {change(func(m *made) { m.imports = [][]byte{imported("lane1", "exec", 0, 0)} }), `it imports "exec" from module "lane1", which has no such function`},
		"an import with another signature": {change(func(m *made) { m.imports = [][]byte{imported("lane1", "call", 0, 0)} }), `it imports "call" from module "lane1" with another signature than that function has`},
		"an imported memory":               {change(func(m *made) { m.imports = [][]byte{append(imported("wasi_snapshot_preview1", "memory", 2, 0), 1)} }), `it imports "memory" from module "wasi_snapshot_preview1", which has no such function`},
		"no _start":                        {change(func(m *made) { m.exports = m.exports[1:] }), "it exports no function _start without parameters and results"},
		"a _start with a result":           {change(func(m *made) { m.types = [][]byte{{0x60, 0, 1, 0x7f}}; m.bodies[0] = code(0x41, 0) }), "it exports no function _start without parameters and results"},
		"no exported memory":               {change(func(m *made) { m.exports = m.exports[:1] }), `it does not export its memory as "memory"`},
		"an export of ours":                {change(func(m *made) { m.exports = append(m.exports, export("__lane_tick", 0, 0)) }), `it exports "__lane_tick"; names that begin with __lane_ are the host's`},
		"a call of the tick function":      {minimal().with(0x10, 1).bytes(), "it uses function 1 of 1"},
		"filling the counter up":           {minimal().with(0x42, 0, 0x24, 0).bytes(), "it uses global 0 of 0"},
		"a use of the scratch local":       {minimal().with(0x20, 0, 0x1a).bytes(), "it uses local 0 of 0"},
		"the type of the tick function":    {minimal().with(0x02, 1, 0x0b).bytes(), "has a type that does not exist"},
		"the tick function in a table":     {change(func(m *made) { m.tables = [][]byte{{0x70, 0, 1}}; m.elems = [][]byte{{0, 0x41, 0, 0x0b, 1, 1}} }), "it uses function 1 of 1"},
		"an export of the counter":         {change(func(m *made) { m.exports = append(m.exports, export("fuel", 3, 0)) }), "it uses global 0 of 0"},
		"atomics":                          {minimal().with(0xfe, 0x03, 0).bytes(), "it uses operation 0xfe at byte 49, which this host does not support"},
		"a tail call":                      {minimal().with(0x12, 0).bytes(), "it uses operation 0x12 at byte 49, which this host does not support"},
		"exceptions":                       {minimal().with(0x1f, 0x40, 0, 0x0b).bytes(), "it uses operation 0x1f at byte 49, which this host does not support"},
		"code behind the end":              {minimal().with(0x0b, 0x01).bytes(), "a function has 2 bytes behind its end"},
		"code without an end":              {change(func(m *made) { m.bodies[0] = sized([]byte{0, 0x01}) }), "it ends in the middle of something"},
		"a wrong type on the stack":        {minimal().with(0x41, 0).bytes(), "it is not valid: "},
		"a data segment beyond the end":    {change(func(m *made) { m.datas = [][]byte{{0, 0x41, 0, 0x0b, 100, 1}} }), "a data segment claims 100 bytes of 1"},
		"no manifest":                      {change(func(m *made) { m.manifest = "-" }), "it has no manifest (custom section lane.manifest)"},
		"two manifests":                    {change(func(m *made) { m.customs = [][]byte{append(appendName(nil, manifestSection), usualManifest...)} }), "it has 2 manifests"},
		"a manifest that is no TOML":       {change(func(m *made) { m.manifest = "name = \n" }), "its manifest is wrong: line 1: "},
		"an unknown key":                   {change(func(m *made) { m.manifest = usualManifest + "colour = \"red\"\n" }), `its manifest is wrong: line 5: unknown key "colour"`},
		"an unknown capability":            {change(func(m *made) { m.manifest = usualManifest + "[[capabilities]]\nname = \"shell\"\n" }), `its manifest is wrong: capability "shell" is not one of repo.read, repo.history, container, container.network`},
		"a capability twice": {change(func(m *made) {
			m.manifest = usualManifest + strings.Repeat("[[capabilities]]\nname = \"container\"\n", 2)
		}), `its manifest is wrong: capability "container" is asked for twice`},
		"an unknown output":         {change(func(m *made) { m.manifest = "name = \"x\"\nabi = 1\noutput = \"xml\"\n" }), `its manifest is wrong: output "xml" is not one of jsonl, sarif, gnu, text`},
		"a name with a slash":       {change(func(m *made) { m.manifest = "name = \"../x\"\nabi = 1\noutput = \"text\"\n" }), `its manifest is wrong: name "../x" is not of the form`},
		"a schema that is no JSON":  {change(func(m *made) { m.manifest = usualManifest + "schema = \"{\"\n" }), "its manifest is wrong: schema: "},
		"a schema from the network": {change(func(m *made) { m.manifest = usualManifest + "schema = '{\"$ref\":\"https://example.org/s.json\"}'\n" }), "it refers to https://example.org/s.json; a schema must be whole in itself"},
	}
	e := open(t, Options{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := e.Load(t.Context(), "bad", test.module)
			var format *FormatError
			if !errors.As(err, &format) {
				t.Fatalf("got %v, want a FormatError", err)
			}
			if !strings.HasPrefix(err.Error(), `cannot load plugin "bad": `) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got  %s\nwant %s", err, test.want)
			}
		})
	}
	if _, err := e.Load(t.Context(), "good", minimal().bytes()); err != nil {
		t.Fatalf("the host is not well: %v", err)
	}
}

// TestAllowedFast: what is just below the limits compiles in moderate time;
// this shows what the limits buy and is no race.
func TestAllowedFast(t *testing.T) {
	m := minimal().with(repeat(9000, 0x41, 0, 0x04, 0x40, 0x0b)...)
	began := time.Now()
	if _, err := open(t, Options{}).Load(t.Context(), "ifs", m.bytes()); err != nil {
		t.Fatal(err)
	}
	t.Logf("9000 ifs: %v", time.Since(began))
}

func TestOtherABI(t *testing.T) {
	m := minimal()
	m.manifest = strings.Replace(usualManifest, "abi = 1", "abi = 2", 1)
	_, err := open(t, Options{}).Load(t.Context(), "x", m.bytes())
	var abi *ABIError
	if !errors.As(err, &abi) || err.Error() != `plugin "x" speaks ABI 2, this host speaks 1` {
		t.Fatalf("got %v", err)
	}
	if want := "update pushlane on this machine, or rebuild it with the sdk of this host and abi = 1 in its manifest: pushlane plugin pack"; abi.Hint() != want {
		t.Fatalf("got  %s\nwant %s", abi.Hint(), want)
	}
}

// TestTableCannotGrow: table.grow ends at the host's limit although the module
// sets none.
func TestTableCannotGrow(t *testing.T) {
	m := minimal()
	m.tables = [][]byte{{0x70, 0, 1}}
	m.elems = nil
	// if table.grow(null, 400 M) != -1 then trap
	m = m.with(slices.Concat([]byte{0xd0, 0x70, 0x41}, appendS64(nil, 400_000_000), []byte{0xfc, 15, 0, 0x41, 0x7f, 0x47, 0x04, 0x40, 0x00, 0x0b})...)
	mod, err := open(t, Options{}).Load(t.Context(), "grow", m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mod.Run(t.Context(), Call{}); err != nil {
		t.Fatalf("the table grew: %v", err)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the person gave up"))
	_, err := open(t, Options{}).Load(ctx, "noop", build(t, "noop"))
	if err == nil || err.Error() != `cannot load plugin "noop": the person gave up` {
		t.Fatalf("got %v", err)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(minimal().bytes())
	f.Add(raw(10, 5, 0xff, 0xff, 0xff, 0x7f, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if facts, err := check(b); err == nil {
			meter(b, facts)
		}
		ReadManifest(b)
	})
}
