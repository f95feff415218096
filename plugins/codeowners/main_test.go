package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// TestOwners: patterns as GitHub's and GitLab's pages describe them.
func TestOwners(t *testing.T) {
	text := strings.Join([]string{"# all", "* @all", "*.js @js # with a comment", "/build/logs/ @doctocat",
		"docs/* docs@example.org", "apps/ @octo/cat",
		"/docs/ @docs", "**/logs @logs", "/apps/github", `/with\ blank/ @blank`, "!*.lock"}, "\n")
	owners, faults := parse(text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for path, want := range map[string]string{
		"README": "@all", "a/b.js": "@js", "build/logs/x/y": "@logs", "x/build/logs": "@logs", "docs/a.md": "@docs",
		"docs/a/b.md": "@docs", "x/docs/a.md": "@all",
		"apps/x": "@octo/cat", "x/apps/y": "@octo/cat", "apps/github/z": "", "with blank/f": "@blank", "a.lock": "",
		"go.lock": "",
	} {
		if got := strings.Join(owners.of(path), " "); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestSections(t *testing.T) {
	owners, faults := parse(
		"* @all\n[Docs][2] @docs\n*.md\n/secret.md @boss\n^[Maybe] @maybe\n*\n[Data base]\ndb/ @db @dba\n")
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for path, want := range map[string][]string{"a.go": {"@all"}, "a.md": {"@all", "@docs"},
		"secret.md": {"@all", "@boss"}, "db/x.md": {"@all", "@docs", "@db", "@dba"}} {
		if got := owners.of(path); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	_, faults := parse("a @ok\nb name\nc[d] @ok\n[] @x\n/ @ok\n[S][2 @x\nd @\n")
	want := []fault{{2, `"name" is not an owner: write @name, @org/team or an address`},
		{3, `"c[d]": a pattern has no [ ]`},
		{4, "a section is written [Name]"},
		{5, `"/" matches nothing`}, {6, "a section's number of approvals is written [Name][2]"},
		{7, `"@" is not an owner: write @name, @org/team or an address`}}
	if !slices.Equal(faults, want) {
		t.Errorf("got %+v", faults)
	}
}

func cases() []sdktest.Case {
	note := func(message string) sdk.Finding { return sdk.Finding{Level: "note", Message: message} }
	return []sdktest.Case{
		{Name: "no file", Files: map[string]string{"a": "x"}, WantVerdict: "skip: there is no CODEOWNERS"},
		{Name: "who", Base: map[string]string{".github/CODEOWNERS": "*.go @go\n*.md @docs @go\n",
			"CODEOWNERS": "* @nobody\n"}, Files: map[string]string{".github/CODEOWNERS": "*.go @go\n*.md @docs @go\n",
			"CODEOWNERS": "* @nobody\n", "a.go": "x", "b.md": "x", "c": "x"},
			WantVerdict: "pass: approval of @docs, @go", WantFindings: []sdk.Finding{note("@docs must approve b.md"),
				note("@go must approve a.go, b.md")}},
		{Name: "without an owner", With: `{"file":"OWNERS","unowned":"error"}`, Base: map[string]string{"OWNERS": "a @a"},
			Files: map[string]string{"OWNERS": "a @a", "b": "x"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "b", Rule: "unowned", Message: "no one owns this file"}}},
		{Name: "many", Base: map[string]string{"CODEOWNERS": "* @a"},
			Files:        map[string]string{"CODEOWNERS": "* @a", "1": "", "2": "", "3": "", "4": "", "5": "", "6": "", "7": ""},
			WantVerdict:  "pass: approval of @a",
			WantFindings: []sdk.Finding{note("@a must approve 1, 2, 3, 4, 5 and 2 more")}},
		{Name: "a byte order mark", Base: map[string]string{"CODEOWNERS": "\xef\xbb\xbf# who\r\n* @a\r\n"},
			Files:        map[string]string{"CODEOWNERS": "\xef\xbb\xbf# who\r\n* @a\r\n", "b": ""},
			WantVerdict:  "pass: approval of @a",
			WantFindings: []sdk.Finding{note("@a must approve b")}},
		{Name: "UTF-16", Base: map[string]string{"CODEOWNERS": "\xff\xfe*\x00 \x00@\x00a\x00"},
			Files: map[string]string{"CODEOWNERS": "\xff\xfe*\x00 \x00@\x00a\x00", "b": ""}, WantVerdict: "pass: approval of @a",
			WantFindings: []sdk.Finding{note("@a must approve b")}},
		{Name: "a fault", Files: map[string]string{"CODEOWNERS": "ok @a\nb nobody\n"},
			WantVerdict: "fail: CODEOWNERS cannot be read",
			WantFindings: []sdk.Finding{{Path: "CODEOWNERS", Line: 2,
				Message: `"nobody" is not an owner: write @name, @org/team or an address`}}},
		{Name: "a file that is set and not there", With: `{"file":"OWNERS"}`, Files: map[string]string{"a": ""},
			WantVerdict: "broken"},
	}
}

// TestSymbolicLinks: CODEOWNERS may be a link inside the tree, and no other.
func TestSymbolicLinks(t *testing.T) {
	for target, want := range map[string]string{
		"docs/owners": `{"type":"finding","finding":{"level":"note","message":"@all must approve a"}}`,
		"../owners": `{"type":"finding","finding":{"path":"CODEOWNERS","level":"error","message":"it is a ` +
			`symbolic link that leads out of the repository"}}`,
		"/etc/passwd": `{"type":"finding","finding":{"path":"CODEOWNERS","level":"error","message":"it is a ` +
			`symbolic link that leads out of the repository"}}`,
		"CODEOWNERS": `{"type":"finding","finding":{"path":"CODEOWNERS","level":"error","message":"it is a ` +
			`symbolic link that leads to itself"}}`,
		"docs/none": `{"type":"finding","finding":{"path":"CODEOWNERS","level":"error","message":"it is a ` +
			`symbolic link to \"docs/none\", which is not there"}}`,
		"docs": `{"type":"finding","finding":{"path":"CODEOWNERS","level":"error","message":"\"docs\" ` +
			`is a folder"}}`,
		"docs/bad": `{"type":"finding","finding":{"path":"docs/bad","line":1,"level":"error","message":` +
			`"\"me\" is not an owner: write @name, @org/team or an address"}}`,
		"docs/../docs/.//owners": `{"type":"finding","finding":{"level":"note","message":"@all must approve a"}}`,
	} {
		dir := t.TempDir()
		err := errors.Join(os.Mkdir(dir+"/docs", 0o755), os.WriteFile(dir+"/docs/owners", []byte("* @all\n"), 0o600),
			os.WriteFile(dir+"/docs/bad", []byte("* me\n"), 0o600), os.Symlink(target, dir+"/CODEOWNERS"))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		request := `{"abi":1,"changes":[{"path":"a","status":"A","mode":"100644"}]}`
		exit := sdk.Session{In: strings.NewReader(request), Out: &out, Log: t.Output(), Src: dir}.Serve(check)
		if got, _, _ := strings.Cut(out.String(), "\n"); got != want || exit > 1 {
			t.Errorf("%s: exit status %d\n got %s\nwant %s", target, exit, got, want)
		}
	}
}

func TestCodeowners(t *testing.T) {
	for _, c := range cases() {
		c.Run(t, check)
	}
}

func TestCodeownersAsWasm(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range cases() {
		c.Serve = guest.Serve
		c.Run(t, nil)
	}
}
