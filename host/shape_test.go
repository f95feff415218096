package host

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the source may be at most: see RATIONALE.md, "Why is the host eighteen
// packages?".
const (
	maxMethods = 50 // of a type
	maxTangle  = 12 // files of a package that all reach each other
)

// tangled are the packages that have more, with their number: see RATIONALE.md.
var tangled = map[string]int{"host/internal/wasm": 28}

// TestShape holds how large a type may be, and how many files of one package
// may need each other.
func TestShape(t *testing.T) {
	t.Parallel()
	list := exec.Command("go", "list", "-export", "-deps", "-f",
		`{{.ImportPath}}|{{.Dir}}|{{.Export}}|{{join .GoFiles " "}}`, "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports, own := map[string]string{}, map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		exports[fields[0]] = fields[2]
		if name, ours := strings.CutPrefix(fields[0], module); ours {
			for _, file := range strings.Fields(fields[3]) {
				own[name] = append(own[name], filepath.Join(fields[1], file))
			}
		}
	}
	if len(own) < 40 {
		t.Fatalf("only %d packages are looked at", len(own))
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", open)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		lookAt(t, name, readPackage(t, fset, imports, name, own[name]))
	}
}

// source is one package as its compiler sees it.
type source struct {
	fset  *token.FileSet
	files []*ast.File
	pkg   *types.Package
	uses  map[*ast.Ident]types.Object
}

func readPackage(t *testing.T, fset *token.FileSet, imports types.Importer, name string, files []string) source {
	t.Helper()
	s := source{fset: fset, uses: map[*ast.Ident]types.Object{}}
	for _, file := range files {
		parsed, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, parsed)
	}
	config := types.Config{Importer: imports}
	pkg, err := config.Check(module+name, fset, s.files, &types.Info{Uses: s.uses})
	if err != nil {
		t.Fatal(err)
	}
	s.pkg = pkg
	return s
}

func lookAt(t *testing.T, name string, s source) {
	t.Helper()
	for _, typ := range s.pkg.Scope().Names() {
		named, ok := s.pkg.Scope().Lookup(typ).Type().(*types.Named)
		if ok && named.NumMethods() > maxMethods {
			t.Errorf("%s.%s has %d methods, the limit is %d", name, typ, named.NumMethods(), maxMethods)
		}
	}
	most := max(maxTangle, tangled[name])
	for _, files := range tangles(s.arrows()) {
		if len(files) > most {
			t.Errorf("%d files of %s reach each other, the limit is %d: %s", len(files), name, most,
				strings.Join(files, " "))
		}
	}
}

// file names the file that declares something.
func (s source) file(at token.Pos) string { return filepath.Base(s.fset.Position(at).Filename) }

// arrows says of each file which others of the package it uses: their
// declarations, fields and methods.
func (s source) arrows() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, parsed := range s.files {
		to := map[string]bool{}
		all[s.file(parsed.Pos())] = to
		ast.Inspect(parsed, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			used := s.uses[id]
			if used == nil || used.Pkg() != s.pkg || !s.shared(used) {
				return true
			}
			to[s.file(used.Pos())] = true
			return true
		})
	}
	return all
}

// shared reports whether other files can name a thing: it is not a local of a
// function.
func (s source) shared(used types.Object) bool {
	switch used := used.(type) {
	case *types.Var:
		return used.IsField() || used.Parent() == s.pkg.Scope()
	case *types.Func:
		return true
	case *types.TypeName, *types.Const:
		return used.Parent() == s.pkg.Scope()
	}
	return false
}

// tangles groups the files that all reach each other.
func tangles(arrows map[string]map[string]bool) [][]string {
	reach := map[string]map[string]bool{}
	for from := range arrows {
		reach[from] = map[string]bool{}
		for next := []string{from}; len(next) > 0; {
			at := next[0]
			next = next[1:]
			for to := range arrows[at] {
				if !reach[from][to] {
					reach[from][to] = true
					next = append(next, to)
				}
			}
		}
	}
	var groups [][]string
	seen := map[string]bool{}
	for _, from := range slices.Sorted(maps.Keys(arrows)) {
		group := []string{from}
		for _, to := range slices.Sorted(maps.Keys(reach[from])) {
			if to != from && reach[to][from] && !seen[from] {
				group, seen[to] = append(group, to), true
			}
		}
		groups = append(groups, group)
	}
	return groups
}
