package lanes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func load(t testing.TB, text string) *Set {
	t.Helper()
	set, err := Load("lanes.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func pick(t testing.TB, set *Set, e Event) []Picked {
	t.Helper()
	picked, err := set.Pick(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return picked
}

func TestPick(t *testing.T) {
	push := func(paths ...string) Event {
		return Event{Gate: "pre-push", Ref: "refs/heads/main", Paths: paths}
	}
	at := func(gate, ref string) Event { return Event{Gate: gate, Ref: ref, Paths: []string{"a.go"}} }
	tests := map[string]struct {
		keys  string // of the lane
		event Event
		want  string // "+" or "-", path, glob, reason
	}{
		"a path that matches": {`paths = ["docs", "**/*.go"]`, push("b.md", "x/y.go", "z.go"),
			"+ x/y.go | **/*.go | matches **/*.go"},
		"the first path in git's order": {`paths = ["z", "b"]`, push("z", "b/c"), "+ b/c | b | matches b"},
		"the lane's first pattern for it": {`paths = ["**/*.go", "*.go"]`, push("a.go"),
			"+ a.go | **/*.go | matches **/*.go"},
		"no path that matches":            {`paths = ["docs"]`, push("a.go"), "- | | no changed path matches"},
		"a push that changes nothing":     {`paths = ["**"]`, push(), "- | | no changed path matches"},
		"no paths given":                  {``, push("a.go"), "+ | | no paths given: runs on every push"},
		"no paths given, nothing changed": {``, push(), "+ | | no paths given: runs on every push"},
		"an empty list of paths":          {`paths = []`, push(), "+ | | no paths given: runs on every push"},
		"a path that is ignored": {`paths = ["**"]` + "\n" + `ignore = ["docs"]`, push("docs/a", "x"),
			"+ x | ** | matches **"},
		"all paths ignored": {`paths = ["**/*.md"]` + "\n" + `ignore = ["docs"]`, push("docs/a.md", "x"),
			"- | | all matching paths are ignored"},
		"only ignore, a path left": {`ignore = ["docs"]`, push("docs/a", "x"),
			"+ x | | a changed path is not ignored"},
		"only ignore, none left":       {`ignore = ["docs"]`, push("docs/a"), "- | | all changed paths are ignored"},
		"only ignore, nothing changed": {`ignore = ["docs"]`, push(), "+ | | no paths given: runs on every push"},
		"another gate":                 {``, at("pre-commit", ""), "- | | not for gate pre-commit"},
		"no gate asked":                {`on = ["manual"]`, at("", ""), "+ | | no paths given: runs on every push"},
		"a branch of the list": {`branches = ["main", "release/*"]`, at("pre-push", "refs/heads/release/1"),
			"+ | | no paths given: runs on every push"},
		"another branch": {`branches = ["main", "release/*"]`, at("pre-push", "refs/heads/feature/x"),
			"- | | not for branch feature/x"},
		"a star that stops at a slash": {`branches = ["*"]`, at("pre-push", "refs/heads/feature/x"),
			"- | | not for branch feature/x"},
		"a branch's name is not a folder": {`branches = ["release"]`, at("pre-push", "refs/heads/release/1"),
			"- | | not for branch release/1"},
		"a tag": {`branches = ["**"]`, at("pre-push", "refs/tags/v1"), "- | | not for tag v1"},
		"a tag that is asked for": {`branches = ["refs/tags/v*"]`, at("pre-push", "refs/tags/v1"),
			"+ | | no paths given: runs on every push"},
		"a branch that looks like a tag": {`branches = ["refs/tags/*"]`, at("pre-push", "refs/heads/refs/tags/v1"),
			"- | | not for branch refs/tags/v1"},
		"a branch by its full name": {`branches = ["refs/heads/main"]`, at("pre-push", "refs/heads/main"),
			"+ | | no paths given: runs on every push"},
		"a ref of another kind": {`branches = ["main"]`, at("pre-push", "refs/notes/main"),
			"- | | not for ref refs/notes/main"},
		"a tag without any branches given": {``, at("pre-push", "refs/tags/v1"), "+ | | no paths given: runs on every push"},
		"no ref asked": {`branches = ["main"]`, at("pre-push", ""),
			"+ | | no paths given: runs on every push"},
		"a nightly lane at a push": {`on = ["schedule"]` + "\n" + `schedule = "0 8 * * *"`, push("a"),
			"- | | runs on a schedule"},
		"a nightly lane, no gate asked": {`on = ["schedule"]` + "\n" + `schedule = "0 8 * * *"`, at("", ""),
			"- | | runs on a schedule"},
		"a nightly lane at night": {`on = ["schedule"]` + "\n" + `schedule = "0 8 * * *"` + "\n" + `paths = ["x"]`,
			Event{Gate: "schedule"}, "+ | | on the schedule 0 8 * * *"},
		"a nightly lane and what changed": {`on = ["schedule"]` + "\n" + `schedule = "0 8 * * *"` + "\n" + `paths = ["x"]`,
			at("schedule", ""), "- | | no changed path matches"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := pick(t, load(t, lane(test.keys+"\n")), test.event)
			if len(got) != 1 || sentence(got[0]) != test.want {
				t.Errorf("\n got %s\nwant %s", sentence(got[0]), test.want)
			}
		})
	}
}

func sentence(p Picked) string {
	sign := "-"
	if p.Picked {
		sign = "+"
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s | %s | %s", sign, p.Path, p.Glob, p.Reason)), " ")
}

func TestPickKeepsFileOrder(t *testing.T) {
	set := load(t, lane("needs = [\"b\"]\n")+two+"paths = [\"x\"]\n")
	got := pick(t, set, Event{Gate: "pre-push", Paths: []string{"y"}})
	if len(got) != 2 || got[0].Lane.ID != "a" || !got[0].Picked || got[1].Lane.ID != "b" || got[1].Picked {
		t.Errorf("a lane was moved, or one was picked because another needs it: %+v", got)
	}
}

func TestPickOfASetMadeByHand(t *testing.T) {
	set := &Set{Lanes: []Lane{{ID: "a", On: []string{"manual"}, Paths: []string{"*.go"}},
		{ID: "b", On: []string{"manual"}, Paths: []string{"x", "[y"}}}}
	got := pick(t, set, Event{Gate: "manual", Paths: []string{"a.go"}})
	if sentence(got[0]) != "+ a.go | *.go | matches *.go" || sentence(got[1]) != "+ | | cannot read pattern [y" {
		t.Errorf("%s; %s", sentence(got[0]), sentence(got[1]))
	}
}

// TestPickIsPlain compares the matcher, which sorts, searches and remembers,
// with asking every pattern about every path.
func TestPickIsPlain(t *testing.T) {
	set := load(t, bigFile(30))
	paths := bigPush(500)
	for i := 0; i < len(paths); i += 7 {
		some := paths[i:min(len(paths), i+7)]
		for _, p := range pick(t, set, Event{Paths: some}) {
			path, glob := plainPick(set, p.Lane, some)
			if p.Path != path || p.Glob != glob || p.Picked != (path != "") {
				t.Fatalf("lane %s: got %s, want %s by %s", p.Lane.ID, sentence(p), path, glob)
			}
		}
	}
}

func plainPick(set *Set, lane Lane, paths []string) (string, string) {
	exact := func(pattern, path string) bool { return set.globs[pattern].Match(path) }
	folded := func(pattern, path string) bool {
		g, err := ParseGlob(foldPattern(pattern))
		return err == nil && g.Match(Fold(path))
	}
	for _, matches := range []func(string, string) bool{exact, folded} {
		for _, path := range paths {
			if slices.ContainsFunc(lane.Ignore, func(p string) bool { return exact(p, path) }) {
				continue
			}
			for _, pattern := range lane.Paths {
				if matches(pattern, path) {
					return path, pattern
				}
			}
		}
	}
	return "", ""
}

// bigFile has lanes of twenty patterns, some shared by all, as in a
// repository of many parts.
func bigFile(n int) string {
	var b strings.Builder
	b.WriteString("version = 1\n")
	for i := range n {
		fmt.Fprintf(&b,
			"[[lane]]\nid = \"lane-%d\"\nplugin = \"shell\"\nignore = [\"**/*.md\"]\npaths = [\"go.mod\", \"go.sum\", "+
				"\".ci/**\"", i)
		for k := range 17 {
			fmt.Fprintf(&b, ", %q", []string{
				fmt.Sprintf("part-%d/**", i*3+k), fmt.Sprintf("part-%d/src/**/*.rs", i+k), fmt.Sprintf("**/x%d-*.go", i*20+k),
				fmt.Sprintf("**/lib%d/*.c", i),
			}[k%4])
		}
		b.WriteString("]\n")
	}
	return b.String()
}

func bigPush(n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("part-%05d/src/deep/er/folder/file%d.%s", i/4+1000000, i, []string{"rs", "go", "md", "c"}[i%4])
		if n < 1000 {
			paths[i] = strings.Replace(paths[i], "part-0", "part-", 1)
			paths[i] = strings.Replace(paths[i], "part-1000", "part-", 1)
		}
	}
	return newMatcher(context.Background(), nil, paths).paths
}

func BenchmarkPick(b *testing.B) {
	for _, size := range []struct{ lanes, paths int }{{10, 1}, {10, 66}, {200, 10_000}} {
		b.Run(fmt.Sprintf("%dlanes-%dpaths", size.lanes, size.paths), func(b *testing.B) {
			set, paths := load(b, bigFile(size.lanes)), bigPush(size.paths)
			for b.Loop() {
				pick(b, set, Event{Gate: "pre-push", Ref: "refs/heads/main", Paths: paths})
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	data := []byte(bigFile(200))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Load("f", data); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPickFindsOddNames is TestPickIsPlain over names full of wildcards.
func TestPickFindsOddNames(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		var paths []string
		for range 60 {
			paths = append(paths, randomPath(r))
		}
		paths = withoutClashes(paths)
		set := &Set{globs: map[string]Glob{}}
		for range 20 {
			p := randomPattern(r, paths)
			if g, err := ParseGlob(p); err == nil {
				set.globs[p] = g
				set.Lanes = append(set.Lanes, Lane{On: []string{"manual"}, Paths: []string{p}})
			}
		}
		for _, p := range pick(t, set, Event{Paths: paths}) {
			if path, _ := plainPick(set, p.Lane, paths); p.Path != path {
				t.Fatalf("%q: got %q, want %q", p.Lane.Paths, p.Path, path)
			}
		}
	}
}

// A path that Windows may put in the place of a watched one picks the lane that
// watches it; names that only look a little like it do not.
func TestPickShortNames(t *testing.T) {
	set := load(t,
		"version = 1\n[[lane]]\nid = \"a\"\nplugin = \"files\"\npaths = [\"source code/**\"]\nignore = [\"SKIP~1\"]\n")
	for path, want := range map[string]string{
		"SOURCE~1/x":       "a changed path may be a short name of any other on Windows",
		"docs/SOURCE~12.C": "a changed path may be a short name of any other on Windows",
		"SKIP~1":           "no changed path matches",
		"notes.txt~":       "no changed path matches",
		"a~b/c":            "no changed path matches",
		"long-name~1":      "no changed path matches",
		"v1.2~3":           "no changed path matches",
	} {
		picked, err := set.Pick(t.Context(), Event{Ref: "refs/heads/main", Paths: []string{path}})
		if err != nil || picked[0].Reason != want || picked[0].Picked != strings.HasPrefix(want, "a changed") {
			t.Errorf("%s: got %q, %v", path, picked[0].Reason, err)
		}
	}
}

// What patterns times paths cost is bounded for each update, and ends with its
// context.
func TestPickIsBounded(t *testing.T) {
	var patterns, paths []string
	for i := range 400 {
		patterns = append(patterns, fmt.Sprintf("%q", fmt.Sprintf("**/a*b*%d*c", i)))
	}
	for i := range 40_000 {
		paths = append(paths, fmt.Sprintf("ab%030dc", i))
	}
	set := load(t, "version = 1\n[[lane]]\nid = \"a\"\nplugin = \"files\"\npaths = ["+strings.Join(patterns, ",")+"]\n")
	_, err := set.Pick(t.Context(), Event{Ref: "refs/heads/main", Paths: paths})
	want := `cannot pick lane "a": the lanes compare more than 256 MiB of paths with their patterns`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	m := newMatcher(ended, nil, paths)
	cancel()
	g, err := ParseGlob("**/a*b*c")
	if m.search(&g); err != nil || !errors.Is(m.toil.err, context.Canceled) {
		t.Errorf("the search goes on after its context: %v, %v", m.toil.err, err)
	}
}
