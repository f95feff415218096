// Package extism compares the sandbox with Extism's Go SDK: the same job, in
// the same run. It is a separate module, so that nothing else depends on Extism.
//
//	cd host/internal/sandbox/extism && go test -bench . -benchtime 50x
package extism
