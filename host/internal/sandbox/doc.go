// Package sandbox runs lane plugins in separate processes, so that a module can at
// most break its own process.
//
//	module --check--> in this process: sizes, sections, manifest; nothing is compiled
//	       --compile-> a child with a memory limit, a deadline and one folder to write in
//	       --worker--> one process per module, reused while it is needed: no files, no network,
//	                   no other process to be seen or started; only its socket
//	       --Run-----> the worker asks this process for what the plugin may see, one question
//	                   at a time (wasm.World), and is killed if it does not end when told to
//
// The processes are pushlane-plugin, a program with only this package, or, if it
// is not installed, this program itself, started again under that name: call Main
// first in main. A host and a worker of different builds refuse each other.
package sandbox
