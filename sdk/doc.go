// Package sdk is what a plugin's author needs to write a pushlane lane plugin
// in Go. It uses the standard library alone.
//
// A plugin is a program. For every push that picks its lane it is started in a
// WebAssembly sandbox, gets a request, says what it found, and exits. It sees
// the pushed files and nothing else of the machine; what it wants beyond that,
// such as a container to run a command in, it asks for.
//
//	package main
//
//	import "github.com/pushlane/pushlane/sdk"
//
//	func main() { sdk.Main(check) }
//
//	func check(run *sdk.Run) error {
//		for c := range run.Changed("**/*.go") {
//			text, err := run.Read(c.Path)
//			if err != nil {
//				return err // could not find out: the run is broken
//			}
//			if bytes.Contains(text, []byte("FIXME")) {
//				run.Error(c.Path, 0, "has a FIXME") // found out: the change is refused
//			}
//		}
//		return nil
//	}
//
// # A no and a breakage
//
// A finding of level error, or [Run.Fail], says no: the push is refused. A
// returned error says that the check could not be made: the run is broken, and
// a gate refuses that too, but no one blames the change. Never make one of the
// other. Warnings and notes are shown and stop nothing.
//
// # What a check sees
//
// [Run.Changed] are the changed files that are still there, [Request] holds
// all changes, the update and, with the capability repo.history, the commits.
// [Run.Read] and [Run.Open] read the pushed tree, [Run.ReadBase] the one before.
// Files come out of git when they are opened: look at what changed rather than
// walk the tree. A link is opened as itself; look at [Change.Mode] first, or have
// [Follow] find where a path leads. [Run.Contents] gives the content of many
// changes in one stream, and [Content.Blocks] as text, whatever its encoding.
//
// A push adds all of its commits, not only their end. [Run.History] has what is
// gone by then, [Run.Additions] both; a secret that a later commit removes is in
// the repository all the same. [Run.NewLines] tells lines that are new from those
// that a file, or one that was moved, had before.
//
// [Run.With] reads the lane's settings:
//
//	limit := run.With("limit").IntOr(100)
//	names := run.With("names").Strings()
//
// Names of files are bytes and need not be UTF-8; every function here takes and
// gives them as they are.
//
// # Containers
//
// With the capability container a check may run commands in throw-away
// containers that hold the pushed tree in /work/src:
//
//	result, err := run.Container(sdk.Container{ID: "test", Command: []string{"make", "test"}})
//	if err != nil {
//		return err
//	}
//	if result.Exit != 0 {
//		return run.Fail("make test failed")
//	}
//	return nil
//
// [Run.Start] starts one without waiting, so that several run next to each
// other; goroutines work too.
//
// There are two ways in which a host answers, and a check need not know which:
// it waits in a call to the host, or the plugin exits and is called again with
// the results. In the second case check runs again from its start, and the
// containers it asks for that have ended return at once. So let check decide by
// its request alone, not by time or chance. [Run.Progress] and [Run.Log] say
// nothing twice.
//
// A module that calls neither Container nor Start imports nothing but WASI and
// runs in any WASI runtime.
//
// # Manifest, build, try
//
// manifest.toml says what the plugin is and may ask for; ABI.md has all of it:
//
//	name = "fixme"
//	version = "1.0.0"
//	abi = 1
//	output = "jsonl"
//
//	[[capabilities]]
//	name = "repo.read"
//	why = "reads the changed Go files"
//
// Build and pack it into one file:
//
//	GOOS=wasip1 GOARCH=wasm go build -o fixme.wasm .
//	pushlane plugin pack --manifest manifest.toml fixme.wasm packed.wasm
//
// Do not strip the module: the names in it are what a crash report is made of.
// Keep fmt, encoding/json, net and text/template out of it if you can: they
// add up to 1.5 MB and a quarter of a second to the first load.
//
// Tests run natively, in milliseconds: see package sdktest. And the same
// program built for your own machine is a dry run over the working folder:
//
//	echo '{"abi":1,"changes":[{"path":"a.go","status":"M","mode":"100644"}]}' | go run .
//
// # Other languages
//
// A plugin is any WASI program that reads one JSON object and prints lines, or
// none but an exit status. ABI.md is the whole contract.
package sdk
