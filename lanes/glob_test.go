package lanes

import (
	"strings"
	"testing"
)

func TestGlobMatch(t *testing.T) {
	tests := map[string]struct{ pattern, yes, no string }{
		"a plain name is a file or a folder with all below": {"docs", "docs docs/a docs/a/b", "docs2 a/docs doc"},
		"a trailing slash is a folder only":                 {"docs/", "docs/a docs/a/b", "docs"},
		"a star stays in one folder":                        {"*.go", "a.go .go", "b/a.go"},
		"a star in the middle":                              {"a/*/c", "a/b/c", "a/c a/b/b/c a/b/c/d"},
		"a name with a star is not a folder":                {"doc*", "docs", "docs/a"},
		"two stars lead to any depth":                       {"**/*.go", "a.go b/a.go b/c/a.go", "a.go/x"},
		"two stars in the middle":                           {"a/**/b", "a/b a/x/b a/x/y/b", "ab a/xb"},
		"two stars at the end":                              {"a/**", "a/b a/b/c", "a ab"},
		"two stars alone":                                   {"**", "a a/b", ""},
		"two stars within a name are one":                   {"a/?**b", "a/xb a/xyb", "a/x/b"},
		"two stars after plain text cross slashes":          {"lib**", "lib libx lib/a/b", "xlib"},
		"three stars are two":                               {"***/a", "a b/a", "b"},
		"a question mark is one byte":                       {"?", "a \xff", "é / ab"},
		"a class":                                           {"[a-c]x", "ax cx", "dx"},
		"a negated class":                                   {"[!a]x", "bx", "ax"},
		"the other sign of negation":                        {"[^a]x", "bx", "ax"},
		"a class never takes a slash":                       {"a[!b]c", "axc", "a/c"},
		"a bracket first in a class":                        {"[]x]", "] x", "a"},
		"a POSIX class":                                     {"[[:digit:]_]", "7 _", "a"},
		"a range with an escape":                            {"[\\a-c]", "a b c", "- \\"},
		"an escaped star":                                   {"\\*", "*", "a"},
		"a dot folder needs no dot":                         {"*/x", ".git/x", ""},
		"a folder called like the pattern":                  {"[id]", "i d [id] [id]/page", "x"},
		"a folder called like the pattern's start":          {"app/[id]/*.ts", "app/i/a.ts app/[id]/a.ts", "app/[id]/b/a.ts"},
		"dots and doubled slashes are dropped":              {"./a//b/.", "a/b/x", "a"},
		"the top folder":                                    {".", "a a/b", ""},
		"a byte that is not UTF-8":                          {"\xff*", "\xffa", "a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g, err := ParseGlob(test.pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range strings.Fields(test.yes) {
				if !g.Match(path) {
					t.Errorf("%q does not match %q", test.pattern, path)
				}
			}
			for _, path := range strings.Fields(test.no) {
				if g.Match(path) {
					t.Errorf("%q matches %q", test.pattern, path)
				}
			}
			if g.String() != test.pattern {
				t.Errorf("it calls itself %q", g)
			}
		})
	}
}

func TestParseGlobRefuses(t *testing.T) {
	tests := map[string]string{
		"":                        "it is empty; leave `paths` out to run on every push",
		"/a":                      "it begins with a slash; paths are relative to the repository's top folder",
		"..":                      "it holds \"..\"; paths are relative to the repository's top folder",
		"a/../b":                  "it holds \"..\"; paths are relative to the repository's top folder",
		":(top)a":                 "it begins with a colon, git's sign for magic words; write `\\:` to mean the character",
		"!a":                      "it begins with !; list it under `ignore`, or write `\\!` to mean the character",
		"a\x00":                   "it holds a NUL byte",
		"a\\":                     "it ends in a lone backslash",
		"[a":                      "a [ has no ]; write \\[ to mean the character",
		"[]":                      "a [ has no ]; write \\[ to mean the character",
		"[a\\]":                   "a [ has no ]; write \\[ to mean the character",
		"[[:alpha:]":              "a [ has no ]; write \\[ to mean the character",
		"[[:letter:]]":            "unknown class [:letter:]",
		"docs*/":                  "it ends in a slash and matches no file; write \"docs*/**\"",
		"**/":                     "it ends in a slash and matches no file; write \"**/**\"",
		strings.Repeat("a", 4097): "it is longer than 4096 bytes",
	}
	for pattern, want := range tests {
		g, err := ParseGlob(pattern)
		if err == nil || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%q: got %v, want %s", pattern, err, want)
		}
		if g.Match("a") || g.Match("") {
			t.Errorf("%q: the refused pattern matches", pattern)
		}
	}
}

// TestGlobIsBounded gives the shapes on which a backtracking matcher takes
// time that doubles with each byte; they would not end before the sun does.
func TestGlobIsBounded(t *testing.T) {
	deep, long := strings.Repeat("a/", 2000), strings.Repeat("a", 4000)
	for _, pattern := range []string{
		strings.Repeat("**/", 1000) + "b", strings.Repeat("**/a/", 800) + "b", strings.Repeat("**/*", 1000) + "b",
		strings.Repeat("*a", 2000) + "b", strings.Repeat("*", 4000) + "b", "**/" + strings.Repeat("*a", 2000) + "b",
		strings.Repeat("*/", 2000) + "b", strings.Repeat("**\\/", 1000) + "b", strings.Repeat("[!b]*", 800) + "b",
		strings.Repeat("**/*a*/", 500) + "[b]", strings.Repeat("a*/", 1300) + "**/?[b]",
	} {
		g, err := ParseGlob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{deep + "a", long, long[:2000] + "/" + long[:2000], deep + "c",
			deep[:2000] + long[:2000]} {
			if g.Match(path) {
				t.Errorf("%.20q matches %.20q", pattern, path)
			}
		}
	}
}

func BenchmarkGlob(b *testing.B) {
	for _, pattern := range []string{"docs", "**/*.go", "src/**/test_*.py", "**/a*b*c/**"} {
		b.Run(strings.ReplaceAll(pattern, "/", "|"), func(b *testing.B) {
			g, err := ParseGlob(pattern)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				g.Match("src/server/handlers/v2/abc/test_users.py")
			}
		})
	}
}

// TestGlobRunIsExact compares the matcher, which keeps two places to come
// back to, with the plain meaning of the tokens, over every short pattern and
// path.
func TestGlobRunIsExact(t *testing.T) {
	paths := texts("ab/", 6)
	for _, pattern := range texts("a*/?", 5) {
		prog, err := compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if got, want := run(prog, path), plainRun(prog, path); got != want {
				t.Fatalf("%q on %q: got %v, want %v", pattern, path, got, want)
			}
		}
	}
}

// texts lists every text of up to n letters.
func texts(letters string, n int) []string {
	all, last := []string{""}, []string{""}
	for range n {
		var next []string
		for _, w := range last {
			for _, l := range letters {
				next = append(next, w+string(l))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

func plainRun(prog []token, s string) bool {
	if len(prog) == 0 {
		return s == ""
	}
	rest := prog[1:]
	for i := 0; i <= len(s); i++ {
		switch prog[0].kind {
		case star:
			if plainRun(rest, s[i:]) {
				return true
			}
			if i < len(s) && s[i] == '/' {
				return false
			}
		case manyDirs:
			if (i == 0 || s[i-1] == '/') && plainRun(rest, s[i:]) {
				return true
			}
		case anything:
			if plainRun(rest, s[i:]) {
				return true
			}
		default:
			return s != "" && prog[0].takes(s[0]) && plainRun(rest, s[1:])
		}
	}
	return false
}
