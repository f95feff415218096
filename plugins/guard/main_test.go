package main

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

const never = `{"never":[{"word":"OldClient","reason":"use ` +
	`Client"},{"text":"secret.example","case":false,"allow":["docs/**"],"reason":"not ` +
	`public"},{"path":"vendor/**","allow":["vendor/keep"],"reason":"no vendoring"}]}`

func name(file string, line, col int, what string) sdk.Finding {
	return sdk.Finding{Path: file, Line: line, Col: col, Rule: "name", Message: what}
}

func cases() []sdktest.Case {
	old := `"OldClient" must not come back: use Client`
	const past = ", in commit 1234567: removing it later does not remove it from the history: rewrite that commit " +
		"(git rebase --interactive)"
	return []sdktest.Case{
		{Name: "nothing", With: never, Files: map[string]string{
			"a.go": "Client\nMyOldClient\nOldClients\nOldClient_\nÄOldClient\n"}, WantVerdict: "pass: 1 changed file looked at"},
		{Name: "a word", With: never, Files: map[string]string{"a.go": "x\n  NotOldClient OldClient()\n"},
			WantVerdict: "fail", WantFindings: []sdk.Finding{name("a.go", 2, 16, old)}},
		{Name: "at the ends of a line", With: never, Files: map[string]string{"a.go": "OldClient\n.OldClient"},
			WantVerdict:  "fail",
			WantFindings: []sdk.Finding{name("a.go", 1, 1, old), name("a.go", 2, 2, old)}},
		{Name: "what was there stays", With: never, Base: map[string]string{"a.go": "OldClient\n"},
			Files: map[string]string{"a.go": "first\nOldClient\n"}, WantVerdict: "pass: 1 changed file looked at"},
		{Name: "twice where it was once", With: never, Base: map[string]string{"a.go": "OldClient\n"},
			Files: map[string]string{"a.go": "OldClient\nOldClient\n"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{name("a.go", 2, 1, old)}},
		{Name: "all", With: never[:len(never)-1] + `,"all":true}`, Base: map[string]string{"a.go": "OldClient\n"},
			Files: map[string]string{"a.go": "first\nOldClient\n"}, WantVerdict: "pass: 1 changed file looked at",
			WantFindings: []sdk.Finding{{Path: "a.go", Line: 2, Col: 1, Level: "warning", Rule: "name", Message: old}}},
		{Name: "text in any case", With: never, Files: map[string]string{"b.md": "see Secret.Example.org",
			"docs/b.md": "secret.example"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{name("b.md", 1, 5, `"secret.example" must not come back: not public`)}},
		{Name: "paths", With: never, Files: map[string]string{"vendor/x.go": "x", "vendor/keep": "",
			"cmd/OldClient/x.go": ""}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "cmd/OldClient/x.go", Rule: "path",
				Message: "this path must not come back: use Client"},
				{Path: "vendor/x.go", Rule: "path", Message: "this path must not come back: no vendoring"}}},
		{Name: "binary", With: never, Files: map[string]string{"a": "\x00OldClient\n"},
			WantVerdict: "pass: 0 changed files looked at, of 1 binary file the name alone"},
		{Name: "moved", With: never, Base: map[string]string{"a/f": "one\nOldClient\n"},
			Files: map[string]string{"b/f": "one\nOldClient\n"}, WantVerdict: "pass: 1 changed file looked at"},
		{Name: "moved and edited", With: never, Base: map[string]string{"a/f": "one\nOldClient\n"},
			Files: map[string]string{"b/f": "OldClient\nOldClient x\n"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{name("b/f", 2, 1, old)}},
		{Name: "CR LF, where it was LF", With: never, Base: map[string]string{"a": "OldClient\n"},
			Files: map[string]string{"a": "OldClient\r\nx\r\n"}, WantVerdict: "pass: 1 changed file looked at"},
		{Name: "a byte order mark", With: never, Files: map[string]string{"a": "\xef\xbb\xbfOldClient"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{name("a", 1, 1, old)}},
		{Name: "UTF-16", With: never, Files: map[string]string{
			"a": "\xfe\xff\x00x\x00\n\x00O\x00l\x00d\x00C\x00l\x00i\x00e\x00n\x00t"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{name("a", 2, 1, old)}},
		{Name: "a long line", With: never, Files: map[string]string{"a": strings.Repeat("x ", 50_000) +
			"OldClient\nOldClient"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{name("a", 1, 100_001, old), name("a", 2, 1, old)}},
		{Name: "on the way", With: never, History: []sdktest.Past{
			{Commit: "1234567890", Path: "OldClient/a", Text: "x OldClient"}}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "OldClient/a", Rule: "path",
				Message: "this path must not come back: use Client" + past}, name("OldClient/a", 1, 3, old+past)}},
		{Name: "gone", With: never, Base: map[string]string{"a": "OldClient\n"},
			WantVerdict: "pass: 0 changed files looked at"},
	}
}

func TestGuard(t *testing.T) {
	for _, c := range cases() {
		c.Run(t, check)
	}
}

func TestGuardAsWasm(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range cases() {
		c.Serve = guest.Serve
		c.Run(t, nil)
	}
}
