// Package sandbox runs lane plugins in processes of their own, so that what a
// module may still break breaks only that.
//
//	module --check--> in this process: sizes, sections, manifest; nothing is compiled
//	       --compile-> a child with a memory limit, a deadline and one folder to write in
//	       --worker--> one process per module, reused while it is needed: no files, no network,
//	                   no other process to be seen or started; only its socket
//	       --Run-----> the worker asks this process for what the plugin may see, one question
//	                   at a time (wasm.World), and is killed if it does not end when told to
//
// The processes are pushlane-plugin, a program with this package alone, or where
// it is not installed this program itself, started again under that name: Main
// must be called first thing in main. A host and a worker of different builds
// refuse each other.
package sandbox
