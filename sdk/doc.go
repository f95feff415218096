// Package sdk is for writing pushlane lane plugins in Go. It uses only the standard
// library.
//
// A plugin is a program. For every push that picks its lane it is started in a
// WebAssembly sandbox, reads a request, outputs findings, and exits. It sees the
// pushed files and nothing else of the machine. It requests everything else from
// the host, such as a container to run a command in.
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
//				return err // the check could not be made: the run is broken
//			}
//			if bytes.Contains(text, []byte("FIXME")) {
//				run.Error(c.Path, 0, "has a FIXME") // the change is refused
//			}
//		}
//		return nil
//	}
//
// # Failures and errors
//
// A finding of level error, or [Run.Fail], fails the check: the push is refused. A
// returned error means that the check could not be made: the run is broken, and
// a gate refuses that too, but not because of the change. Never turn one into the
// other. Warnings and notes are shown and do not refuse a push.
//
// # What a check sees
//
// [Run.Changed] are the changed files that are still there, [Request] holds
// all changes, the update and, with the capability repo.history, the commits.
// [Run.Read] and [Run.Open] read the pushed tree, [Run.ReadBase] the one before.
// Files are read from git when they are opened: read the changed files rather than
// walk the tree. A link is opened as itself; check [Change.Mode] first, or use
// [Follow] to resolve a path. [Run.Contents] gives the content of many changes in
// one stream, and [Content.Blocks] gives it as text, whatever its encoding.
//
// A push adds all of its commits, not only the final tree. [Run.History] has the
// earlier versions, [Run.Additions] both; a secret that a later commit removes is
// still in the repository. [Run.NewLines] distinguishes new lines from those that a
// file, or one that was moved, had before.
//
// [Run.With] reads the lane's settings:
//
//	limit := run.With("limit").IntOr(100)
//	names := run.With("names").Strings()
//
// Names of files are bytes and need not be UTF-8; every function here accepts and
// returns them unchanged.
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
// [Run.Start] starts one without waiting, so that several run in parallel;
// goroutines work too.
//
// A host can return results in two ways, and a check need not know which: a call to
// the host waits for them, or the plugin exits and is called again with them. In the
// second case check runs again from its start, and containers that have ended
// return at once. A check must therefore decide only by its request, not by time or
// chance. [Run.Progress] and [Run.Log] do not repeat a line.
//
// A module that calls neither Container nor Start imports nothing but WASI and
// runs in any WASI runtime.
//
// # Manifest, build, test
//
// manifest.toml describes the plugin and its permissions; ABI.md has all keys:
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
// Do not strip the module: crash reports use the names in it. Avoid fmt,
// encoding/json, net and text/template if you can: they add up to 1.5 MB and a
// quarter of a second to the first load.
//
// Tests run natively, in milliseconds: see package sdktest. And the same
// program built for your own machine is a dry run over the working folder:
//
//	echo '{"abi":1,"changes":[{"path":"a.go","status":"M","mode":"100644"}]}' | go run .
//
// # Other languages
//
// A plugin is any WASI program that reads one JSON object and prints lines, or only
// has an exit status. ABI.md is the whole contract.
package sdk
