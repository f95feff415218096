// Package extism compares the sandbox with Extism's Go SDK: the same job, in
// the same run. It is a module of its own, so that no one else needs Extism.
//
//	cd host/internal/sandbox/extism && go test -bench . -benchtime 50x
package extism
