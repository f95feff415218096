package printable

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain text stays":                        {"go test ./...", "go test ./..."},
		"letters of every script stay":            {"größer – 大きい", "größer – 大きい"},
		"a tab stays":                             {"a\tb", "a\tb"},
		"colour goes":                             {"\x1b[31mred\x1b[0m", "red"},
		"a window title goes":                     {"\x1b]0;pwned\x07x", "x"},
		"a link (OSC 8) leaves its text":          {"\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "here"},
		"cursor movement goes":                    {"\x1b[2A\x1b[Jgone", "gone"},
		"an unfinished sequence takes the rest":   {"a\x1b[31", "a"},
		"a lone escape goes":                      {"a\x1b", "a"},
		"C1 controls go":                          {"a\u009b31mb", "a31mb"},
		"a carriage return keeps what stood last": {"10%\r50%\r100%", "100%"},
		"a line end is no carriage return":        {"done\r\n", "done"},
		"bidirectional overrides go":              {"a\u202eb\u2066c", "abc"},
		"bytes that are not UTF-8 are replaced":   {"a\xffb", "a\ufffdb"},
		"a NUL goes":                              {"a\x00b", "ab"},
		"a line separator is no second line":      {"a\u2028b", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Clean(c.in); got != c.want {
				t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestCleanColor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"\x1b[1;31mred\x1b[0m \x1b[mplain":        "\x1b[1;31mred\x1b[0m \x1b[mplain",
		"\x1b[2J\x1b[31mred\x1b]0;title\x07":      "\x1b[31mred",
		"\x1b[?25mhidden":                         "hidden",
		"\x1b]8;;http://evil\x1b\\here":           "here",
		"\x1b[" + strings.Repeat("1;", 40) + "mx": "x",
		"\x1b[31": "",
	} {
		if got := CleanColor(in); got != want {
			t.Errorf("CleanColor(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCleanCutsLongLines(t *testing.T) {
	t.Parallel()
	got := Clean(strings.Repeat("x", 10*MaxLine))
	if len(got) > MaxLine+40 || !strings.HasSuffix(got, "(line cut)") {
		t.Errorf("a line of %d bytes became %d bytes ending in %q", 10*MaxLine, len(got), got[len(got)-20:])
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m")
	f.Add("\x1b]0;t\x07\u202e\xff")
	f.Fuzz(func(t *testing.T, in string) {
		got := Clean(in)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !Rune(r) }) {
			t.Fatalf("Clean(%q) = %q keeps what it must not", in, got)
		}
		if Clean(got) != got {
			t.Fatalf("Clean(%q) = %q is not clean itself", in, got)
		}
	})
}
