package wasm

import (
	"context"

	"github.com/tetratelabs/wazero/api"
)

// link gives the module's runtime the two modules it may import from.
func (m *Module) link(ctx context.Context, f *facts) error {
	if f.imports[wasiModule] {
		b := m.runtime.NewHostModuleBuilder(wasiModule)
		for _, h := range wasiFuncs() {
			b.NewFunctionBuilder().WithGoModuleFunction(h.function(), types(h.params), types(h.results())).Export(h.name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	if f.imports[lane1Module] {
		b := m.runtime.NewHostModuleBuilder(lane1Module)
		for _, l := range lane1Funcs() {
			b.NewFunctionBuilder().WithGoModuleFunction(l.function(), types(l.params), types(l.results)).Export(l.name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// results of a system function: an error number, but for the one that does not
// return.
func (h hostFunc) results() string {
	if h.name == "proc_exit" {
		return ""
	}
	return "i"
}

// types spells out a signature.
func types(s string) []api.ValueType {
	out := make([]api.ValueType, len(s))
	for i, c := range s {
		out[i] = api.ValueTypeI32
		if c == 'I' {
			out[i] = api.ValueTypeI64
		}
	}
	return out
}
