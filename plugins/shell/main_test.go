package main

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

func TestWhatIsAskedFor(t *testing.T) {
	sh := func(script string) []string {
		return []string{"/bin/sh", "-c", starter, "pushlane", script, bashTrap, shTrap, ""}
	}
	for name, c := range map[string]struct {
		with string
		want sdk.Container
	}{
		"a script":  {`{"run":"make"}`, sdk.Container{Command: sh("make")}},
		"a command": {`{"command":["go","test","./..."]}`, sdk.Container{Command: []string{"go", "test", "./..."}}},
		"a relative folder": {`{"run":"x","workdir":"sub/dir","artifacts":["out/*.xml","/tmp/a"]}`,
			sdk.Container{Command: sh("x"), Cwd: "/work/src/sub/dir",
				Artifacts: []string{"/work/src/sub/dir/out/*.xml", "/tmp/a"}}},
		"the top as folder": {`{"run":"x","workdir":"."}`, sdk.Container{Command: sh("x")}},
		"another folder":    {`{"run":"x","workdir":"/tmp"}`, sdk.Container{Command: sh("x"), Cwd: "/tmp"}},
		"everything": {
			`{"run":"x","image":"go","env":{"A":"1"},"user":"root","cpu":2,"memory":"1GiB","disk":"5GiB","processes":50,` +
				`"network":true,"caches":[{"name":"go","path":"/c"}]}`,
			sdk.Container{Command: sh("x"), Image: "go", Env: map[string]string{"A": "1"}, User: "root", CPU: "2",
				Memory: "1GiB", Disk: "5GiB", Processes: 50, Network: true, Caches: []sdk.Cache{{Name: "go", Path: "/c"}}}},
		"a script with a pipe": {`{"run":"a || b | c"}`,
			sdk.Container{Command: []string{"/bin/sh", "-c", starter, "pushlane", "a || b | c", bashTrap, shTrap, "pipe"}}},
		"a script with CR LF": {`{"run":"a\r\nb"}`, sdk.Container{Command: sh("a\nb")}},
		"a script for bash": {`{"run":"x","shell":"bash"}`,
			sdk.Container{Command: []string{"/bin/sh", "-c", bashStarter, "pushlane", "x", bashTrap}}},
		"a script for sh": {`{"run":"x|y","shell":"sh"}`,
			sdk.Container{Command: []string{"/bin/sh", "-c", plainStarter, "pushlane", "x|y", "", shTrap, ""}}},
		"a script for another": {`{"run":"x","shell":"python3 -c"}`, sdk.Container{Command: []string{"python3", "-c", "x"}}},
		"a script with #!": {`{"run":"#!/usr/bin/env bash\nx"}`,
			sdk.Container{Command: []string{"/bin/sh", "-c", fileStarter, "pushlane", "#!/usr/bin/env bash\nx",
				"/usr/bin/env"}}},
		"half a core":          {`{"run":"x","cpu":0.5}`, sdk.Container{Command: sh("x"), CPU: "0.5"}},
		"half a core, as text": {`{"run":"x","cpu":"0.5"}`, sdk.Container{Command: sh("x"), CPU: "0.5"}},
	} {
		c.want.ID = "command"
		sdktest.Case{Name: name, With: c.with, Containers: map[string]sdk.Result{"command": {}},
			WantContainers: []sdk.Container{c.want}}.Run(t, check)
	}
}

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		with   string
		result sdk.Result
		want   string
	}{
		"status 0 passes": {`{"run":"make"}`, sdk.Result{}, "pass"},
		"a failed script": {`{"run":"set -x\n# build\nmake\nmake test\n"}`,
			sdk.Result{Exit: 2, Tail: "one\n\n-----\ntwo\n"}, "fail: exit status 2\none\ntwo"},
		"the line that failed": {`{"run":"set -x\n# build\nmake\nmake test\n"}`,
			sdk.Result{Exit: 2, Tail: "one\npushlane: failed in line 1\npushlane: failed in line 4\n"},
			"fail: exit status 2: make test (line 4)\none"},
		"a line that is not there": {`{"run":"a\nb"}`,
			sdk.Result{Exit: 2, Tail: "pushlane: failed in line 99\npushlane: failed in line x\n"}, "fail: exit status 2"},
		"a program that is missing": {`{"run":"a\nb"}`,
			sdk.Result{Exit: 127, Tail: "bash: line 2: vitest: command not found\npushlane: failed in line 2\n"},
			"fail: exit status 127: b (line 2): the image has no program \"vitest\"\nbash: line 2: vitest: command not found"},
		"a shell with a command": {`{"command":["x"],"shell":"sh"}`, sdk.Result{},
			"broken: setting shell: it goes with run, not with command"},
		"a failed command": {`{"command":["go","vet"]}`, sdk.Result{Exit: 1}, "fail: exit status 1: go vet"},
		"only the last lines": {`{"run":"x"}`, sdk.Result{Exit: 1, Tail: "1\n2\n3\n4\n5\n6\n7"},
			"fail: exit status 1: x\n3\n4\n5\n6\n7"},
		"a long command": {`{"run":"` + strings.Repeat("y", 90) + `"}`, sdk.Result{Exit: 1},
			"fail: exit status 1: " + strings.Repeat("y", 59) + "…"},
		"a time-out": {`{"run":"sleep 9"}`, sdk.Result{Exit: 137, TimedOut: true, Tail: "zz"},
			"fail: timed out: sleep 9\nzz"},
		"a service that is late": {`{"run":"x","services":[{"name":"db","run":"y"}]}`,
			sdk.Result{Exit: 125, Tail: "db: hm\npushlane: service db was not ready after 30s\n"},
			"fail: service db was not ready after 30s\ndb: hm\npushlane: service db was not ready after 30s"},
		"neither run nor command": {`{}`, sdk.Result{}, "broken: settings: want one of run and command"},
		"both run and command": {`{"run":"x","command":["y"]}`, sdk.Result{},
			"broken: settings: want one of run and command"},
		"an empty command": {`{"command":[]}`, sdk.Result{},
			"broken: setting command: want at least the program's name"},
		"a bad service name": {`{"run":"x","services":[{"name":"a/b","run":"y"}]}`, sdk.Result{},
			`broken: setting services: "a/b" is not a name ([a-z0-9][a-z0-9-]*), or comes twice`},
		"a bad time": {`{"run":"x","services":[{"name":"a","run":"y","ready_timeout":"soon"}]}`, sdk.Result{},
			`broken: setting services: ready_timeout: want a time such as "30s" or "2m", found "soon"`},
		"a script that is too long": {`{"run":"` + strings.Repeat("y", 130000) + `"}`, sdk.Result{},
			"broken: settings: the script has 130000 bytes, at most 122880 are allowed: put it into a file of the repository"},
		"a setting of another type": {`{"run":"x","memory":5}`, sdk.Result{},
			"broken: setting memory: want a string, found a number"},
	} {
		sdktest.Case{Name: name, With: c.with, Containers: map[string]sdk.Result{"command": c.result},
			WantVerdict: c.want}.Run(t, check)
	}
}

func TestMatchers(t *testing.T) {
	files := map[string]string{"go.mod": "module example.org/m // x\n", "main.go": "x", "pick/pick_test.go": "x",
		"pick/a.go": "x", "c/x.c": "x", "top_test.go": "x"}
	for name, c := range map[string]struct {
		with, tail string
		want       []sdk.Finding
	}{
		"a compiler's lines": {`{"run":"make","matchers":["gnu"]}`,
			"cc -c c/x.c\nc/x.c:3:7: error: 'y' undeclared\n/work/src/c/x.c:4: warning: odd\n./main.go:9: bare\n" +
				"http://localhost:80: no\n12:30:11: no\nnone.c:1:1: error: not ours\nc/x.c:3:7: error: 'y' undeclared\n",
			[]sdk.Finding{{Path: "c/x.c", Line: 3, Col: 7, Message: "'y' undeclared"},
				{Path: "c/x.c", Line: 4, Level: "warning", Message: "odd"}, {Path: "main.go", Line: 9, Message: "bare"}}},
		"in another folder": {`{"run":"make","workdir":"c","matchers":["gnu"]}`, "x.c:3: note: y\n../main.go:1: z\n",
			[]sdk.Finding{{Path: "c/x.c", Line: 3, Level: "note", Message: "y"}, {Path: "main.go", Line: 1, Message: "z"}}},
		"failed go tests": {`{"run":"go test ./...","matchers":["go-test"]}`,
			"ok  \texample.org/m/other\t0.1s\n--- FAIL: TestPick (0.00s)\n    --- FAIL: TestPick/dotfile (0.00s)\n        " +
				"pick_test.go:41: got 0 lanes, want 1\n--- FAIL: TestMute (0.00s)\nFAIL\nFAIL\texample.org/m/pick\t0.005s\n" +
				"--- FAIL: TestTop (0.00s)\n    top_test.go:3: no\n    gone_test.go:4: lost\nFAIL\nFAIL\texample.org/m\t0.01s\n" +
				"FAIL\n",
			[]sdk.Finding{{Path: "pick/pick_test.go", Line: 41, Rule: "go-test",
				Message: "TestPick/dotfile: got 0 lanes, want 1"}, {Rule: "go-test", Message: "pick/TestMute failed"},
				{Path: "top_test.go", Line: 3, Rule: "go-test", Message: "TestTop: no"},
				{Rule: "go-test", Message: "gone_test.go:4: TestTop: lost"}}},
		"failed go tests, all said": {`{"run":"go test -v ./...","matchers":["go-test"]}`,
			"=== RUN   TestGood\n    pick_test.go:1: talk\n--- PASS: TestGood (0.00s)\n=== RUN   TestBad\n    " +
				"pick_test.go:2: no\n--- FAIL: TestBad (0.00s)\nFAIL\nFAIL\texample.org/m/pick\t0.005s\n",
			[]sdk.Finding{{Path: "pick/pick_test.go", Line: 2, Rule: "go-test", Message: "TestBad: no"}}},
		"go that does not compile": {`{"run":"go test ./...","matchers":["go-test"]}`,
			"# example.org/m/pick\npick/a.go:3:2: undefined: y\nFAIL\texample.org/m/pick [build failed]\nvet: ./main.go:1:1: " +
				"expected 'package'\n",
			[]sdk.Finding{{Path: "pick/a.go", Line: 3, Col: 2, Message: "undefined: y"},
				{Path: "main.go", Line: 1, Col: 1, Message: "expected 'package'"}}},
	} {
		sdktest.Case{Name: name, Files: files, Base: files, With: c.with,
			Containers:  map[string]sdk.Result{"command": {Exit: 1, Tail: c.tail}},
			WantVerdict: "fail", WantFindings: c.want}.Run(t, check)
	}
}

func FuzzMatchers(f *testing.F) {
	f.Add("--- FAIL: X (0.00s)\n    a_test.go:1: y\nFAIL\tm/a\t0.1s\n")
	f.Add("a:1:2: error: x")
	f.Fuzz(func(t *testing.T, tail string) {
		sdktest.Case{Name: "x", With: `{"run":"x","matchers":["gnu","go-test"]}`,
			Containers: map[string]sdk.Result{"command": {}}}.Run(t, func(run *sdk.Run) error {
			s, err := readSettings(run)
			s.findings(run, tail)
			withTail("x", tail)
			failedCommand(tail, tail)
			missingProgram(tail)
			return err
		})
	})
}
