package sdk_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// check is a whole plugin: its main function is sdk.Main(check).
func check(run *sdk.Run) error {
	word := []byte(run.With("word").StringOr("FIXME"))
	for c := range run.Changed("**/*.go") {
		text, err := run.Read(c.Path)
		if err != nil {
			return err
		}
		line := 0
		for part := range bytes.Lines(text) {
			line++
			if bytes.Contains(part, word) {
				run.Error(c.Path, line, "says "+string(word))
			}
		}
	}
	return nil
}

// A plugin reads a request, says what it found, and exits. Here the request
// and the folders are made up; sdk.Main takes the process's own.
func Example() {
	src, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(src)
	os.WriteFile(filepath.Join(src, "a.go"), []byte("package a\n\n// FIXME: later\n"), 0o666)

	session := sdk.Session{
		In:  strings.NewReader(`{"abi":1,"changes":[{"path":"a.go","status":"M","mode":"100644"}]}`),
		Out: os.Stdout, Log: os.Stderr, Src: src,
	}
	fmt.Println("exit status", session.Serve(check))
	// Output:
	// {"type":"finding","finding":{"path":"a.go","line":3,"level":"error","message":"says FIXME"}}
	// exit status 1
}

// Two containers that run in parallel.
func ExampleRun_Start() {
	check := func(run *sdk.Run) error {
		var jobs []*sdk.Job
		for _, version := range []string{"1.25", "1.26"} {
			jobs = append(jobs, run.Start(sdk.Container{
				ID: "go-" + strings.ReplaceAll(version, ".", "-"), Image: "go" + version, Command: []string{"go", "test", "./..."},
			}))
		}
		for _, job := range jobs {
			result, err := job.Wait()
			if err != nil {
				return err
			}
			if result.Exit != 0 {
				run.Fail(result.ID + ": tests failed")
			}
		}
		return nil
	}
	session := sdk.Session{In: strings.NewReader(`{"abi":1}`), Out: os.Stdout, Log: os.Stderr}
	session.Serve(check) // a host without imports: the first call only asks
	session.In = strings.NewReader(`{"abi":1,"results":[{"id":"go-1-25"},{"id":"go-1-26","exit":1}]}`)
	session.Serve(check)
	// Output:
	// {"type":"container","container":{"id":"go-1-25","image":"go1.25","command":["go","test","./..."]}}
	// {"type":"container","container":{"id":"go-1-26","image":"go1.26","command":["go","test","./..."]}}
	// {"type":"verdict","message":"go-1-26: tests failed","verdict":"fail"}
}
