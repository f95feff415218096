package lanes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"src/a.go":                "src/a.go",
		"SRC/A.go":                "src/a.go",
		"src./a.go":               "src/a.go",
		"src /a.go. .":            "src/a.go",
		"./..":                    "./..",
		"caf\u00e9":               "caf\u00e9",
		"cafe\u0301":              "caf\u00e9",
		"CAFE\u0301":              "caf\u00e9",
		"s\u200crc/\ufeffx":       "src/x",
		"\u212aELVIN":             "kelvin",
		"STRA\u1e9eE/stra\u00dfe": "strasse/strasse",
		"BAD\xff/X":               "bad\xff/x",
	} {
		if got := Fold(path); got != want {
			t.Errorf("Fold(%q) = %q, want %q", path, got, want)
		}
	}
}

// A name that is another one on the author's machine only is judged by the
// lanes of both; it is ignored by its exact name alone.
func TestPathsThatDifferInCaseOrForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ keys, path, want string }{
		{`paths = ["src/**"]`, "SRC/evil.txt", "+ SRC/evil.txt | src/** | matches src/** except for case or normal form"},
		{`paths = ["Makefile"]`, "makefile", "+ makefile | Makefile | matches Makefile except for case or normal form"},
		{`paths = ["Docs"]`, "docs/a/b", "+ docs/a/b | Docs | matches Docs except for case or normal form"},
		{"paths = [\"caf\u00e9/*\"]", "cafe\u0301/x",
			"+ cafe\u0301/x | caf\u00e9/* | matches caf\u00e9/* except for case or normal form"},
		{`paths = ["src/**"]`, "s\u200brc/x", "- | | no changed path matches"},
		{`paths = ["src/**"]`, "src./x", "+ src./x | src/** | matches src/** except for case or normal form"},
		{`paths = ["**/*.GO"]`, "a/b.go", "+ a/b.go | **/*.GO | matches **/*.GO except for case or normal form"},
		{`paths = ["**/*."]`, "a/b", "- | | no changed path matches"},
		{`paths = ["src/**"]` + "\n" + `ignore = ["src/gen/**"]`, "SRC/gen/x",
			"+ SRC/gen/x | src/** | matches src/** except for case or normal form"},
		{`paths = ["src/**"]` + "\n" + `ignore = ["SRC/**"]`, "SRC/x", "- | | no changed path matches"},
		{`ignore = ["docs/**"]`, "DOCS/x", "+ DOCS/x | | a changed path is not ignored"},
	} {
		p := pick(t, load(t, lane(c.keys+"\n")), Event{Paths: []string{c.path}})[0]
		got := fmt.Sprintf("+ %s | %s | %s", p.Path, p.Glob, p.Reason)
		if !p.Picked {
			got = "- | | " + p.Reason
		}
		if strings.ReplaceAll(got, "|  |", "| |") != c.want {
			t.Errorf("%s: %q: got %q, want %q", c.keys, c.path, got, c.want)
		}
	}
}

func TestPickEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	picked, err := load(t, lane("")).Pick(ctx, Event{})
	if picked != nil || !errors.Is(err, context.Canceled) || err.Error() != "cannot pick lanes: context canceled" {
		t.Errorf("%v, %v", picked, err)
	}
}

func TestTooManyPatterns(t *testing.T) {
	t.Parallel()
	for n, bad := range map[int]bool{maxPatterns: false, maxPatterns + 1: true} {
		list := strings.TrimSuffix(strings.Repeat(`"*x*", `, n), ", ")
		_, err := Load("lanes.toml", []byte("version = 1\n[[lane]]\nid = \"a\"\nplugin = \"files\"\npaths = ["+list+"]\n"))
		want := fmt.Sprintf("lanes.toml:2: the lanes up to this one have %d patterns, more than the %d allowed", n,
			maxPatterns)
		if (err != nil) != bad || bad && err.Error() != want {
			t.Errorf("%d patterns: %v", n, err)
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add("SRC/a.", "src/a")
	f.Fuzz(func(t *testing.T, a, b string) {
		if Fold(Fold(a)) != Fold(a) {
			t.Errorf("Fold(%q) = %q, and once more %q", a, Fold(a), Fold(Fold(a)))
		}
		if isFolded(a) && Fold(a) != a {
			t.Errorf("%q changes", a)
		}
		if strings.EqualFold(a, b) && isFolded(strings.ToLower(a)) && Fold(a) != Fold(b) {
			t.Errorf("%q and %q differ in case alone, their folds more", a, b)
		}
	})
}
