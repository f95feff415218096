// Package scaffold writes the first files of a lane plugin: for each language
// a small complete plugin that refuses lines with FIXME, its manifest, a build
// script and a README.
//
// The files are in templates/<language>, each with .tmpl after its name so that the
// tools of this repository ignore them. @NAME@ in them becomes the plugin's name;
// nothing else is replaced.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pushlane/pushlane/host/internal/problem"
)

//go:embed all:templates
var templates embed.FS

// Lang is a language that a plugin can be begun in.
type Lang struct {
	Name   string // as given to Write
	About  string // one line
	Tested bool   // its template is built and run by this package's tests
	Needs  string // what must be installed to build it
}

// Langs are all languages, the best supported first.
func Langs() []Lang {
	return []Lang{
		{"go", "Go with the pushlane SDK", true, "Go 1.26 or later"},
		{"rust", "Rust from the contract and the standard library alone, no crates", true,
			"rustc 1.63 or later with its standard library for wasm32-wasi, lld"},
		{"c", "C from the contract alone, no SDK", true, "clang, lld, wasi-libc and clang's runtime for wasm32"},
		{"assemblyscript", "AssemblyScript from the contract alone, with its own system functions", true,
			"Node 18 or later with npm, which gets the compiler"},
		{"tool", "an existing command-line program compiled to WASI, no code", true,
			"the compiler of the program's language"},
		{"tinygo", "Go with the pushlane SDK, built small by TinyGo", false, "TinyGo 0.41 or later and Go 1.26"},
		{"zig", "Zig from the contract alone, with its own system functions", false, "Zig 0.16"},
	}
}

var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Write writes the template of a language into a folder, which is made where
// it is missing and must be empty. It returns the names of the files, below
// the folder, in their order.
func Write(dir, lang, name string) (files []string, err error) {
	if !pluginName.MatchString(name) {
		return nil, withHint(fmt.Errorf("cannot write plugin: %q is not a plugin's name", name),
			"a name is 1 to 63 of a-z, 0-9, _ and -, the first of them a letter or digit")
	}
	if !known(lang) {
		return nil, withHint(fmt.Errorf("cannot write plugin: no template for language %q", lang), "languages: %s", names())
	}
	if err := makeEmpty(dir); err != nil {
		return nil, fmt.Errorf("cannot write plugin: %w", err)
	}
	return writeAll(dir, path.Join("templates", lang), name)
}

func known(lang string) bool {
	for _, l := range Langs() {
		if l.Name == lang {
			return true
		}
	}
	return false
}

func names() string {
	var all []string
	for _, l := range Langs() {
		all = append(all, l.Name)
	}
	return strings.Join(all, ", ")
}

// makeEmpty makes a folder, or sees that the one that is there holds nothing:
// someone's files must not be mixed with ours.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return withHint(fmt.Errorf("folder %q is not empty", dir), "name a folder that does not exist yet")
	}
	return nil
}

func writeAll(dir, from, name string) (files []string, err error) {
	err = fs.WalkDir(templates, from, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file := strings.TrimSuffix(strings.TrimPrefix(at, from+"/"), ".tmpl")
		if err := writeOne(filepath.Join(dir, filepath.FromSlash(file)), at, name); err != nil {
			return fmt.Errorf("cannot write plugin: %w", err)
		}
		files = append(files, file)
		return nil
	})
	return files, err
}

func writeOne(to, from, name string) error {
	text, err := templates.ReadFile(from)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o666)
	if path.Ext(to) == ".sh" {
		mode = 0o777
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(bytes.ReplaceAll(text, []byte("@NAME@"), []byte(name)))
	return errors.Join(err, f.Close())
}

func withHint(err error, format string, args ...any) error {
	return problem.WithHint(err, fmt.Sprintf(format, args...))
}
