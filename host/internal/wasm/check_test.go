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

// TestRefused has modules that are merely wrong; those that mean harm are in
// the package hostile.
func TestRefused(t *testing.T) {
	change := func(f func(*made)) []byte {
		m := minimal()
		f(&m)
		return m.bytes()
	}
	tests := map[string]struct {
		module []byte
		want   string
	}{
		"a header alone":            {raw(), "it has no memory"},
		"a wrong type on the stack": {minimal().with(0x41, 0).bytes(), "it is not valid: "},
		"a manifest that is not TOML": {change(func(m *made) { m.manifest = "name = \n" }),
			"its manifest is wrong: line 1: "},
		"an unknown key": {change(func(m *made) { m.manifest = usualManifest + "colour = \"red\"\n" }),
			`its manifest is wrong: line 5: unknown key "colour"`},
		"a capability twice": {change(func(m *made) {
			m.manifest = usualManifest + strings.Repeat("[[capabilities]]\nname = \"container\"\n", 2)
		}), `its manifest is wrong: capability "container" is requested twice`},
		"an unknown output": {change(func(m *made) { m.manifest = "name = \"x\"\nabi = 1\noutput = \"xml\"\n" }),
			`its manifest is wrong: output "xml" is not one of jsonl, sarif, gnu, text`},
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
// this shows what the limits buy and is not a race.
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
	if want := "update pushlane on this machine, or rebuild it with the sdk of this host and abi = 1 in its manifest: " +
		"pushlane plugin pack"; abi.Hint() != want {
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
	m = m.with(slices.Concat([]byte{0xd0, 0x70, 0x41}, appendS64(nil, 400_000_000),
		[]byte{0xfc, 15, 0, 0x41, 0x7f, 0x47, 0x04, 0x40, 0x00, 0x0b})...)
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
