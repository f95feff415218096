// Command contract is a plugin that uses everything the sdk has, so that a
// host can be tried: files of both trees, results, artifacts, and containers
// that run beside each other on goroutines and are asked for one after the
// other. Its verdict says what it saw.
package main

import (
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

func check(run *sdk.Run) error {
	var seen []string
	for c := range run.Changed() {
		after, err := run.Read(c.Path)
		if err != nil {
			return err
		}
		before, err := run.ReadBase(c.Path)
		if err != nil && c.Status == "M" {
			return err
		}
		seen = append(seen, strconv.Quote(c.Path)+" "+strconv.Itoa(len(before))+" "+strconv.Itoa(len(after)))
	}
	if err := run.Artifact("deep/er/seen.txt", []byte(strings.Join(seen, "\n"))); err != nil {
		return err
	}
	run.Log("before the containers")
	exits, err := containers(run, int(run.With("lines").IntOr(4)), int(run.With("steps").IntOr(2)))
	if err != nil {
		return err
	}
	if _, err := run.Read("../outside"); err == nil {
		return errors.New("a path out of the tree was read")
	}
	return run.Pass(strings.Join(seen, ", ") + "; containers " + exits)
}

// containers runs lines of steps: the lines beside each other, the steps of
// each one after the other.
func containers(run *sdk.Run, lines, steps int) (string, error) {
	exits := make([]string, lines)
	errs := make([]error, lines)
	var wg sync.WaitGroup
	for i := range lines {
		wg.Go(func() {
			for k := range steps {
				id := "c" + strconv.Itoa(i) + "-" + strconv.Itoa(k)
				result, err := run.Container(sdk.Container{ID: id, Command: []string{"true", id}})
				if err != nil {
					errs[i] = err
					return
				}
				exits[i] += strconv.Itoa(result.Exit) + "/" + strconv.Itoa(len(result.Tail)) + " "
			}
		})
	}
	wg.Wait()
	return strings.Join(exits, "| "), errors.Join(errs...)
}
