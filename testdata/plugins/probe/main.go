// Command probe is a plugin for tests: it does what its lane's settings list,
// one after the other, and says what came of it.
//
//	[lane.with]
//	do = ["read a.go", "list .", "changes", "get NAME", "set NAME value", "env NAME", "clock", "fetch URL",
//	      "fetch URL Authorization Bearer {{TOKEN}}", "run COMMAND", "run-with SECRET COMMAND", "fail"]
package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/pushlane/pushlane/sdk"
)

func main() { sdk.Main(check) }

func check(run *sdk.Run) error {
	for i, step := range run.With("do").Strings() {
		what, rest, _ := strings.Cut(step, " ")
		said, err := do(run, i, what, rest)
		if errors.Is(err, errFail) {
			return run.Fail("told to")
		}
		if err != nil {
			said = "error: " + err.Error()
		}
		run.Note("", 0, step+": "+said)
	}
	return nil
}

var errFail = errors.New("fail")

func do(run *sdk.Run, i int, what, rest string) (string, error) {
	name, more, _ := strings.Cut(rest, " ")
	switch what {
	case "fail":
		return "", errFail
	case "read":
		data, err := os.ReadFile("/src/" + rest)
		return string(data), err
	case "list":
		return list(rest)
	case "changes":
		var all []string
		for _, c := range run.Changes {
			all = append(all, c.Path)
		}
		return strings.Join(all, " "), nil
	case "get":
		value, found, err := run.Get(name)
		if !found {
			value = "nothing"
		}
		return value, err
	case "set":
		return "done", run.Set(name, more)
	case "env":
		value, found := os.LookupEnv(name)
		if !found {
			value = "not set"
		}
		return value, nil
	case "clock":
		return time.Now().UTC().Format("2006"), nil
	case "fetch":
		return fetch(run, name, more)
	case "run":
		return container(run, sdk.Container{ID: "c" + string(rune('0'+i)), Image: "busybox",
			Command: []string{"sh", "-c", rest}})
	case "run-with":
		return container(run, sdk.Container{ID: "c" + string(rune('0'+i)), Image: "busybox",
			Command: []string{"sh", "-c", more}, Secrets: []string{name}})
	}
	return "", errors.New("no such step")
}

func list(name string) (string, error) {
	entries, err := os.ReadDir("/src/" + name)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " "), err
}

func fetch(run *sdk.Run, url, header string) (string, error) {
	q := sdk.HTTPRequest{URL: url}
	if name, value, found := strings.Cut(header, " "); found {
		q.SecretHeaders = map[string]string{name: value}
	}
	r, err := run.Fetch(q)
	return string(rune('0'+r.Status/100)) + "xx " + r.Body, err
}

func container(run *sdk.Run, c sdk.Container) (string, error) {
	r, err := run.Container(c)
	return strings.TrimSpace(r.Tail), err
}
