// Package wasm runs lane plugins: WebAssembly command modules that no one has
// to trust.
//
// A module's way through the package:
//
//	bytes --check--> refused before any other code sees them, or known to be small and plain
//	      --meter--> the same module, which asks the host now and then whether it may go on
//	      --wazero-> native code, cached in the engine and on disk by digest
//	      --Run----> a fresh instance: request on stdin, records on stdout, exit status
//
// The system interface (wasi_snapshot_preview1) is our own: every call can be
// cut short by the context, no path reaches the machine's files, names are raw
// bytes, links are never followed, and clock and random numbers are the same
// in every run, so that the same input gives the same output.
//
// wazero is imported here and nowhere else.
package wasm
