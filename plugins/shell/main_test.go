package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/reviewdog/errorformat/fmts"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
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
			sdk.Result{Exit: 2, Tail: "one\npushlane: line 1 exited 1: set -x\npushlane: line 4 exited 2: make test\n"},
			"fail: `make test` exited 2 (line 4)\none"},
		"a line that is not there": {`{"run":"a\nb"}`,
			sdk.Result{Exit: 2, Tail: "pushlane: line x exited 2\npushlane: line 99 exited 2: a\n"}, "fail: exit status 2"},
		"a program that is missing": {`{"run":"a\nb"}`,
			sdk.Result{Exit: 127, Tail: "bash: line 2: vitest: command not found\npushlane: line 2 exited 127: b\n"},
			"fail: `b` exited 127 (line 2): the image has no program \"vitest\"\nbash: line 2: vitest: command not found"},
		"a shell with a command": {`{"command":["x"],"shell":"sh"}`, sdk.Result{},
			"broken: setting shell: it goes with run, not with command"},
		"a failed command": {`{"command":["go","vet"]}`, sdk.Result{Exit: 1}, "fail: `go vet` exited 1"},
		"only the last lines": {`{"run":"x"}`, sdk.Result{Exit: 1, Tail: "1\n2\n3\n4\n5\n6\n7"},
			"fail: `x` exited 1\n3\n4\n5\n6\n7"},
		"a long command": {`{"run":"` + strings.Repeat("y", 90) + `"}`, sdk.Result{Exit: 1},
			"fail: `" + strings.Repeat("y", 59) + "…` exited 1"},
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

// The outputs in testdata were printed by the tools themselves. They are read
// natively, and by the module that users get.
func TestOutputsOfTools(t *testing.T) { testTools(t, nil) }

func TestModule(t *testing.T) { testTools(t, wasmtest.Build(t).Serve) }

func testTools(t *testing.T, serve func(sdk.Session) int) {
	files := map[string]string{"src/main.rs": "x", "web/app.js": "x", "src/list.c": "x", "build.sh": "x", "app.py": "x",
		"c.yaml": "x", "ts/app.ts": "x", "main.go": "x"}
	for matcher, want := range map[string][]sdk.Finding{
		"rustc": {
			{Path: "src/main.rs", Line: 1, Col: 5, Level: "warning", Rule: "rustc",
				Message: "unused import: `std::collections::HashMap`"},
			{Path: "src/main.rs", Line: 12, Col: 21, Rule: "E0308", Message: "mismatched types"},
			{Path: "src/main.rs", Line: 4, Col: 9, Level: "warning", Rule: "rustc", Message: "unused variable: `unused`"}},
		"eslint": {
			{Path: "web/app.js", Line: 1, Col: 7, Level: "warning", Rule: "eslint",
				Message: "'unused' is assigned a value but never used no-unused-vars"},
			{Path: "web/app.js", Line: 2, Col: 10, Level: "warning", Rule: "eslint",
				Message: "'add' is defined but never used no-unused-vars"},
			{Path: "web/app.js", Line: 3, Col: 9, Rule: "eslint", Message: "Expected '===' and instead saw '==' eqeqeq"},
			{Path: "web/app.js", Line: 3, Col: 15, Rule: "eslint", Message: "Unexpected 'debugger' statement no-debugger"},
			{Path: "web/app.js", Line: 4, Col: 14, Rule: "eslint", Message: "'c' is not defined no-undef"}},
		"gcc": {
			{Path: "src/list.c", Line: 2, Col: 48, Level: "warning", Rule: "gcc",
				Message: "function returns address of local variable [-Wreturn-local-addr]"},
			{Path: "src/list.c", Line: 3, Col: 26, Level: "warning", Rule: "gcc",
				Message: "initialization of 'int' from 'int *' makes integer from pointer without a cast [-Wint-conversion]"},
			{Path: "src/list.c", Line: 3, Col: 44, Level: "warning", Rule: "gcc",
				Message: "format '%s' expects argument of type 'char *', but argument 2 has type 'int' [-Wformat=]"},
			{Path: "src/list.c", Line: 3, Col: 52, Rule: "gcc", Message: "expected ';' before 'return'"}},
		"clang": {
			{Path: "src/list.c", Line: 2, Col: 49, Level: "warning", Rule: "clang",
				Message: "address of stack memory associated with local variable 'here' returned [-Wreturn-stack-address]"},
			{Path: "src/list.c", Line: 3, Col: 22, Level: "warning", Rule: "clang",
				Message: "incompatible pointer to integer conversion initializing 'int' with an expression of type 'int *'; " +
					"dereference with * [-Wint-conversion]"},
			{Path: "src/list.c", Line: 3, Col: 50, Level: "warning", Rule: "clang",
				Message: "format specifies type 'char *' but the argument has type 'int' [-Wformat]"},
			{Path: "src/list.c", Line: 3, Col: 52, Rule: "clang", Message: "expected ';' after expression"}},
		"shellcheck": {
			{Path: "build.sh", Line: 2, Col: 1, Level: "warning", Rule: "shellcheck",
				Message: "Use 'cd ... || exit' or 'cd ... || return' in case cd fails. [SC2164]"},
			{Path: "build.sh", Line: 2, Col: 4, Level: "note", Rule: "shellcheck",
				Message: "Double quote to prevent globbing and word splitting. [SC2086]"},
			{Path: "build.sh", Line: 3, Col: 6, Level: "note", Rule: "shellcheck",
				Message: "Double quote to prevent globbing and word splitting. [SC2086]"},
			{Path: "build.sh", Line: 3, Col: 9, Level: "warning", Rule: "shellcheck",
				Message: "In POSIX sh, == in place of = is undefined. [SC3014]"},
			{Path: "build.sh", Line: 3, Col: 27, Level: "warning", Rule: "shellcheck",
				Message: "Quote this to prevent word splitting. [SC2046]"},
			{Path: "build.sh", Line: 3, Col: 27, Level: "note", Rule: "shellcheck",
				Message: "Useless echo? Instead of 'echo $(cmd)', just use 'cmd'. [SC2005]"},
			{Path: "build.sh", Line: 3, Col: 27, Level: "note", Rule: "shellcheck",
				Message: "Use $(...) notation instead of legacy backticks `...`. [SC2006]"}},
		"flake8": {
			{Path: "app.py", Line: 1, Col: 1, Rule: "F401", Message: "'os' imported but unused"},
			{Path: "app.py", Line: 2, Col: 1, Rule: "E302", Message: "expected 2 blank lines, found 0"},
			{Path: "app.py", Line: 3, Col: 5, Rule: "F841", Message: "local variable 'x' is assigned to but never used"},
			{Path: "app.py", Line: 4, Col: 14, Rule: "F821", Message: "undefined name 'c'"}},
		"pylint": {
			{Path: "app.py", Line: 1, Level: "note", Rule: "C0114",
				Message: "Missing module docstring (missing-module-docstring)"},
			{Path: "app.py", Line: 2, Level: "note", Rule: "C0116",
				Message: "Missing function or method docstring (missing-function-docstring)"},
			{Path: "app.py", Line: 2, Col: 8, Level: "note", Rule: "C0103",
				Message: `Argument name "a" doesn't conform to snake_case naming style (invalid-name)`},
			{Path: "app.py", Line: 2, Col: 11, Level: "note", Rule: "C0103",
				Message: `Argument name "b" doesn't conform to snake_case naming style (invalid-name)`},
			{Path: "app.py", Line: 3, Col: 4, Level: "note", Rule: "C0103",
				Message: `Variable name "x" doesn't conform to snake_case naming style (invalid-name)`},
			{Path: "app.py", Line: 4, Col: 13, Rule: "E0602", Message: "Undefined variable 'c' (undefined-variable)"},
			{Path: "app.py", Line: 2, Col: 11, Level: "warning", Rule: "W0613",
				Message: "Unused argument 'b' (unused-argument)"},
			{Path: "app.py", Line: 3, Col: 4, Level: "warning", Rule: "W0612",
				Message: "Unused variable 'x' (unused-variable)"},
			{Path: "app.py", Line: 1, Level: "warning", Rule: "W0611", Message: "Unused import os (unused-import)"}},
		"yamllint": {
			{Path: "c.yaml", Line: 1, Col: 1, Level: "warning", Rule: "yamllint",
				Message: `missing document start "---" (document-start)`},
			{Path: "c.yaml", Line: 2, Col: 1, Rule: "yamllint",
				Message: `duplication of key "a" in mapping (key-duplicates)`},
			{Path: "c.yaml", Line: 5, Col: 7, Rule: "yamllint",
				Message: "syntax error: mapping values are not allowed here (syntax)"}},
		"tsc": {
			{Path: "ts/app.ts", Line: 2, Col: 3, Rule: "TS2322", Message: "Type 'number' is not assignable to type 'string'."},
			{Path: "ts/app.ts", Line: 4, Col: 5, Rule: "TS2345",
				Message: "Argument of type 'string' is not assignable to parameter of type 'number'."},
			{Path: "ts/app.ts", Line: 4, Col: 10, Rule: "TS2304", Message: "Cannot find name 'c'."}},
		"govet": {
			{Path: "main.go", Line: 6, Col: 14, Rule: "govet",
				Message: "fmt.Printf format %d has arg \"x\" of wrong type string"},
			{Path: "main.go", Line: 8, Col: 2, Rule: "govet", Message: "unreachable code"}},
		"staticcheck": {{Path: "main.go", Line: 6, Col: 13, Rule: "staticcheck",
			Message: "Printf format %d has arg #1 of wrong type string (SA5009)"}},
	} {
		output, err := os.ReadFile("testdata/" + matcher + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		sdktest.Case{Name: matcher, Files: files, Base: files, With: `{"run":"x","matchers":["` + matcher + `"]}`,
			Containers:  map[string]sdk.Result{"command": {Exit: 1, Tail: string(output)}},
			WantVerdict: "fail", WantFindings: want, Serve: serve}.Run(t, check)
	}
}

// toolNames are the matchers that errorformat runs, sorted.
func toolNames() []string {
	var names []string
	for name := range toolFormats() {
		names = append(names, name)
	}
	for name := range fmts.DefinedFmts() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Every matcher that the manifest allows is one that is known, and the other
// way round.
func TestManifestNamesTheMatchers(t *testing.T) {
	text, err := os.ReadFile("manifest.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), `"matchers": {"type": "array", "items": {"enum": [`)
	list, _, _ = strings.Cut(list, "]")
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		names = append(names, strings.Trim(name, "\" \n"))
	}
	if want := slices.Sorted(slices.Values(append(toolNames(), "gnu", "go-test"))); !slices.Equal(want,
		slices.Sorted(slices.Values(names))) {
		t.Errorf("the manifest has %q,\nknown are %q", names, want)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("README.md does not name the matcher %s", name)
		}
	}
}

// Output is a stranger's: no tool's reader may fall over it, find a place that
// is not in the tree, or go on for long.
func TestHostileOutput(t *testing.T) {
	files := map[string]string{"a.go": "x"}
	hostile := strings.Repeat("a.go:1:", 2000) + "\n" + strings.Repeat("(", 64<<10) +
		"\n../a.go:1:1: x\n/etc/passwd:1:1: x\na.go:99999999999999999999:1: x\na.go:1:99999999999999999999: x\n" +
		strings.Repeat("^\n", 4000) + "[error] a.go:3: \x1b[31mred\n"
	for _, name := range toolNames() {
		sdktest.Case{Name: name, Files: files, With: `{"run":"x"}`,
			Containers: map[string]sdk.Result{"command": {}}}.Run(t, func(run *sdk.Run) error {
			m := matcher{run: run, dir: source, known: map[string]bool{}}
			for _, f := range m.tool(name, hostile) {
				if f.Path != "a.go" || f.Line > maxPlace || f.Col > maxPlace || f.Line < 0 || f.Message == "" {
					t.Errorf("%s: got %+v", name, f)
				}
			}
			return nil
		})
	}
}

func FuzzTools(f *testing.F) {
	for i := range toolNames() {
		f.Add(uint(i), "a.go:1:2: E1 error: x\n  --> a.go:1:2\na.go\n 1:2  error  x\n\n")
	}
	f.Fuzz(func(t *testing.T, which uint, tail string) {
		names := toolNames()
		sdktest.Case{Name: "x", Files: map[string]string{"a.go": "x"}, With: `{"run":"x"}`,
			Containers: map[string]sdk.Result{"command": {}}}.Run(t, func(run *sdk.Run) error {
			m := matcher{run: run, dir: source, known: map[string]bool{}}
			for _, found := range m.tool(names[which%uint(len(names))], tail) {
				if found.Path != "a.go" || found.Line < 0 || found.Col < 0 || found.Message == "" {
					t.Errorf("got %+v", found)
				}
			}
			return nil
		})
	})
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
			failedCommand(tail, tail, 1)
			missingProgram(tail)
			return err
		})
	})
}
