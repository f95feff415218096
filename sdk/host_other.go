//go:build !wasip1

package sdk

import "os"

// process is a dry run's: folders of this machine, no host to call.
func process() Session {
	src := os.Getenv("PUSHLANE_SRC")
	if src == "" {
		src = "."
	}
	return Session{In: os.Stdin, Out: os.Stdout, Log: os.Stderr, Src: src,
		Base: os.Getenv("PUSHLANE_BASE"), History: os.Getenv("PUSHLANE_HISTORY"),
		Results: os.Getenv("PUSHLANE_RESULTS"), Artifacts: os.Getenv("PUSHLANE_OUT")}
}

// Without a host every operation is unsupported; Session.WithImports keeps
// these from being called.
func callHost(op string, _ []byte) ([]byte, error) { return nil, opFault(op, -38, nil) }

func readHandle(int32, []byte) (int, error) { return 0, opFault("read", -38, nil) }

func waitHandles(handles []int32, _ int64) []byte { return make([]byte, len(handles)) }

func closeHandle(int32) {}
