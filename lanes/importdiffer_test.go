package lanes

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/gobwas/glob"
)

// batch is how many patterns one imported file of these tests has.
const batch = 10

// generated makes n patterns of parts, and some paths for each batch of them,
// the same at every run.
func generated(n int, parts []string, try func(patterns, paths []string)) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "A", "B", "c", "é", "É", ".", "-", "/", "/", "*", "[", "x.md", "X.MD", " ", "src", "a/b",
		"{", ",", "]", "!"}
	word := func(parts []string, most int) string {
		var b strings.Builder
		for range 1 + r.IntN(most) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		return b.String()
	}
	for range n / batch {
		var patterns, paths []string
		for range batch {
			pattern := word(parts, 6)
			like := likely.Replace(pattern)
			patterns = append(patterns, pattern)
			for _, p := range []string{word(names, 6), like, strings.ToUpper(like) + word(names, 2)} {
				if gitPath(p) && !slices.Contains(paths, p) {
					paths = append(paths, p)
				}
			}
		}
		try(patterns, paths)
	}
}

// likely turns a pattern into a path that it may match.
var likely = strings.NewReplacer("**", "a/b", "*", "a", "?", "a", "[ab]", "B", "[!a]", "c", "{a,*.md}", "a", "{b,}",
	"b", "[^/]", "a", ".*", "a/a",
	"^", "", "$", "", `\.`, ".", "(a|b)", "b", "(^|/)", "a/", "\\", "", "+", "")

// gitPath says that git could have a file of that name.
func gitPath(p string) bool {
	for name := range strings.SplitSeq(p, "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return true
}

// imported gives the decisions of the lanes of an imported file, one of each
// pattern in format.
func imported(t *testing.T, tool, head, format string, patterns []string) func(path string) []Picked {
	t.Helper()
	for i, p := range patterns {
		head += fmt.Sprintf(format, i, p)
	}
	got, err := Import(tool, "f.yml", []byte(head), nil)
	if err != nil {
		t.Fatalf("%s: %v", head, err)
	}
	set := load(t, string(got.Text))
	return func(path string) []Picked {
		picked, err := set.Pick(t.Context(), Event{Gate: "pre-push", Paths: []string{path}})
		if err != nil {
			t.Fatal(err)
		}
		return picked
	}
}

// tally compares decisions: the original's as a trigger and as an exclusion
// with those of the two imported files.
type tally struct{ decisions, excluded int }

func (c *tally) compare(t *testing.T, patterns, paths []string, trigger, without func(string) []Picked,
	decide func(pattern, path string) (bool, bool, bool)) {
	for _, path := range paths {
		runs, stays := trigger(path), without(path)
		for i, pattern := range patterns {
			triggers, excludes, ok := decide(pattern, path)
			if !ok {
				continue
			}
			c.decisions++
			if triggers && !runs[i].Picked {
				t.Errorf("%q runs for %q, and does not after the import", pattern, path)
			}
			if stays[i].Picked {
				continue
			}
			if c.excluded++; !excludes {
				t.Errorf("the exclusion %q keeps %q, and does not after the import", pattern, path)
			}
		}
	}
}

var globParts = []string{"a", "b", "A", "B", "c", "é", "É", ".", "-", "/", "*", "**", "**/", "/**", "?", "[ab]", "[!a]",
	"[a-c]", "[A-C]", "{a,*.md}", "{b,}", "*.md", "src/", `\*`, "x", " "}

// tools decide as each tool does itself: as a trigger, and as an exclusion.
func tools() map[string]func(pattern, path string) (trigger, exclude, ok bool) {
	return map[string]func(pattern, path string) (bool, bool, bool){
		"gobwas": func(pattern, path string) (bool, bool, bool) {
			low, err := glob.Compile(strings.ToLower(pattern))
			g, err2 := glob.Compile(pattern)
			if err != nil || err2 != nil {
				return false, false, false
			}
			return low.Match(strings.ToLower(path)), g.Match(path), true
		},
		"doublestar": func(pattern, path string) (bool, bool, bool) {
			low, err := doublestar.Match(strings.ToLower(pattern), strings.ToLower(path))
			exact, err2 := doublestar.Match(pattern, path)
			return low, exact, err == nil && err2 == nil
		},
	}
}

func TestImportedGlobsAgainstLefthooks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for matcher, decide := range tools() {
		t.Run(matcher, func(t *testing.T) {
			var c tally
			head := "glob_matcher: " + matcher + "\npre-push:\n  jobs:\n"
			generated(10000, globParts, func(patterns, paths []string) {
				trigger := imported(t, "lefthook", head, "  - {name: j%d, run: x, glob: [%q]}\n", patterns)
				without := imported(t, "lefthook", head, "  - {name: j%d, run: x, exclude: [%q]}\n", patterns)
				c.compare(t, patterns, paths, trigger, without, decide)
			})
			t.Logf("%d decisions, %d exclusions", c.decisions, c.excluded)
		})
	}
}

var regexpParts = []string{"a", "b", "A", "c", `\.`, ".", "-", "/", ".*", "^", "$", "(a|b)", "(^|/)", "[ab]", "[^/]",
	"[^/]+", "a?", "b+", `\.md$`, "^src/", "(?:x|b/)", `\w`, "é", "(a|)"}

func TestImportedExpressionsAgainstTheirSearch(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	var c tally
	known := map[string]*regexp.Regexp{}
	decide := func(pattern, path string) (bool, bool, bool) {
		re := known[pattern]
		return re != nil && re.MatchString(path), re != nil && re.MatchString(path), re != nil
	}
	head := "repos:\n- repo: local\n  hooks:\n"
	generated(10000, regexpParts, func(patterns, paths []string) {
		for _, p := range patterns {
			known[p], _ = regexp.Compile(p)
		}
		trigger := imported(t, "pre-commit", head, "  - {id: j%d, entry: x, pass_filenames: false, files: %q}\n", patterns)
		without := imported(t, "pre-commit", head, "  - {id: j%d, entry: x, pass_filenames: false, exclude: %q}\n", patterns)
		c.compare(t, patterns, paths, trigger, without, decide)
	})
	t.Logf("%d decisions, %d exclusions", c.decisions, c.excluded)
}
