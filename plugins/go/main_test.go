package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// events writes go test's events: "action test text" per line, in one package.
func events(pkg string, lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		action, rest, _ := strings.Cut(line, " ")
		name, text, _ := strings.Cut(rest, " ")
		b.WriteString(`{"Action":"` + action + `","Package":"` + pkg + `"`)
		if name != "" {
			b.WriteString(`,"Test":"` + name + `"`)
		}
		if text != "" {
			b.WriteString(`,"Output":"` + text + `"`)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

const vetSaid = `# example.org/m/p
{
	"example.org/m/p": {
		"printf": [
			{
				"posn": "/work/src/p/p_test.go:11:52",
				"message": "fmt.Printf format %d has arg \"x\" of wrong type string"
			}
		],
		"odd": {"error": "could not"}
	}
}
# example.org/m/bad
vet: bad/bad.go:3:12: undefined: undefinedName
`

func tree1() map[string]string {
	return map[string]string{"go.mod": "module example.org/m // x\n", "p/p_test.go": "x", "bad/bad.go": "x",
		"top_test.go": "x"}
}

// outcome is a case with one check, by what it printed and its exit status.
func outcome(name, check, said, status, verdict string, found ...sdk.Finding) sdktest.Case {
	exit := 0
	if status != "0" {
		exit = 1
	}
	return sdktest.Case{Name: name, Files: tree1(), With: `{"checks":["` + check + `"]}`,
		Containers: map[string]sdk.Result{check: {Exit: exit,
			Artifacts: []string{kept(check, ".out"), kept(check, ".status")}}},
		Artifacts: map[string]string{check + "/" + kept(check, ".out"): said,
			check + "/" + kept(check, ".status"): status + "\n"},
		WantVerdict: verdict, WantFindings: found}
}

func at(file string, line, col int, rule, message string) sdk.Finding {
	return sdk.Finding{Path: file, Line: line, Col: col, Rule: rule, Message: message}
}

func cases() []sdktest.Case {
	const p = "example.org/m/p"
	undefined := at("bad/bad.go", 3, 12, "compile", "undefined: undefinedName")
	printf := at("p/p_test.go", 11, 52, "printf", `fmt.Printf format %d has arg "x" of wrong type string`)
	odd := sdk.Finding{Rule: "odd", Message: p + ": could not"}
	all := []sdktest.Case{
		outcome("vet finds nothing", "vet", "", "0", "pass: go vet passed"),
		outcome("vet's findings", "vet", vetSaid, "1", "fail: go vet failed: 3 new findings", printf, odd, undefined),
		outcome("vet's findings fail whatever its status", "vet", vetSaid, "0", "fail: go vet failed: 3 new findings", printf,
			odd, undefined),
		outcome("a build", "build", "", "0", "pass: go build passed"),
		outcome("a failed build", "build",
			"# example.org/m/bad\nbad/bad.go:3:12: cannot use x\n\thave (int)\n\twant (string)\n", "1",
			"fail: go build failed: 1 new finding",
			at("bad/bad.go", 3, 12, "compile", "cannot use x\nhave (int)\nwant (string)")),
		outcome("an error outside the tree", "build", "/usr/lib/go/x.go:3:1: no\n", "1",
			"fail: go build failed: 1 new finding",
			sdk.Finding{Rule: "compile", Message: "/usr/lib/go/x.go:3: no"}),
		outcome("no modules", "build", "go: m@v1: module lookup disabled by GOPROXY=off\n", "1",
			"fail: go build failed with status 1 (modules are missing: commit what go mod vendor writes, or set network = "+
				"true)\ngo: m@v1: module lookup disabled by GOPROXY=off"),
		outcome("no go", "build", "sh: go: not found", "127",
			"broken: cannot run go build: the image has no go: name an image that has it with the setting image"),
		outcome("a status that is none", "build", "", "x",
			`broken: cannot read the exit status of go build: strconv.Atoi: parsing "x": invalid syntax`),
		outcome("tests pass", "test", events(p, "run A", "pass A", "run B", "run B/c", "pass B/c", "pass B", "run S",
			"skip S", "pass"), "0", "pass: go test (3 tests of 1 package) passed"),
		outcome("a failed test", "test", events(p, "run A", `output A === RUN A\n`, `output A     p_test.go:7: got 1\n`,
			`output A         want 2\n`, `output A     p_test.go:9: more\n`, `output A --- FAIL: A (0.00s)\n`, "fail A",
			"pass B", "fail"), "1",
			"fail: go test: 1 of 2 tests failed: p.A", at("p/p_test.go", 7, 0, "test", "A: got 1\nwant 2"),
			at("p/p_test.go", 9, 0, "test", "A: more")),
		outcome("a part of a test", "test", events(p, "run A", "run A/x", `output A/x     p_test.go:7: no\n`, "fail A/x",
			"pass A/y", "fail A", "fail"), "1",
			"fail: go test: 1 of 2 tests failed: p.A/x", at("p/p_test.go", 7, 0, "test", "A/x: no")),
		outcome("a test without words", "test", events(p, "run A", `output A talk\n`, `output A --- FAIL: A (0.00s)\n`,
			"fail A", "fail"), "1",
			"fail: go test: 1 of 1 test failed: p.A", sdk.Finding{Rule: "test", Message: "A: failed\ntalk"}),
		outcome("a test at the top", "test", events("example.org/m", "run A", `output A     top_test.go:2: no\n`, "fail A",
			"fail"), "1",
			"fail: go test: 1 of 1 test failed: m.A", at("top_test.go", 2, 0, "test", "A: no")),
		outcome("a panic", "test", events(p, "run A", `output A panic: nil map [recovered]\n`,
			`output A \t/usr/local/go/src/testing/testing.go:1974 +0x2\n`, `output A \t/work/src/p/p_test.go:12 +0x28\n`,
			"fail A", "fail"), "1",
			"fail: go test: 1 of 1 test failed: p.A", at("p/p_test.go", 12, 0, "test", "A: panic: nil map [recovered]")),
		outcome("a test that never ended", "test", events(p, "run A", `output A === RUN A\n`, "run B", "pass B", "fail"), "1",
			"fail: go test: 1 of 2 tests failed: p.A", sdk.Finding{Rule: "test", Message: "A: failed"}),
		outcome("a package that exits", "test", events(p, "pass A", `output  exit status 3\n`, "fail"), "1",
			"fail: go test: failed: example.org/m/p", sdk.Finding{Rule: "test",
				Message: "example.org/m/p: failed\nexit status 3"}),
		outcome("a test that does not compile", "test",
			`{"ImportPath":"x","Action":"build-output","Output":"# x\n"}`+"\n"+
				`{"ImportPath":"x","Action":"build-output","Output":"bad/bad.go:3:12: undefined: undefinedName\n"}`+"\n"+
				events("example.org/m/bad", `output  FAIL\texample.org/m/bad [build failed]\n`, "fail"), "1",
			"fail: go test: failed: example.org/m/bad", undefined),
		outcome("tests that say nothing", "test", "no such flag\n", "2", "fail: go test failed with status 2\nno such flag"),
		outcome("events that are none", "test", "{\"Action\":7}\n{}\n{\n", "0",
			"pass: go test (0 tests of 0 packages) passed"),
	}
	late := outcome("a time-out", "test", events(p, "run A", "run B", "pass B"), "0",
		"fail: go test ran out of time; not ended or failed: p.A", sdk.Finding{Rule: "test", Message: "A: failed"})
	late.Containers["test"] = sdk.Result{Exit: 137, TimedOut: true}
	delete(late.Artifacts, "test/tmp/pushlane-go/test.status")
	lost := outcome("output that is lost", "vet", "", "0", "broken")
	lost.Artifacts = nil
	return append(all, late, lost, together(undefined))
}

// together is a lane whose checks share a container and meet one error each.
func together(undefined sdk.Finding) sdktest.Case {
	const id = "vet-build"
	return sdktest.Case{Name: "what two checks meet is said once", Files: tree1(),
		With:       `{"checks":["vet","build"],"apart":false}`,
		Containers: map[string]sdk.Result{id: {Exit: 1}},
		Artifacts: map[string]string{id + "/tmp/pushlane-go/vet.out": "vet: bad/bad.go:3:12: undefined: undefinedName\n",
			id + "/tmp/pushlane-go/vet.status": "1", id + "/tmp/pushlane-go/build.out": "",
			id + "/tmp/pushlane-go/build.status": "0"},
		WantVerdict: "fail: go vet failed: 1 new finding", WantFindings: []sdk.Finding{undefined}}
}

func TestGo(t *testing.T) {
	for _, c := range cases() {
		c.Run(t, check)
	}
}

func TestGoAsWasm(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range cases() {
		c.Serve = guest.Serve
		c.Run(t, nil)
	}
}

func TestWhatIsAskedFor(t *testing.T) {
	run := sdktest.Case{Name: "all settings", Files: tree1(),
		With: `{"packages":["./a","it's"],"race":true,"flags":["-tags=x"],"test_flags":["-short"],"workdir":"sub",` +
			`"network":true,"env":{"A":"1"},"cpu":2,"memory":"1GiB","image":"go","cache":false}`,
		Containers:  map[string]sdk.Result{"vet": {Exit: 1}, "build": {Exit: 1}, "test": {Exit: 1}},
		WantVerdict: "fail"}
	for _, name := range []string{"vet", "build", "test"} {
		command := map[string]string{
			"vet":   `check vet 'go' 'vet' '-json' '-tags=x' './a' 'it'\''s'`,
			"build": `check build 'go' 'build' '-tags=x' '-o' '/dev/null' './a' 'it'\''s'`,
			"test":  `check test 'go' 'test' '-json' '-tags=x' '-vet=off' '-race' '-short' './a' 'it'\''s'`,
		}[name]
		run.WantContainers = append(run.WantContainers,
			sdk.Container{ID: name, Image: "go", Cwd: "/work/src/sub", CPU: "2", Memory: "1GiB", Network: true,
				Env:     map[string]string{"A": "1", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"},
				Command: []string{"/bin/sh", "-c", one + command + "\nexit $worst\n"},
				Reads:   []string{"/tmp/pushlane-go/" + name + ".out", "/tmp/pushlane-go/" + name + ".status"}})
	}
	run.Run(t, check)
	for name, c := range map[string]struct{ with, want string }{
		"a folder outside": {`{"workdir":"../x"}`, `broken: setting workdir: "../x" is outside the repository`},
		"a flag": {`{"packages":["-exec=sh"]}`,
			`broken: setting packages: "-exec=sh" is a flag: put it into flags or test_flags`},
	} {
		sdktest.Case{Name: name, With: c.with, WantVerdict: c.want}.Run(t, check)
	}
}

// Without a network go is told so, and its caches are volumes.
func TestOffline(t *testing.T) {
	c := outcome("is the default", "build", "", "0", "pass")
	c.WantContainers = []sdk.Container{{ID: "build",
		Command: []string{"/bin/sh", "-c", one + "check build 'go' 'build' '-o' '/dev/null' './...'\nexit $worst\n"},
		Env: map[string]string{"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "GOPROXY": "off",
			"GOCACHE": "/var/cache/go-build", "GOMODCACHE": "/var/cache/go-mod"},
		Caches: []sdk.Cache{{Name: "go-build", Path: "/var/cache/go-build"}, {Name: "go-mod", Path: "/var/cache/go-mod"}},
		Reads:  []string{"/tmp/pushlane-go/build.out", "/tmp/pushlane-go/build.status"}}}
	c.Run(t, check)
}

// The real go, run by the real script, is understood.
func TestRealOutput(t *testing.T) {
	src, kept := t.TempDir(), t.TempDir()
	files := map[string]string{"go.mod": "module example.org/m\n\ngo 1.24\n",
		"p/p_test.go": "package p\n\nimport (\n\t\"fmt\"\n\t\"testing\"\n)\n\nfunc TestA(t *testing.T) { t.Error(\"no\") " +
			"}\n\nfunc TestB(t *testing.T) { fmt.Printf(\"%d\\n\", \"x\") }\n"}
	for name, text := range files {
		os.MkdirAll(filepath.Dir(filepath.Join(src, name)), 0o755)
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := settings{checks: []string{"vet", "test"}, packages: []string{"./..."}, dir: source}
	script := strings.ReplaceAll(s.containers()[0].Command[2], said, kept)
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	cmd.Dir, cmd.Env = src, append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOPROXY=off", "GOTOOLCHAIN=local")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err == nil || !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("go passed or did not run: %v\n%s", err, out.String())
	}
	c := sdktest.Case{Name: "of vet and test", Files: files, With: `{"checks":["vet","test"],"apart":false}`,
		Containers: map[string]sdk.Result{"vet-test": {Exit: 1}}, Artifacts: map[string]string{},
		WantVerdict: "fail: go vet failed: 1 new finding; go test: 1 of 2 tests failed: p.TestA",
		WantFindings: []sdk.Finding{at("p/p_test.go", 10, 40, "printf",
			`fmt.Printf format %d has arg "x" of wrong type string`), at("p/p_test.go", 8, 0, "test", "TestA: no")}}
	for _, name := range []string{"vet.out", "vet.status", "test.out", "test.status"} {
		text, err := os.ReadFile(filepath.Join(kept, name))
		if err != nil && !strings.HasPrefix(name, "test") {
			t.Fatal(err)
		}
		c.Artifacts["vet-test/tmp/pushlane-go/"+name] = strings.ReplaceAll(string(text), src, source)
	}
	c.Run(t, check)
}

func FuzzOutput(f *testing.F) {
	f.Add(vetSaid)
	f.Add(events("m/p", "run A", `output A     p_test.go:7: got 1\n`, "fail A", "fail"))
	f.Fuzz(func(t *testing.T, text string) {
		in := tree{run: &sdk.Run{}, dir: source, known: map[string]string{}}
		objects, rest := vetObjects(text)
		in.vet(objects)
		in.compiler(rest)
		readTests(text).findings(in)
	})
}
