package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

// What the plugin refuses is put together here, so that this file passes it.
var (
	ours   = strings.Repeat("<", 7)
	middle = strings.Repeat("=", 7)
	theirs = strings.Repeat(">", 7)
)

func begin(kind string) string { return dashes + "BEGIN " + kind + dashes }
func conflict(nl string) string {
	return ours + " HEAD" + nl + "a" + nl + middle + nl + "b" + nl + theirs + " branch" + nl
}

func TestTextRules(t *testing.T) {
	key := func(line int, kind string) []sdk.Finding {
		return []sdk.Finding{{Path: "f", Line: line, Rule: "private-key",
			Message: "private key (" + kind + "): replace the key, it must not be pushed"}}
	}
	clash := func(from int, to string) []sdk.Finding {
		return []sdk.Finding{{Path: "f", Line: from, Rule: "conflict-marker",
			Message: "merge conflict left in the file, up to line " + to}}
	}
	blank := func(line int) sdk.Finding {
		return sdk.Finding{Path: "f", Line: line, Rule: "trailing-whitespace", Message: "white space at the end of the line"}
	}
	long := strings.Repeat("x ", 100_000)
	for name, c := range map[string]struct {
		with, text string
		want       []sdk.Finding
	}{
		"an ordinary file":      {`{"trailing_whitespace":true}`, "a\nb\n", nil},
		"an empty file":         {`{"trailing_whitespace":true}`, "", nil},
		"a conflict":            {"", "x\n" + conflict("\n"), clash(2, "6")},
		"a conflict with CR LF": {"", conflict("\r\n"), clash(1, "5")},
		"a conflict in diff3's style": {"", ours + " a\n1\n" + strings.Repeat("|", 7) + " base\n2\n" + middle + "\n3\n" +
			theirs + " b", clash(1, "7")},
		"a conflict without labels":    {"", ours + "\n" + middle + "\n" + theirs, clash(1, "3")},
		"two conflicts":                {"", conflict("\n") + conflict("\n"), append(clash(1, "5"), clash(6, "10")...)},
		"a Markdown underline":         {"", "Title\n" + middle + "\n", nil},
		"two of three markers":         {"", middle + "\n" + theirs + " x\n", nil},
		"markers in another order":     {"", theirs + " x\n" + middle + "\n" + ours + " x\n", nil},
		"an indented conflict":         {"", "  " + strings.ReplaceAll(conflict("\n"), "\n", "\n  "), nil},
		"eight characters":             {"", "<" + ours + " a\n" + middle + "\n" + theirs + " b\n", nil},
		"a conflict where it may be":   {`{"conflict_markers":false}`, conflict("\n"), nil},
		"a conflict after a long line": {"", long + "\n" + conflict("\n"), clash(2, "6")},
		"a PKCS 8 key":                 {"", "x\n" + begin("PRIVATE KEY") + "\n", key(2, "PEM")},
		"an RSA key":                   {"", begin("RSA PRIVATE KEY"), key(1, "RSA")},
		"an EC key":                    {"", begin("EC PRIVATE KEY"), key(1, "EC")},
		"an OpenSSH key":               {"", begin("OPENSSH PRIVATE KEY"), key(1, "OPENSSH")},
		"an encrypted key":             {"", begin("ENCRYPTED PRIVATE KEY"), key(1, "ENCRYPTED")},
		"a PGP key":                    {"", begin("PGP PRIVATE KEY BLOCK"), key(1, "PGP")},
		"a key inside JSON":            {"", `{"key":"` + begin("PRIVATE KEY") + `\nMII"}`, key(1, "PEM")},
		"a PuTTY key":                  {"", "PuTTY-User-Key-" + "File-3: ssh-ed25519\n", key(1, "PuTTY")},
		"a key far in a long line":     {"", long + begin("PRIVATE KEY") + long, key(1, "PEM")},
		"a key at a block's seam": {"", strings.Repeat("x", (64<<10)-10) + begin("PRIVATE KEY") + "x\n\n",
			key(1, "PEM")},
		"a key after many dashes": {"", "----" + begin("PRIVATE KEY"), key(1, "PEM")},
		"a public key":            {"", begin("PUBLIC KEY"), nil},
		"a certificate":           {"", begin("CERTIFICATE"), nil},
		"a word about keys":       {"", dashes + "BEGIN … PRIVATE KEY" + dashes, nil},
		"a key where it may be":   {`{"private_keys":false}`, begin("PRIVATE KEY"), nil},
		"a key in a binary file":  {"", "\x00" + begin("PRIVATE KEY"), nil},
		"a NUL that comes late":   {"", begin("PRIVATE KEY") + strings.Repeat(" ", 8000) + "\x00", key(1, "PEM")},
		"blanks at line ends": {`{"trailing_whitespace":true}`, "a \nb\n\t\nc\t\r\nd\r\ne ",
			[]sdk.Finding{blank(1), blank(3), blank(4), blank(6)}},
		"a long line that ends blank": {`{"trailing_whitespace":true}`, long + "\nx\n", []sdk.Finding{blank(1)}},
	} {
		verdict := "pass: 1 changed file looked at"
		switch {
		case c.want != nil:
			verdict = "fail"
		case strings.HasPrefix(c.text, "\x00"):
			verdict += ", 1 of them binary: only name and size"
		}
		sdktest.Case{Name: name, Files: map[string]string{"f": c.text}, Base: map[string]string{"f": "before"}, With: c.with,
			WantFindings: c.want, WantVerdict: verdict}.Run(t, check)
	}
}

func TestFileRules(t *testing.T) {
	key := begin("PRIVATE KEY")
	odd := "a \n\"\xff"
	for name, c := range map[string]struct {
		with        string
		files, base map[string]string
		modes       map[string]string
		verdict     string
		want        []sdk.Finding
	}{
		"a file as large as it may be": {with: `{"max_size":"1KiB"}`,
			files: map[string]string{"f": strings.Repeat("x", 1024)}, verdict: "pass: 1 changed file looked at"},
		"a file that is too large": {with: `{"max_size":"1KiB"}`,
			files: map[string]string{"f": strings.Repeat("x", 1025)}, verdict: "fail",
			want: []sdk.Finding{{Path: "f", Rule: "max-size", Message: "file is 1.1 KiB, at most 1 KiB are allowed"}}},
		"a binary file that is": {with: `{"max_size":"2"}`, files: map[string]string{"f": "\x00\x00\x00"},
			verdict: "fail", want: []sdk.Finding{{Path: "f", Rule: "max-size",
				Message: "file is 3 B, at most 2 B are allowed"}}},
		"a forbidden path": {with: `{"forbidden":["**/*.pem","secret/**"]}`,
			files: map[string]string{"a/x.pem": "", "secret/a/b": "", "b": ""}, verdict: "fail",
			want: []sdk.Finding{{Path: "a/x.pem", Rule: "forbidden", Message: `path is forbidden by "**/*.pem"`},
				{Path: "secret/a/b", Rule: "forbidden", Message: `path is forbidden by "secret/**"`}}},
		"a forbidden path that goes": {with: `{"forbidden":["x"]}`, base: map[string]string{"x": ""},
			verdict: "pass: 0 changed files looked at"},
		"what did not change": {files: map[string]string{"k": key}, base: map[string]string{"k": key},
			verdict: "pass: 0 changed files looked at"},
		"an exception": {with: `{"allow":["testdata/**"]}`,
			files: map[string]string{"testdata/k": key, "k": key}, verdict: "fail",
			want: []sdk.Finding{{Path: "k", Line: 1, Rule: "private-key",
				Message: "private key (PEM): replace the key, it must not be pushed"}}},
		"a name that is not UTF-8": {files: map[string]string{odd: key}, verdict: "fail",
			want: []sdk.Finding{{Path: odd, Line: 1, Rule: "private-key",
				Message: "private key (PEM): replace the key, it must not be pushed"}}},
		"a link is not read": {files: map[string]string{"l": key}, modes: map[string]string{"l": "120000"},
			verdict: "pass: 1 changed file looked at"},
		"a submodule is not read": {files: map[string]string{"l": key}, modes: map[string]string{"l": "160000"},
			verdict: "pass: 1 changed file looked at"},
		"a forbidden link": {with: `{"forbidden":["l"]}`, files: map[string]string{"l": key},
			modes: map[string]string{"l": "120000"}, verdict: "fail",
			want: []sdk.Finding{{Path: "l", Rule: "forbidden", Message: `path is forbidden by "l"`}}},
		"a size that is none": {with: `{"max_size":"big"}`,
			verdict: `broken: setting max_size: want a size such as "1MiB", found "big"`},
		"a size of zero": {with: `{"max_size":"0"}`,
			verdict: `broken: setting max_size: want a size such as "1MiB", found "0"`},
		"a size beyond counting": {with: `{"max_size":"9223372036854775807GiB"}`,
			verdict: `broken: setting max_size: want a size such as "1MiB", found "9223372036854775807GiB"`},
		"a glob that is none": {with: `{"allow":["["]}`,
			verdict: `broken: setting: "[" is not a glob: syntax error in pattern`},
		"tokens": {with: `{"tokens":true}`, verdict: `broken: setting tokens: take it out and add a lane with ` +
			`plugin = "secrets": it finds these tokens, and those of more services`},
		"tokens that are not wanted": {with: `{"tokens":false}`, files: map[string]string{"f": "x"},
			verdict: "pass: 1 changed file looked at"},
		"a setting of another type": {with: `{"tokens":"yes"}`,
			verdict: "broken: setting tokens: want a boolean, found a string"},
		"a setting of another type, in": {with: `{"forbidden":[1]}`,
			verdict: "broken: setting forbidden[0]: want a string, found a number"},
	} {
		sdktest.Case{Name: name, With: c.with, Files: c.files, Base: c.base, Modes: c.modes, WantVerdict: c.verdict,
			WantFindings: c.want}.Run(t, check)
	}
}

// TestTrailingBlanks: what a format means by them is not refused.
func TestTrailingBlanks(t *testing.T) {
	blank := func(name string, line int) sdk.Finding {
		return sdk.Finding{Path: name, Line: line, Rule: "trailing-whitespace", Message: "white space at the end of the line"}
	}
	sdktest.Case{Name: "by format", With: `{"trailing_whitespace":true}`, WantVerdict: "fail",
		Files: map[string]string{"a.md": "broken  \nnot \n  \n\t\n", "a.patch": " \n", "a.txt": "x  \n",
			"gen.txt": "x \n", ".gitattributes": "gen.txt linguist-generated\n"},
		WantFindings: []sdk.Finding{blank("a.md", 2), blank("a.md", 3), blank("a.md", 4), blank("a.txt", 1)}}.Run(t, check)
}

// TestHistory: of earlier versions keys, sizes and paths count, where
// their commit added them.
func TestHistory(t *testing.T) {
	key := begin("PRIVATE KEY")
	const past = ", in commit 1234567: removing it later does not remove it from the history: rewrite that commit " +
		"(git rebase --interactive)"
	earlier := func(path, text string, had ...string) []sdktest.Past {
		return []sdktest.Past{{Commit: "1234567890", Path: path, Text: text, Had: had}}
	}
	found := sdk.Finding{Path: "k", Line: 2, Rule: "private-key",
		Message: "private key (PEM): replace the key, it must not be pushed" + past}
	for name, c := range map[string]sdktest.Case{
		"a key": {History: earlier("k", "x\n"+key), WantVerdict: "fail", WantFindings: []sdk.Finding{found}},
		"a key that was there": {History: earlier("k", "x\r\n"+key+"\r\n", key+"\n"),
			WantVerdict: "pass: 0 changed files and 1 earlier version looked at"},
		"a path": {With: `{"forbidden":["k"]}`, History: earlier("k", ""), WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "k", Rule: "forbidden", Message: `path is forbidden by "k"` + past}}},
		"a size": {With: `{"max_size":"1"}`, History: earlier("k", "xx"), WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "k", Rule: "max-size", Message: "file is 2 B, at most 1 B are allowed" + past}}},
		"a conflict": {With: `{"trailing_whitespace":true}`, History: earlier("k", conflict(" \n")),
			WantVerdict: "pass: 0 changed files and 1 earlier version looked at"},
		"no history": {With: `{"history":false}`, History: earlier("k", key), WantVerdict: "pass: 0 changed files looked at"},
	} {
		c.Name = name
		c.Run(t, check)
	}
}

// A changed file that cannot be read must not count as looked at.
func TestAFileThatIsNotThere(t *testing.T) {
	sdktest.Case{Name: "is broken", Request: sdk.Request{
		Changes: []sdk.Change{{Path: "gone", Status: "M", Mode: "100644"}}},
		WantVerdict: "broken"}.Run(t, check)
}

// said is what the rules say of a text, read from a file of this folder.
func said(dir, text string, s settings) int {
	if err := os.WriteFile(dir+"/f", []byte(text), 0o600); err != nil {
		panic(err)
	}
	request := `{"abi":1,"changes":[{"path":"f","status":"A","mode":"100644"}]}`
	return sdk.Session{In: strings.NewReader(request), Out: io.Discard, Log: io.Discard,
		Src: dir}.Serve(func(run *sdk.Run) error {
		for c, content := range run.Contents(run.Changed()) {
			return s.lines(run, c, content)
		}
		return nil
	})
}

func all() settings {
	return settings{conflictMarkers: true, privateKeys: true, trailing: true}
}

func FuzzLines(f *testing.F) {
	f.Add(conflict("\n"))
	f.Add("x " + begin("X PRIVATE KEY"))
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if exit := said(dir, text, all()); exit > 1 {
			t.Fatalf("exit status %d", exit)
		}
		// What is refused stays refused with other lines around it.
		plain := settings{privateKeys: true}
		if said(dir, text, plain) == 1 && !strings.Contains(text, "\x00") {
			if said(dir, strings.Repeat("y\n", 40_000)+text+"\ny\n", plain) != 1 {
				t.Fatalf("%q hides among other lines", text)
			}
		}
	})
}

func BenchmarkLines(b *testing.B) {
	text := strings.Repeat("some ordinary line of text, with words in it\n", 1<<20/45)
	for name, s := range map[string]settings{"without settings": {conflictMarkers: true, privateKeys: true},
		"every rule": all()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			dir := b.TempDir()
			for b.Loop() {
				said(dir, text, s)
			}
		})
	}
}
