package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

func TestWriteRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "theirs"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(full, "theirs")
	all := names()
	for _, c := range []struct{ dir, lang, name, want, hint string }{
		{t.TempDir(), "go", "", `cannot write plugin: "" is not a plugin's name`,
			"a name is 1 to 63 of a-z, 0-9, _ and -, the first of them a letter or digit"},
		{t.TempDir(), "go", "-x", `cannot write plugin: "-x" is not a plugin's name`, "a name is 1 to 63"},
		{t.TempDir(), "go", "Fixme", `cannot write plugin: "Fixme" is not a plugin's name`, "a name is 1 to 63"},
		{t.TempDir(), "go", "a\n", `cannot write plugin: "a\n" is not a plugin's name`, "a name is 1 to 63"},
		{t.TempDir(), "go", "../a", `cannot write plugin: "../a" is not a plugin's name`, "a name is 1 to 63"},
		{t.TempDir(), "go", strings.Repeat("a", 64), `cannot write plugin: "` + strings.Repeat("a", 64) +
			`" is not a plugin's name`, "a name is 1 to 63"},
		{t.TempDir(), "cobol", "a", `cannot write plugin: no template for language "cobol"`, "languages: " + all},
		{t.TempDir(), "", "a", `cannot write plugin: no template for language ""`, "languages: " + all},
		{t.TempDir(), "../templates/go", "a", `cannot write plugin: no template for language "../templates/go"`,
			"languages: " + all},
		{full, "go", "a", fmt.Sprintf("cannot write plugin: folder %q is not empty", full),
			"name a folder that does not exist yet"},
		{file, "go", "a", "cannot write plugin: mkdir " + file + ": not a directory", ""},
	} {
		files, err := Write(c.dir, c.lang, c.name)
		if err == nil || err.Error() != c.want || files != nil {
			t.Errorf("Write(%q, %q): %v, %v\nwant %s", c.lang, c.name, files, err, c.want)
		}
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) != (c.hint != "") || c.hint != "" && !strings.HasPrefix(hinted.Hint(), c.hint) {
			t.Errorf("Write(%q, %q): hint is not %q: %#v", c.lang, c.name, c.hint, err)
		}
	}
	if left, _ := os.ReadDir(full); len(left) != 1 {
		t.Errorf("a folder with files was written to: %v", left)
	}
}

// TestTemplates: what holds for every language, built here or not.
func TestTemplates(t *testing.T) {
	folders, err := templates.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) != len(Langs()) {
		t.Errorf("%d folders of templates, %d languages", len(folders), len(Langs()))
	}
	for _, l := range Langs() {
		t.Run(l.Name, func(t *testing.T) { checkTemplate(t, l) })
	}
}

func checkTemplate(t *testing.T, l Lang) {
	if l.About == "" || l.Needs == "" {
		t.Errorf("%+v: not all is said", l)
	}
	dir := filepath.Join(t.TempDir(), "new", "folder")
	files, err := Write(dir, l.Name, "my-check_2")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(files) || !slices.Equal(files, filesIn(t, dir)) {
		t.Errorf("said %q, written %q", files, filesIn(t, dir))
	}
	for _, must := range []string{".gitignore", "README.md", "build.sh", "manifest.toml"} {
		if !slices.Contains(files, must) {
			t.Errorf("no %s", must)
		}
	}
	for _, f := range files {
		text := read(t, dir, f)
		if strings.Contains(text, "@NAME@") || strings.Contains(text, "/work/") || !strings.HasSuffix(text, "\n") {
			t.Errorf("%s: unfinished:\n%s", f, text)
		}
	}
	if text := read(t, dir, "manifest.toml"); !strings.HasPrefix(text, "name = \"my-check_2\"\n") {
		t.Errorf("manifest.toml: %s", text)
	}
	readme := read(t, dir, "README.md")
	if !strings.Contains(readme, "    pushlane plugin pack --manifest manifest.toml plugin.wasm my-check_2.wasm\n") ||
		strings.Count(readme, "\n") > 24 {
		t.Errorf("README.md: no pack command, or too long:\n%s", readme)
	}
	info, err := os.Stat(filepath.Join(dir, "build.sh"))
	if err != nil || info.Mode()&0o100 == 0 {
		t.Errorf("build.sh cannot be run: %v, %v", info.Mode(), err)
	}
	if out, err := exec.Command("sh", "-n", filepath.Join(dir, "build.sh")).CombinedOutput(); err != nil {
		t.Errorf("build.sh: %v\n%s", err, out)
	}
}

func filesIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, at)
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// need skips a test for want of a program, or fails it where none may skip.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing(t, "%s is not installed", p)
		}
	}
}

// needTarget sees that a compiler can make WASI programs at all: its own
// package does not bring the libraries for that.
func needTarget(t *testing.T, source string, compiler ...string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "source"), []byte(source), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(compiler[0], append(compiler[1:], "-o", "made", "source")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "%s cannot build for WASI: %v\n%s", compiler[0], err, out)
	}
}

func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("PUSHLANE_REQUIRE_TOOLS") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// build runs a template's build.sh and packs what it made.
func build(t *testing.T, dir string, env ...string) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a module")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "./build.sh")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	packed, err := wasm.Pack([]byte(read(t, dir, "plugin.wasm")), []byte(read(t, dir, "manifest.toml")))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func load(t *testing.T, name string, packed []byte) *wasm.Module {
	t.Helper()
	e, err := wasm.Open(t.Context(), wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	m, err := e.Load(t.Context(), name, packed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGo(t *testing.T) {
	need(t, "go")
	dir := t.TempDir()
	write(t, dir, "go")
	judge(t, load(t, "fixme", build(t, dir, checkout(t))))
}

func TestC(t *testing.T) {
	need(t, "clang", "wasm-ld")
	needTarget(t, "int main(void) { return 0; }", "clang", "--target=wasm32-wasi", "-x", "c")
	dir := t.TempDir()
	write(t, dir, "c")
	judge(t, load(t, "fixme", build(t, dir, "CCC_OVERRIDE_OPTIONS=# +-Werror")), deepCase())
}

// TestRust uses the distribution's compiler where there is one: it is the
// oldest that must do.
func TestRust(t *testing.T) {
	rustc := "/usr/bin/rustc"
	if _, err := os.Stat(rustc); err != nil {
		rustc = "rustc"
	}
	need(t, rustc)
	needTarget(t, "fn main() {}", rustc, "--target", rustTarget(t, rustc))
	dir := t.TempDir()
	write(t, dir, "rust")
	judge(t, load(t, "fixme", build(t, dir, "RUSTC="+rustc)), deepCase())
}

func TestAssemblyScript(t *testing.T) {
	need(t, "node", "npm")
	dir := t.TempDir()
	write(t, dir, "assemblyscript")
	if strings.Contains(read(t, dir, "package-lock.json"), "resolved") {
		t.Error("the lock file names a registry")
	}
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		missing(t, "npm cannot get the compiler: %v\n%s", err, out)
	}
	judge(t, load(t, "fixme", build(t, dir)), deepCase())
}

func TestZig(t *testing.T) {
	zig := os.Getenv("ZIG")
	if zig == "" {
		zig = "zig"
	}
	if _, err := exec.LookPath(zig); err != nil {
		t.Skip("zig is not to be had from Debian, Go modules or npm: its template is marked as untested")
	}
	dir := t.TempDir()
	write(t, dir, "zig")
	judge(t, load(t, "fixme", build(t, dir, "ZIG="+zig)), deepCase())
}

// needProxy sees that modules can be had that are not in go.mod.
func needProxy(t *testing.T) {
	t.Helper()
	need(t, "go")
	cmd := exec.Command("go", "mod", "download", "mvdan.cc/sh/v3@v3.14.1")
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "no Go module can be had: %v\n%s", err, out)
	}
}

// TestScripts: the scripts hold for any POSIX shell.
func TestScripts(t *testing.T) {
	need(t, "shellcheck")
	for _, l := range Langs() {
		dir := t.TempDir()
		write(t, dir, l.Name)
		if out, err := exec.Command("shellcheck", filepath.Join(dir, "build.sh")).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", l.Name, out)
		}
	}
}

// rustTarget is what build.sh will choose.
func rustTarget(t *testing.T, rustc string) string {
	t.Helper()
	known, err := exec.Command(rustc, "--print", "target-list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(strings.Fields(string(known)), "wasm32-wasip1") {
		return "wasm32-wasip1"
	}
	return "wasm32-wasi"
}

func write(t *testing.T, dir, lang string) {
	t.Helper()
	if _, err := Write(dir, lang, "fixme"); err != nil {
		t.Fatal(err)
	}
}

// checkout is this tree, whose SDK a Go template takes in place of a published
// one.
func checkout(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return "PUSHLANE_CHECKOUT=" + top
}

// judge holds a built plugin to what every template must do.
func judge(t *testing.T, m *wasm.Module, more ...pluginCase) {
	for _, c := range append(cases(), more...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, m) })
	}
}

func (c pluginCase) run(t *testing.T, m *wasm.Module) {
	var log strings.Builder
	got, err := m.Run(t.Context(), wasm.Call{Stdin: []byte(c.request), World: &wasm.Local{Src: tree(c.files)},
		Stderr: &log})
	var trap *wasm.TrapError
	if c.broken != "" {
		if !errors.As(err, &trap) || got.Exit != 2 || !strings.Contains(log.String(), c.broken) || len(got.Stdout) > 0 {
			t.Fatalf("exit %d, error %v, log %q, said %q; want exit 2 and %q in the log", got.Exit, err, log.String(),
				got.Stdout, c.broken)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	findings, progress := records(t, got.Stdout)
	if !reflect.DeepEqual(findings, c.want) || !slices.Equal(progress, c.progress) {
		t.Errorf("said %s\nfindings %+v\nwant     %+v", got.Stdout, findings, c.want)
	}
	if want := min(1, len(c.want)); got.Exit != want {
		t.Errorf("exit %d, want %d", got.Exit, want)
	}
}

// records reads standard output as a host does.
func records(t *testing.T, stdout []byte) (findings []sdk.Finding, progress []string) {
	t.Helper()
	for line := range strings.Lines(string(stdout)) {
		r, err := sdk.ParseRecord([]byte(line))
		switch {
		case err != nil:
			t.Errorf("%q: %v", line, err)
		case r.Type == "finding" && r.Finding != nil:
			findings = append(findings, *r.Finding)
		case r.Type == "progress":
			progress = append(progress, r.Message)
		default:
			t.Errorf("an unwanted record: %s", line)
		}
	}
	return findings, progress
}
