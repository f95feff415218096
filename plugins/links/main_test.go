package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

func TestAnchors(t *testing.T) {
	p := newReader().
		parse([]byte(
			"# Hello, World!\n## Hello, World!\n## `code` and *more*\nSetext\n---\n### ünï_code 1.2\n<a id=\"mine\"></a>\n\n" +
				"<h2 name='yours'>x</h2>\n\n## [Linked](x.md)\n```\n# not one\n```\n"))
	for _, want := range []string{"hello-world", "hello-world-1", "code-and-more", "setext", "ünï_code-12", "mine",
		"yours", "linked", "x"} {
		if !p.anchors[want] {
			t.Errorf("no #%s in %v", want, p.anchors)
		}
	}
	if len(p.anchors) != 9 {
		t.Errorf("%d anchors: %v", len(p.anchors), p.anchors)
	}
}

// TestAnchorsOfForges: the alphabet of GitHub's anchors, escapes, entities, HTML.
func TestAnchorsOfForges(t *testing.T) {
	for text, want := range map[string]string{
		"## दुकान की खिड़की":                         "दुकान-की-खिड़की",
		"## เริ่มต้น":                                "เริ่มต้น",
		"## A &amp; B":                               "a--b",
		"## C\\_D \\& E":                             "c_d--e",
		"## `a &amp; b\\_c`":                         "a-amp-b_c",
		"## x&#x2F;y &copy; &nosuch;":                "xy--nosuch",
		"## ½ Ⅷ ²":                                   "½-ⅷ-²",
		"## a‿b":                                     "a‿b",
		"## \U0001F680 Launch":                       "-launch",
		"## ![logo](l.png) Title":                    "title",
		"\xef\xbb\xbf# Title here":                   "title-here",
		"Title\r\n===\r\n":                           "title",
		"<h2 align=\"center\">Install it</h2>":       "install-it",
		"<div>\n<H3>A &amp;\n <b>B</b></H3>\n</div>": "a--b",
		"<a ID=mine></a>":                            "mine",
		"<a id = 'x&amp;y'></a>":                     "x&y",
		"<p id=\"user-content-p\">":                  "p",
		"<pre>\n<h1>closed</h1></pre>":               "closed",
		"## [a\\_b](c)":                              "a_b",
	} {
		if p := newReader().parse([]byte(text)); !p.has(want) {
			t.Errorf("%q has no #%s: %q", text, want, slices.Collect(maps.Keys(p.anchors)))
		}
	}
	p := newReader().parse([]byte("# One\n"))
	for anchor, want := range map[string]bool{"one": true, "One": true, "user-content-one": true, "top": true, "L10": true,
		"L10-L20": true, "L3C1-L4C5": true,
		"L": false, "Lx": false, "L10-": false, "two": false} {
		if p.has(anchor) != want {
			t.Errorf("#%s: %t", anchor, !want)
		}
	}
}

// TestMeant: escapes and entities, once.
func TestMeant(t *testing.T) {
	for text, want := range map[string]string{`#input\_size`: "#input_size", `my\(x\).md`: "my(x).md", `a\b`: `a\b`,
		`\\_`: `\_`, `\&amp;`: "&amp;", "&amp;lt;": "&lt;",
		"&#35;x": "#x", "a&b": "a&b", "&": "&", `x\`: `x\`, "&amp": "&amp", "&auml;.md": "ä.md"} {
		if got := meant(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("# A &amp; B\n<h2>x</h2>\n[a\\_b](c\\_d#e) ![i](&amp;.png)\n[r]: x\\y\n")
	r := newReader()
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		for _, l := range r.parse([]byte(text)).links {
			if l.line < 1 || l.line > lines {
				t.Errorf("line %d of %d", l.line, lines)
			}
			l.inside()
		}
	})
}

func TestLinks(t *testing.T) {
	p := newReader().
		parse([]byte(
			"[a](a.md) and ![b](b.png \"title\")\n\n`[no](no.md)` <https://example.org> [ref][r]\n\n    [no](code.md)\n\n- " +
				"x\n  [c](<with blank.md>)\n\n[r]: ref.md\n[unused]: unused.md\n"))
	want := []link{{"a.md", 1}, {"b.png", 1}, {"ref.md", 3}, {"with blank.md", 8}, {"unused.md", 11}}
	if !slices.Equal(p.links, want) {
		t.Errorf("got %+v\nwant %+v", p.links, want)
	}
}

func cases() []sdktest.Case {
	dead := func(file string, line int, target, what string) sdk.Finding {
		return sdk.Finding{Path: file, Line: line, Rule: "link", Message: "link to \"" + target + "\": " + what}
	}
	good := map[string]string{
		"README.md": "# Top\n[a](docs/a.md#part-one) [self](#top) [dir](docs) [up](docs/../LICENSE) " +
			"[x](https://example.org/none) [m](mailto:a@example.org)\n", "LICENSE": "x", "docs/README.md": "# Docs\n",
		"docs/a.md": "# Part one\n[abs](/README.md) [home](../README.md#top) ![i](i.png) [docs](.#docs)\n", "docs/i.png": "x"}
	with := func(more ...string) map[string]string {
		all := map[string]string{}
		for k, v := range good {
			all[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	return []sdktest.Case{
		{Name: "well", Files: good, WantVerdict: "pass: 10 links in 3 files looked at"},
		{Name: "dead", Base: good, Files: with("docs/b.md",
			"[a](c.md)\n\n![i](../i.png)\n[h](a.md#part-two) [u](../../x) [s](#nothing)\n"), WantVerdict: "fail",
			WantFindings: []sdk.Finding{
				dead("docs/b.md", 1, "c.md", `there is no "docs/c.md"`), dead("docs/b.md", 3, "../i.png", `there is no "i.png"`),
				dead("docs/b.md", 4, "a.md#part-two", `there is no heading #part-two in "docs/a.md"`),
				dead("docs/b.md", 4, "../../x", "leads out of the repository"),
				dead("docs/b.md", 4, "#nothing", `there is no heading #nothing in "docs/b.md"`)}},
		{Name: "only what changed", Base: with("old.md", "[x](none.md)"),
			Files: with("old.md", "[x](none.md)", "new.md", "x"), WantVerdict: "pass: 0 links in 1 file looked at"},
		{Name: "all", With: `{"all":true}`, Base: with("old.md", "[x](none.md)"),
			Files: with("old.md", "[x](none.md)", "new.go", "x"), WantVerdict: "fail",
			WantFindings: []sdk.Finding{dead("old.md", 1, "none.md", `there is no "none.md"`)}},
		{Name: "a target was removed", Base: with("b.md", "x", "c.md", "[b](b.md)"), Files: with("c.md", "[b](b.md)"),
			WantVerdict: "fail", WantFindings: []sdk.Finding{dead("c.md", 1, "b.md", `there is no "b.md"`)}},
		{Name: "ignored", With: `{"ignore":["gen/**"]}`, Files: map[string]string{"a.md": "[g](gen/x.md)"},
			WantVerdict: "pass: 1 link in 1 file looked at"},
		{Name: "other files", With: `{"files":["**/*.txt"]}`,
			Files:       map[string]string{"a.md": "[g](none)", "b.txt": "[g](a.md)"},
			WantVerdict: "pass: 1 link in 1 file looked at"},
		{Name: "escapes",
			Files: map[string]string{
				"a.md": "| <a name=\"input_size\"></a> [size\\_of](#input\\_size) | [p](my\\(x\\).md) | [q](R&amp;D.md) |\n" +
					"|---|---|---|\n", "my(x).md": "", "R&D.md": ""}, WantVerdict: "pass: 3 links in 3 files looked at"},
		{Name: "UTF-16",
			Files:       map[string]string{"a.md": "\xff\xfe#\x00 \x00A\x00\n\x00\n\x00[\x00x\x00]\x00(\x00#\x00b\x00)\x00"},
			WantVerdict: "fail", WantFindings: []sdk.Finding{dead("a.md", 3, "#b", `there is no heading #b in "a.md"`)}},
		{Name: "generated and vendored", Files: map[string]string{
			".gitattributes": "*.gen.md linguist-generated\nvendor/** linguist-vendored=true\n", "a.gen.md": "[x](none)",
			"vendor/b.md": "[x](none)"}, WantVerdict: "pass: 0 links in 0 files looked at, 2 generated or vendored files not"},
		{Name: "too large", Files: map[string]string{"a.md": strings.Repeat("x\n", maxPage/2) + "[x](none)",
			"b.md": "[a](a.md#x)"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "a.md", Rule: "too-large",
				Message: "the page is larger than 4 MiB, its links are not checked: split it, or exclude it with the setting " +
					"files"}}},
		{Name: "deep", Files: map[string]string{"a.md": strings.Repeat("> ", 5000) + "[x](a.md)\n" +
			strings.Repeat("[", 5000)}, WantVerdict: "pass: 1 link in 1 file looked at"},
	}
}

// links are a tree with symbolic links, which sdktest's files cannot be.
func TestSymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	text := "[a](docs/index.md#install) [b](guide/index.md) [c](guide/gone.md)\n[d](out.md) [e](loop/x) [f](abs) " +
		"[g](up#no) [h](sub/any/file.md#x) [i](docs#install)\n"
	for name, content := range map[string]string{"README.md": "# Install\n", "docs/b": "x", "a.md": text} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755),
			os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"docs/index.md": "../README.md", "docs/README.md": "index.md",
		"guide": "docs", "out.md": "../../etc/passwd", "loop": "loop", "abs": "/etc/passwd", "up": "./docs/../README.md"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	request := `{"abi":1,"changes":[{"path":"a.md","status":"A","mode":"100644"},{"path":"docs/index.md","status":"A",` +
		`"mode":"120000"}]}`
	exit := sdk.Session{In: strings.NewReader(request), Out: &out, Log: t.Output(), Src: dir}.Serve(check)
	var got []string
	for line := range strings.Lines(out.String()) {
		if r, err := sdk.ParseRecord([]byte(line)); err == nil && r.Finding != nil {
			got = append(got, r.Finding.Message)
		}
	}
	want := []string{`link to "guide/gone.md": there is no "guide/gone.md": a symbolic link leads to "docs/gone.md"`,
		`link to "out.md": the symbolic link "out.md" leads out of the repository`,
		`link to "loop/x": the symbolic link "loop" leads to itself`,
		`link to "abs": the symbolic link "abs" leads out of the repository`,
		`link to "up#no": there is no heading #no in "README.md"`}
	if exit != 1 || !slices.Equal(got, want) {
		t.Errorf("exit status %d\n got %q\nwant %q", exit, got, want)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range cases() {
		c.Run(t, check)
	}
}

func TestCheckAsWasm(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range cases() {
		c.Serve = guest.Serve
		c.Run(t, nil)
	}
}
