package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

func TestAnchors(t *testing.T) {
	p := parse([]byte("# Hello, World!\n## Hello, World!\n## `code` and *more*\nSetext\n---\n### ünï_code 1.2\n<a id=\"mine\"></a>\n\n<h2 name='yours'>x</h2>\n\n## [Linked](x.md)\n```\n# not one\n```\n"))
	for _, want := range []string{"hello-world", "hello-world-1", "code-and-more", "setext", "ünï_code-12", "mine", "yours", "linked"} {
		if !p.anchors[want] {
			t.Errorf("no #%s in %v", want, p.anchors)
		}
	}
	if len(p.anchors) != 8 {
		t.Errorf("%d anchors: %v", len(p.anchors), p.anchors)
	}
}

func TestLinks(t *testing.T) {
	p := parse([]byte("[a](a.md) and ![b](b.png \"title\")\n\n`[no](no.md)` <https://example.org> [ref][r]\n\n    [no](code.md)\n\n- x\n  [c](<with blank.md>)\n\n[r]: ref.md\n[unused]: unused.md\n"))
	want := []link{{"a.md", 1}, {"b.png", 1}, {"ref.md", 3}, {"with blank.md", 8}, {"unused.md", 11}}
	if !slices.Equal(p.links, want) {
		t.Errorf("got %+v\nwant %+v", p.links, want)
	}
}

func cases() []sdktest.Case {
	dead := func(file string, line int, target, what string) sdk.Finding {
		return sdk.Finding{Path: file, Line: line, Rule: "link", Message: "link to \"" + target + "\": " + what}
	}
	good := map[string]string{"README.md": "# Top\n[a](docs/a.md#part-one) [self](#top) [dir](docs) [up](docs/../LICENSE) [x](https://example.org/none) [m](mailto:a@example.org)\n", "LICENSE": "x", "docs/README.md": "# Docs\n", "docs/a.md": "# Part one\n[abs](/README.md) [home](../README.md#top) ![i](i.png) [docs](.#docs)\n", "docs/i.png": "x"}
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
		{Name: "dead", Base: good, Files: with("docs/b.md", "[a](c.md)\n\n![i](../i.png)\n[h](a.md#part-two) [u](../../x) [s](#nothing)\n"), WantVerdict: "fail", WantFindings: []sdk.Finding{
			dead("docs/b.md", 1, "c.md", `there is no "docs/c.md"`), dead("docs/b.md", 3, "../i.png", `there is no "i.png"`), dead("docs/b.md", 4, "a.md#part-two", `there is no heading #part-two in "docs/a.md"`),
			dead("docs/b.md", 4, "../../x", "leads out of the repository"), dead("docs/b.md", 4, "#nothing", `there is no heading #nothing in "docs/b.md"`)}},
		{Name: "only what changed", Base: with("old.md", "[x](none.md)"), Files: with("old.md", "[x](none.md)", "new.md", "x"), WantVerdict: "pass: 0 links in 1 files looked at"},
		{Name: "all", With: `{"all":true}`, Base: with("old.md", "[x](none.md)"), Files: with("old.md", "[x](none.md)", "new.go", "x"), WantVerdict: "fail", WantFindings: []sdk.Finding{dead("old.md", 1, "none.md", `there is no "none.md"`)}},
		{Name: "a target was removed", Base: with("b.md", "x", "c.md", "[b](b.md)"), Files: with("c.md", "[b](b.md)"), WantVerdict: "fail", WantFindings: []sdk.Finding{dead("c.md", 1, "b.md", `there is no "b.md"`)}},
		{Name: "ignored", With: `{"ignore":["gen/**"]}`, Files: map[string]string{"a.md": "[g](gen/x.md)"}, WantVerdict: "pass: 1 links in 1 files looked at"},
		{Name: "other files", With: `{"files":["**/*.txt"]}`, Files: map[string]string{"a.md": "[g](none)", "b.txt": "[g](a.md)"}, WantVerdict: "pass: 1 links in 1 files looked at"},
		{Name: "deep", Files: map[string]string{"a.md": strings.Repeat("> ", 5000) + "[x](a.md)\n" + strings.Repeat("[", 5000)}, WantVerdict: "pass: 1 links in 1 files looked at"},
	}
}

func TestCheck(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range cases() {
		c.Run(t, check)
		c.Name, c.Serve = c.Name+" (wasm)", guest.Serve
		c.Run(t, check)
	}
}
