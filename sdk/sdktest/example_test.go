package sdktest_test

import (
	"testing"

	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// check is the plugin under test: it runs make in a container when a C file
// changed.
func check(run *sdk.Run) error {
	for range run.Changed("**/*.c") {
		result, err := run.Container(sdk.Container{ID: "make", Command: []string{"make"}})
		if err != nil {
			return err
		}
		if result.Exit != 0 {
			run.Error("", 0, result.Tail)
		}
		return nil
	}
	return run.Skip("no C file changed")
}

// A table of pushes, each with what the check should make of it.
func TestCheck(t *testing.T) {
	for _, c := range []sdktest.Case{
		{
			Name:        "without a C file nothing is run",
			Files:       map[string]string{"README": "new", "a.c": "same"},
			Base:        map[string]string{"README": "old", "a.c": "same"},
			WantVerdict: "skip: no C file changed",
		},
		{
			Name:           "a C file that does not compile",
			Files:          map[string]string{"src/a.c": "x"},
			Containers:     map[string]sdk.Result{"make": {Exit: 2, Tail: "a.c:1: error"}},
			WantVerdict:    "fail",
			WantFindings:   []sdk.Finding{{Message: "a.c:1: error"}},
			WantContainers: []sdk.Container{{ID: "make", Command: []string{"make"}}},
		},
	} {
		c.Run(t, check)
	}
}
