package bounded

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// cuts are the functions that may stop reading at a limit, each with the
// reason why that is not taken for the end.
var cuts = map[string]string{
	"host/internal/bounded/bounded.go Head":       "its caller wants a beginning and says so",
	"host/internal/hookclient/client.go readMost": "reads one byte more and refuses it; it imports nothing of ours",
	"hooks/bounded.go readHead": "reads one byte more and says that there is more; hooks imports nothing " +
		"of ours",
	"lanes/importextends.go readFile":       "reads one byte more and refuses it; lanes imports nothing of host",
	"hooks/objects_stream.go applyDelta":    "a stretch of known length: a source that ends before it is an error",
	"host/internal/wasm/source.go seek":     "skips a known length, of which an early end is an error",
	"host/internal/web/logall.go writeAll":  "a log still grows: the page shows what was there when it began",
	"sdk/content.go limited":                "Heads asks for beginnings, and is told the size of the whole",
	"host/internal/lanelog/lanelog.go skip": "skips to where a reader of a log was; what follows is read to its end",
}

// TestNothingIsCut looks at every Go file of the module: code that reads with
// io.LimitReader and its like gets a plain end at the limit. Nor may a
// bufio.Scanner go unasked for its error: a line too long for it ends it.
func TestNothingIsCut(t *testing.T) {
	root, used := filepath.Join("..", "..", ".."), map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata", d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, isFunc := decl.(*ast.FuncDecl)
			place := filepath.ToSlash(name)
			if isFunc {
				place += " " + f.Name.Name
			}
			names := selectors(decl)
			for _, cut := range []string{"io.LimitReader", "io.LimitedReader", "io.CopyN"} {
				if names[cut] && cuts[place] == "" {
					t.Errorf("%s: %s ends without an error at its limit; read with package bounded, or give the reason in cuts",
						place, cut)
				}
				used[place] = used[place] || names[cut]
			}
			if names["bufio.NewScanner"] && !names["lines.Err"] {
				t.Errorf("%s: a scanner called lines must be asked for lines.Err: a long line ends it like the end", place)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for place := range cuts {
		if !used[place] {
			t.Errorf("%s cuts nothing any more: take it out of cuts", place)
		}
	}
}

// selectors are the names "x.Y" that a declaration uses.
func selectors(decl ast.Decl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(decl, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				names[x.Name+"."+s.Sel.Name] = true
			}
		}
		return true
	})
	return names
}
