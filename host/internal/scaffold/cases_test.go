package scaffold

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/sdk"
)

// pluginCase is one request, the tree it is about, and what a template's
// plugin must say to it.
type pluginCase struct {
	name     string
	request  string
	files    map[string]string
	want     []sdk.Finding
	progress []string
	broken   string // it cannot decide; this is in its log
}

func found(path string, line int) sdk.Finding {
	return sdk.Finding{Path: path, Line: line, Level: "error", Rule: "fixme", Message: "FIXME is left in this line"}
}

func cases() []pluginCase {
	return append(append(plainCases(), nameCases()...), hostileCases()...)
}

// noChanges: a plugin that cannot see what is pushed must not pass it.
const noChanges = "cannot list changes: the host gives none to this run"

func plainCases() []pluginCase {
	files := map[string]string{
		"a.txt":     "fine\n\tFIXME: one\r\nfine\nFIXME FIXME twice in a line\nFFIXFIXME\nFIXM\nE\nFIX ME fixme\nlast FIXME",
		"b/c.txt":   "nothing here\n",
		"empty":     "",
		"link":      "FIXME",
		"run.sh":    "FIXME\n",
		"other.txt": "FIXME in a file that did not change\n",
		"zeros":     "\x00\xff\xfe\nFI\x00XME\n\xffFIXME\x00\n",
		"long":      strings.Repeat("x", 65534) + "FIXME" + strings.Repeat("y", 200_000) + "\nFIXME\n",
	}
	return []pluginCase{
		{name: "no changes", request: request(``), files: files},
		{name: "changes absent", request: `{"abi":1}`, files: files, broken: noChanges},
		{name: "changes null", request: `{"abi":1,"changes":null,"limits":null}`, files: files, broken: noChanges},
		{name: "without", request: request(change("b/c.txt", "M", "100644") + "," + change("empty", "A", "100644")),
			files: files},
		{name: "with", files: files,
			request: request(strings.Join([]string{change("a.txt", "M", "100644"), change("b/c.txt", "A", "100644"),
				change("run.sh", "A", "100755"), change("zeros", "A", "100644")}, ",")),
			want: []sdk.Finding{found("a.txt", 2), found("a.txt", 4), found("a.txt", 5), found("a.txt", 9), found("run.sh", 1),
				found("zeros", 3)}},
		{name: "deleted, link, submodule", files: files,
			request: request(`{"path":"gone","status":"D","old":"1234"},` + change("link", "A", "120000") + "," +
				change("sub", "A", "160000"))},
		{name: "long lines", request: request(change("long", "A", "100644")), files: files,
			want: []sdk.Finding{found("long", 1), found("long", 2)}},
		{name: "limit", files: files,
			request: `{"limits":{"memory":1,"findings":2},"abi":1,"changes":[` + change("a.txt", "M", "100644") + "," +
				change("run.sh", "M", "100755") + `]}`,
			want:     []sdk.Finding{found("a.txt", 2), found("a.txt", 4)},
			progress: []string{"3 more findings are not listed"}},
	}
}

// nameCases: a path is bytes.
func nameCases() []pluginCase {
	spelled := []struct{ json, path string }{
		{`caf\u00e9`, "café"},
		{`raw-é-€-😀`, "raw-é-€-😀"},
		{`pair-\ud83d\ude00`, "pair-😀"},
		{`\udcff\udc80.txt`, "\xff\x80.txt"},
		{`latin-\udce9\u00e9`, "latin-\xe9é"},
		{`cut-\udce2\udc82`, "cut-\xe2\x82"},
		{`surrogate-\udced\udcb3\udcbf`, "surrogate-\xed\xb3\xbf"},
		{`over-\udcc0\udcaf-\udcf5`, "over-\xc0\xaf-\xf5"},
		{`DCFF-\uDCFF`, "DCFF-\xff"},
		{`q\"b\\s\/t\tn\nr\rb\bf\fd\u001fe\u007f`, "q\"b\\s/t\tn\nr\rb\bf\fd\x1fe\x7f"},
		{`x\u2028y`, "x\u2028y"},
	}
	var all []pluginCase
	for _, s := range spelled {
		all = append(all, pluginCase{name: fmt.Sprintf("name %+q", s.path),
			request: request(`{"path":"` + s.json + `","status":"A","mode":"100644"}`),
			files:   map[string]string{s.path: "\nFIXME"}, want: []sdk.Finding{found(s.path, 2)}})
	}
	return all
}

// hostileCases: what a host may send that this ABI does not know, and what no
// host sends.
func hostileCases() []pluginCase {
	files := map[string]string{"a": "FIXME"}
	grease := `"x":[1,-2.5e+10,true,false,null,"\"]}\\",{},[],[[{"changes":[{"path":"b"}]}]]],"\ud800":{"path":"no","":` +
		`{"a":[]}},"deep":` +
		deep(60)
	broken := func(name, request, why string) pluginCase {
		return pluginCase{name: name, request: request, files: files, broken: why}
	}
	cannotRead := "cannot read request: "
	return []pluginCase{
		{name: "unknown keys", files: files, want: []sdk.Finding{found("a", 1)},
			request: "\t{ " + grease + " ,\n\"abi\" : 1 , \"changes\" : [ {" + grease +
				`, "path" : "a" , "status":"M","mode":"100644","new":null,"newer":{"path":"z"}} ] ,` +
				`"limits":{"findings":10000,` + grease + `},"with":{"changes":[{"path":"b","status":"A","mode":"100644"}]} } ` +
				"\r\n"},
		{name: "keys with escapes", files: files, want: []sdk.Finding{found("a", 1)},
			request: `{"\u0061bi":1,"change\u0073":[{"p\u0061th":"a","st\u0061tus":"\u0041","mode":"100644"}]}`},
		broken("another abi", `{"abi":2,"changes":[]}`, "the host speaks ABI 2, this plugin 1"),
		broken("no abi", `{"changes":[]}`, "the host speaks ABI 0, this plugin 1"),
		broken("nothing", ``, cannotRead),
		broken("cut", `{"abi":1,"changes":[{"path":"a"`, cannotRead),
		broken("cut in a string", `{"abi":1,"x":"`, cannotRead),
		broken("cut in an escape", `{"abi":1,"x":"\u12`, cannotRead),
		broken("two values", `{"abi":1,"changes":[]} {}`, cannotRead),
		broken("an array", `[]`, cannotRead),
		broken("wrong brackets", `{"abi":1,"x":[}]}`, cannotRead),
		broken("a missing comma", `{"abi":1 "changes":[]}`, cannotRead),
		broken("a comma too many", `{"abi":1,"x":[1,],"changes":[]}`, cannotRead),
		broken("a wrong type", `{"abi":1,"changes":[{"path":1}]}`, cannotRead),
		broken("a wrong word", `{"abi":1,"x":nul,"changes":[]}`, cannotRead),
		broken("a control character", "{\"abi\":1,\"x\":\"\n\"}", cannotRead),
		broken("an unknown escape", `{"abi":1,"x":"\q"}`, cannotRead),
		broken("a file that is not there", request(change("gone", "M", "100644")), "cannot look at "),
		broken("a path out of the tree", request(change("../src/a", "M", "100644")), "cannot look at "),
	}
}

// deepCase is for readers of their own: the SDK takes no more than 64 levels,
// theirs must not fall over a stack.
func deepCase() pluginCase {
	return pluginCase{name: "nested very deeply", files: map[string]string{"a": "FIXME"},
		want:    []sdk.Finding{found("a", 1)},
		request: `{"x":` + deep(200_000) + `,"abi":1,"changes":[` + change("a", "A", "100644") + `]}`}
}

// deep is a value of that many levels.
func deep(levels int) string {
	return strings.Repeat(`[{"k":`, levels/2) + `0` + strings.Repeat(`}]`, levels/2)
}

func request(changes string) string {
	return `{"abi":1,"run":"r@1234567:fixme","lane":"fixme","repository":"r","gate":"pre-push",` +
		`"update":{"ref":"refs/heads/main","old":"0","new":"1","base":"0"},"changes":[` + changes + `],` +
		`"with":{},"granted":["repo.read"],"limits":{"memory":268435456,"millis":60000,"log":1048576,"findings":10000,` +
		`"out":1}}`
}

func change(path, status, mode string) string {
	return fmt.Sprintf(`{"path":%q,"status":%q,"mode":%q,"new":"1234"}`, path, status, mode)
}

// tree is a file system whose names are any bytes, as those of a commit.
type tree map[string]string

func (t tree) Open(name string) (fs.File, error) {
	if text, ok := t[name]; ok {
		return &treeFile{Reader: strings.NewReader(text), name: name}, nil
	}
	for p := range t {
		if name == "." || strings.HasPrefix(p, name+"/") {
			return &treeFile{Reader: strings.NewReader(""), name: name, dir: true}, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (t tree) ReadDir(name string) (entries []fs.DirEntry, err error) {
	seen := map[string]bool{}
	for p := range t {
		if name != "." {
			below, ok := strings.CutPrefix(p, name+"/")
			if !ok {
				continue
			}
			p = below
		}
		first, _, folder := strings.Cut(p, "/")
		if !seen[first] {
			seen[first] = true
			entries = append(entries, fs.FileInfoToDirEntry(&treeFile{name: first, dir: folder}))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

type treeFile struct {
	*strings.Reader
	name string
	dir  bool
}

func (f *treeFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *treeFile) Close() error               { return nil }
func (f *treeFile) Name() string               { return path.Base(f.name) }
func (f *treeFile) ModTime() time.Time         { return time.Unix(0, 0) }
func (f *treeFile) IsDir() bool                { return f.dir }
func (f *treeFile) Sys() any                   { return nil }
func (f *treeFile) Mode() fs.FileMode {
	if f.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
