package sdk

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// blocksOf reads a text as a check does.
func blocksOf(text []byte) (all []Block, binary bool) {
	c := &Content{run: &Run{}, src: &textOf{text}}
	for b := range c.Blocks() {
		b.Text = bytes.Clone(b.Text)
		all = append(all, b)
	}
	return all, c.Binary()
}

// joined is what blocks are together, held to what they say of themselves.
func joined(t *testing.T, all []Block) []byte {
	t.Helper()
	var text []byte
	for i, b := range all {
		text = append(text, b.Text[b.Again:]...)
		before := text[:len(text)-len(b.Text)]
		if want := bytes.Count(before, []byte("\n")) + 1; b.Line != want {
			t.Errorf("block %d says line %d, is at line %d", i, b.Line, want)
		}
		if want := len(before) - bytes.LastIndexByte(before, '\n') - 1; b.Col != want || b.Start != (want == 0) {
			t.Errorf("block %d says column %d, start %t, is at %d", i, b.Col, b.Start, want)
		}
		if b.End != (i == len(all)-1) {
			t.Errorf("block %d of %d: end %t", i, len(all), b.End)
		}
	}
	return text
}

// TestBlocks: nothing is lost or seen twice, wherever the lines end.
func TestBlocks(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a line": "a", "lines": "a\n\nb\n", "one block": strings.Repeat("x", bufferSize),
		"and a byte":             strings.Repeat("x", bufferSize+1),
		"a line end at the seam": strings.Repeat("x", bufferSize-1) + "\ny\n",
		"a long line":            "a\n" + strings.Repeat("x", 3*bufferSize) + "\nb",
		"a long line in the middle": strings.Repeat("y\n", 40_000) + strings.Repeat("x", 2*bufferSize-BlockOverlap) + "\n" +
			strings.Repeat("z\n", 40_000),
		"many lines": strings.Repeat("some words\r\n", 20_000), "late NUL": strings.Repeat("x", binaryHead) + "\x00",
	} {
		all, binary := blocksOf([]byte(text))
		if got := joined(t, all); string(got) != text || binary {
			t.Errorf("%s: %d bytes of %d, binary %t", name, len(got), len(text), binary)
		}
	}
}

func utf16Of(text string, big bool) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

// TestEncodings: a file is the text it is, whatever its mark claims.
func TestEncodings(t *testing.T) {
	const text = "key = ghp_\nGrüße 😀\n"
	little, big := utf16Of(text, false), utf16Of(text, true)
	cat := func(mark string, parts ...[]byte) []byte {
		return bytes.Join(append([][]byte{[]byte(mark)}, parts...), nil)
	}
	var utf32 []byte
	for _, c := range []byte("key\n") {
		utf32 = append(utf32, c, 0, 0, 0)
	}
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"UTF-8":                 {[]byte(text), text},
		"with a mark":           {cat(markUTF8, []byte(text)), text},
		"a mark alone":          {[]byte(markUTF8), ""},
		"little":                {cat(markLittle, little), text},
		"big":                   {cat(markBig, big), text},
		"little that says big":  {cat(markBig, little), text},
		"big that says little":  {cat(markLittle, big), text},
		"little without a mark": {little, text},
		"big without a mark":    {big, text},
		"one that turns round": {cat(markLittle, bytes.Repeat(little, 100), bytes.Repeat(big, 100)),
			strings.Repeat(text, 200)},
		"a byte that is too many":   {cat(markLittle, little, []byte{'x'}), text},
		"UTF-32":                    {cat(markLittle+"\x00\x00", utf32), "key\n"},
		"half a pair of surrogates": {cat(markLittle, []byte{0x3d, 0xd8, 'a', 0, 'b', 0}), "\uFFFDab"},
	} {
		all, binary := blocksOf(c.text)
		got := string(joined(t, all))
		if name == "one that turns round" { // a stretch may hold both orders
			if n := strings.Count(got, "key = ghp_"); n < 195 || binary {
				t.Errorf("%s: %d of 200 lines are read", name, n)
			}
			continue
		}
		if got != c.want && name != "half a pair of surrogates" || binary ||
			!strings.HasSuffix(got, c.want[max(0, len(c.want)-2):]) {
			t.Errorf("%s: got %q, binary %t, want %q", name, got, binary, c.want)
		}
		if whole := string(DecodeText(c.text)); whole != got {
			t.Errorf("%s: as a whole %q", name, whole)
		}
	}
	for name, text := range map[string]string{
		"a program": "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00", "NULs": strings.Repeat("\x00", 100),
		"one NUL": "text\x00text that goes on"} {
		if all, binary := blocksOf([]byte(text)); !binary || len(all) > 0 {
			t.Errorf("%s: binary %t, %d blocks", name, binary, len(all))
		}
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add([]byte("\xff\xfea\x00\n\x00"), uint16(3))
	f.Add([]byte("a\nb"), uint16(40_000))
	f.Fuzz(func(t *testing.T, part []byte, times uint16) {
		text := bytes.Repeat(part, 1+int(times)%5000)
		if len(text) > 1<<20 {
			return
		}
		all, binary := blocksOf(text)
		if got := joined(t, all); !binary && !bytes.Equal(got, DecodeText(text)) {
			t.Errorf("%d bytes of %d", len(got), len(text))
		}
		if n := CountLines(text); n != bytes.Count(text, []byte("\n")) {
			t.Errorf("%d lines", n)
		}
	})
}

// TestFollow: where a path leads inside a tree, and what keeps it from leading.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/b/c.txt", "top.txt"} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]string{"a/up": "../top.txt", "dir": "a/b", "chain": "dir/../up", "out": "../x",
		"deep": "a/b/../../../etc", "abs": "/etc/passwd", "one": "two", "two": "one", "gone": "a/none", "self": "."}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "module"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := &Run{session: Session{Src: dir}}
	for name, want := range map[string]string{
		"top.txt": "top.txt", "a/up": "top.txt", "dir/c.txt": "a/b/c.txt", "chain": "top.txt", "self/self/a/up": "top.txt",
		".": "./", "dir": "a/b/",
		"out": "out: a symbolic link leads out of the tree", "deep": "deep: a symbolic link leads out of the tree",
		"abs": "abs: a symbolic link leads out of the tree",
		"one": "one: a symbolic link leads to itself", "gone": "a/none: file does not exist",
		"top.txt/x": "top.txt/x: file does not exist",
		"none/x":    "none/x: file does not exist", "module/any/file": "module/any (submodule)",
		"../x": "../x: a symbolic link leads out of the tree",
	} {
		found, err := Follow(run, name)
		got := found.Path
		switch {
		case err != nil:
			if got += ": " + err.Error(); name == "one" {
				got = "one: " + err.Error()
			}
		case found.Submodule:
			got += " (submodule)"
		case found.IsDir:
			got += "/"
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestContents: what is not read is passed over, links and submodules included.
func TestContents(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "first", "b": "", "c": "third"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	run := &Run{session: Session{Src: dir}}
	run.Changes = []Change{{Path: "a", Status: "M", Mode: "100644"}, {Path: "b", Status: "A", Mode: "100644"},
		{Path: "c", Status: "A", Mode: "100755"},
		{Path: "d", Status: "D"}, {Path: "l", Status: "A", Mode: "120000"},
		{Path: "m", Status: "A", Mode: "160000", NewID: strings.Repeat("1", 40)}}
	var got strings.Builder
	for c, content := range run.Heads(run.Changed(), 4) {
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString(c.Path + "=" + string(text) + " ")
	}
	if want := "a=firs b= c=thir l=a m= "; got.String() != want || run.faults.err() != nil {
		t.Errorf("got %q (%v), want %q", got.String(), run.faults.err(), want)
	}
	run.Changes = append(run.Changes, Change{Path: "none", Status: "A", Mode: "100644"})
	for range run.Contents(run.Changed()) {
	}
	if err := run.faults.err(); err == nil || !strings.HasPrefix(err.Error(), `cannot read "none": `) {
		t.Errorf("a file that is not there is passed over: %v", err)
	}
}
