package wasm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

// gitTree is a file system as a commit may have it: names that are not UTF-8,
// links to anywhere, files that can only be streamed. It counts what is
// opened.
type gitTree struct {
	files map[string]string // by path; a link's content is its target
	links map[string]bool
	mu    sync.Mutex
	opens int
	fail  string // this path cannot be read
}

type node struct {
	tree *gitTree
	path string
	*strings.Reader
}

func (n node) Name() string               { return path.Base(n.path) }
func (n node) Size() int64                { return int64(len(n.tree.files[n.path])) }
func (n node) ModTime() time.Time         { return time.Now() }
func (n node) IsDir() bool                { return n.Mode().IsDir() }
func (n node) Sys() any                   { return nil }
func (n node) Type() fs.FileMode          { return n.Mode().Type() }
func (n node) Info() (fs.FileInfo, error) { return n, nil }
func (n node) Mode() fs.FileMode {
	if n.tree.links[n.path] {
		return fs.ModeSymlink | 0o777
	}
	if _, file := n.tree.files[n.path]; file {
		return 0o644
	}
	return fs.ModeDir | 0o755
}

// stream hides that a node could be read at any place.
type stream struct{ n node }

func (s stream) Stat() (fs.FileInfo, error) { return s.n, nil }
func (s stream) Read(p []byte) (int, error) { return s.n.Reader.Read(p) }
func (s stream) Close() error               { return nil }

func (g *gitTree) find(name string) (node, error) {
	n := node{tree: g, path: name, Reader: strings.NewReader(g.files[name])}
	if _, file := g.files[name]; file || name == "." {
		return n, nil
	}
	for p := range g.files {
		if strings.HasPrefix(p, name+"/") {
			return n, nil
		}
	}
	return n, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
}

func (g *gitTree) Open(name string) (fs.File, error) {
	g.mu.Lock()
	g.opens++
	g.mu.Unlock()
	if name == g.fail {
		return nil, fmt.Errorf("object 1234 is damaged")
	}
	n, err := g.find(name)
	return stream{n}, err
}

func (g *gitTree) Stat(name string) (fs.FileInfo, error) {
	n, err := g.find(name)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (g *gitTree) ReadDir(name string) ([]fs.DirEntry, error) {
	seen := map[string]fs.DirEntry{}
	for p := range g.files {
		rest, below := strings.CutPrefix(p, name+"/")
		if name == "." {
			rest, below = p, true
		}
		if below {
			first, _, _ := strings.Cut(rest, "/")
			n, _ := g.find(path.Join(name, first))
			seen[first] = n
		}
	}
	var all []fs.DirEntry
	for _, e := range seen {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

func TestWhatAPluginSees(t *testing.T) {
	e := open(t, Options{})
	src := &gitTree{files: map[string]string{"dir/file": "0123456789", "dir/sp ace\n\"": "odd", "bad\xff\xfename": "bytes",
		"link": "/etc/passwd", "up": "../../..", "dirlink": "dir"},
		links: map[string]bool{"link": true, "up": true, "dirlink": true}}
	out := NewOut(1<<19, 5)
	r, err := load(t, e, "look").Run(t.Context(), Call{
		World: &Local{Src: src, Results: fstest.MapFS{"c1/a.txt": {Data: []byte("made")}}}, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, string(r.Stdout), []string{
		`"/src" d---------`,
		`"/src/bad\xff\xfename" ---------- 5 "bytes" <nil>`,
		`"/src/dir" d---------`,
		`"/src/dir/file" ---------- 10 "0123456789" <nil>`,
		`"/src/dir/sp ace\n\"" ---------- 3 "odd" <nil>`,
		`"/src/dirlink" L--------- -> "dir" <nil>; open: open /src/dirlink: Too many symbolic links; stat: stat ` +
			`/src/dirlink: Too many symbolic links`,
		`"/src/link" L--------- -> "/etc/passwd" <nil>; open: open /src/link: Too many symbolic links; stat: stat ` +
			`/src/link: Too many symbolic links`,
		`"/src/up" L--------- -> "../../.." <nil>; open: open /src/up: Too many symbolic links; stat: stat /src/up: Too ` +
			`many symbolic links`,
		`"/base" d---------`,
		`"/results" d---------`,
		`"/results/c1" d---------`,
		`"/results/c1/a.txt" ---------- 4 "made" <nil>`,
		`"/out" d---------`,
		`456 012 789 <nil> write /src/dir/file: Bad file number`,
		`[look] [LANE_ABI=1] 2000-01-01 00:00`,
		`/src <nil>`,
		`<nil> remove /out/d: Directory not empty`,
		`big write /out/big: No space left on device`,
		`many 2 open /out/f2: No space left on device`,
	})
	if got := fmt.Sprintf("%q", out.Files()); got != `["big" "d/y" "f0" "f1"]` {
		t.Errorf("files %s", got)
	}
	if data, err := out.ReadFile("d/y"); string(data) != "onetwo" || err != nil {
		t.Errorf("d/y: %q, %v", data, err)
	}
	if _, err := out.ReadFile("d"); err == nil {
		t.Error("a folder can be read")
	}
	if r.Used.Out != 6 {
		t.Errorf("%d bytes used in /out", r.Used.Out)
	}
}

// TestLinkedFolderIsNoWay: a path through a link does not exist, also where
// the file system below would follow it.
func TestLinkedFolderIsNoWay(t *testing.T) {
	v := source{fstest.MapFS{"real/f": {Data: []byte("x")}, "l": {Data: []byte("real"), Mode: fs.ModeSymlink}}}
	if _, err := v.stat("l/f"); err != errLink {
		t.Errorf("stat: %v", err)
	}
	world := &Local{Src: v.fs}
	if a, err := world.Ask(t.Context(), Question{Kind: AskOpen, Name: "l/f"}); a.Code != fsLink || err != nil {
		t.Errorf("open: %+v, %v", a, err)
	}
	if _, err := v.list("l"); err == nil {
		t.Error("list: no error")
	}
	if target, err := v.readlink("l"); target != "real" || err != nil {
		t.Errorf("readlink: %q, %v", target, err)
	}
}

// TestLazy: a plugin that reads one of ten thousand files costs one.
func TestLazy(t *testing.T) {
	src := &gitTree{files: map[string]string{"a": "hello"}}
	for i := range 10_000 {
		src.files[fmt.Sprintf("d%d/f%d", i%100, i)] = "x"
	}
	if _, err := load(t, open(t, Options{}), "escape").Run(t.Context(), Call{World: &Local{Src: src}}); err != nil {
		t.Fatal(err)
	}
	if src.opens > 2 {
		t.Errorf("%d files were opened", src.opens)
	}
}

// TestUnreadable: what cannot be read ends the run; the plugin does not get to
// judge the rest.
func TestUnreadable(t *testing.T) {
	src := &gitTree{files: map[string]string{"a": "hello"}, fail: "a"}
	_, err := load(t, open(t, Options{}), "escape").Run(t.Context(), Call{World: &Local{Src: src}})
	wantError(t, err, []string{`plugin "escape" was stopped: cannot read /src/a for it: object 1234 is damaged (`})
}

func TestResolve(t *testing.T) {
	tests := []struct {
		dir, name, want string
		no              errno
	}{
		{".", "a", "a", ok}, {".", "a//b/./c/", "a/b/c", ok}, {".", ".", ".", ok}, {"d", "..", ".", ok},
		{"d/e", "../f", "d/f", ok},
		{".", "a/../b", "b", ok}, {".", "bad\xff", "bad\xff", ok}, {".", "...", "...", ok},
		{".", "..", "", ePerm}, {"d", "../..", "", ePerm}, {".", "a/../../b", "", ePerm}, {".", "/a", "", ePerm},
		{".", "", "", eNoent},
		{".", "a\x00b", "", eInval}, {".", strings.Repeat("a", 5000), "", eNametoolong},
	}
	for _, test := range tests {
		if got, no := resolve(test.dir, test.name); got != test.want || no != test.no {
			t.Errorf("resolve(%q, %.20q) = %q, %d; want %q, %d", test.dir, test.name, got, no, test.want, test.no)
		}
	}
}

// full is what hooks.QuotaError is: this run may take no more of the host.
type full struct{}

func (full) Error() string { return "no room" }
func (full) NoSpace() bool { return true }

// cramped is a file system in which only what is read in order can be read.
type cramped struct{ fstest.MapFS }

func (c cramped) Open(name string) (fs.File, error) {
	f, err := c.MapFS.Open(name)
	if err == nil && name != "." {
		f = &crampedFile{File: f}
	}
	return f, err
}

type crampedFile struct {
	fs.File
	at int64
}

func (f *crampedFile) ReadAt(p []byte, off int64) (int, error) {
	if off != f.at {
		return 0, &fs.PathError{Op: "read", Path: "big", Err: full{}}
	}
	n, err := io.ReadFull(f.File, p)
	f.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// TestNoSpace: a run that has used up what it may take of the host hears that
// there is no space, and goes on; a disk that is full stops it.
func TestNoSpace(t *testing.T) {
	text := strings.Repeat("x", 3*inline)
	l := &Local{Src: cramped{fstest.MapFS{"big": {Data: []byte(text)}}}}
	defer l.Close()
	call := Call{World: l, Stderr: io.Discard}
	call.defaults(1 << 20)
	s := newSession(&Module{})
	s.bind(t.Context(), &call)
	tree := &tree{session: s, number: TreeSrc}
	if st, err := tree.opening("big"); err != nil || st.size != int64(len(text)) {
		t.Fatalf("%+v, %v", st, err)
	}
	file, err := tree.open("big", openHow{})
	if err != nil {
		t.Fatal(err)
	}
	d := &desc{vol: tree, path: "big", file: file}
	b := make([]byte, 100)
	if n, no := s.read(d, b, inline); n != 100 || no != ok {
		t.Errorf("in order: %d bytes, errno %d", n, no)
	}
	if n, no := s.read(d, b, 2*inline); n != 0 || no != eNospc {
		t.Errorf("out of order: %d bytes, errno %d, want %d", n, no, eNospc)
	}
	disk := &fs.PathError{Op: "write", Path: "/tmp/x", Err: syscall.ENOSPC}
	if a, err := readAnswer(Answer{}, disk); !errors.Is(err, syscall.ENOSPC) || a.Code != 0 {
		t.Errorf("a full disk: %+v, %v", a, err)
	}
	if a, err := fileAnswer(Answer{}, full{}); err != nil || a.Code != fsNoSpace {
		t.Errorf("opening: %+v, %v", a, err)
	}
	if a, err := readAnswer(Answer{}, fs.ErrNotExist); err == nil {
		t.Errorf("a file that goes away while it is read is not a missing one: %+v", a)
	}
}
