package lanes

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// gitWorld is a real git repository whose index holds a set of paths, to ask
// git itself what a pathspec means.
type gitWorld struct {
	dir   string
	tree  string
	paths []string
}

func newGitWorld(t testing.TB, paths []string) *gitWorld {
	t.Helper()
	w := &gitWorld{dir: t.TempDir(), paths: paths}
	w.git(t, nil, "init", "-q")
	blob := strings.TrimSpace(w.git(t, nil, "hash-object", "-w", "--stdin"))
	var in bytes.Buffer
	for _, p := range paths {
		fmt.Fprintf(&in, "100644 %s\t%s\x00", blob, p)
	}
	w.git(t, in.Bytes(), "update-index", "-z", "--index-info")
	w.tree = strings.TrimSpace(w.git(t, nil, "write-tree"))
	if got := splitNul(w.git(t, nil, "ls-files", "-z")); len(got) != len(paths) {
		t.Fatalf("git took %d of %d paths", len(got), len(paths))
	}
	return w
}

func (w *gitWorld) git(t testing.TB, stdin []byte, args ...string) string {
	t.Helper()
	out, err := w.try(stdin, args...)
	if err != nil {
		t.Fatalf("git %q: %v", args, err)
	}
	return out
}

func (w *gitWorld) try(stdin []byte, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = w.dir, bytes.NewReader(stdin)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"HOME=" + w.dir, "GIT_CEILING_DIRECTORIES=" + filepath.Dir(w.dir), "LC_ALL=C"}
	var errText strings.Builder
	cmd.Stderr = &errText
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, errText.String())
	}
	return string(out), err
}

// emptyTree is the id that every git knows without having it.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

func (w *gitWorld) lsFiles(pattern string) ([]string, error) {
	out, err := w.try(nil, "ls-files", "-z", "--", ":(glob)"+pattern)
	return splitNul(out), err
}

func (w *gitWorld) diffTree(pattern string) ([]string, error) {
	out, err := w.try(nil, "diff-tree", "-r", "-z", "--name-only", emptyTree, w.tree, "--", ":(glob)"+pattern)
	return splitNul(out), err
}

func splitNul(out string) []string {
	if out == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
}

func (w *gitWorld) ours(g Glob) []string {
	var list []string
	for _, p := range w.paths {
		if g.Match(p) {
			list = append(list, p)
		}
	}
	return list
}

// compare asks git twice, the way that compares trees and the way that lists
// files, and reports every path on which we differ.
func (w *gitWorld) compare(t *testing.T, pattern string) {
	t.Helper()
	g, err := ParseGlob(pattern)
	if err != nil {
		return
	}
	ours := w.ours(g)
	diffed, err := w.diffTree(pattern)
	if err != nil || !slices.Equal(ours, diffed) {
		t.Errorf("%q: git diff-tree differs (%v)\n  only ours: %q\n  only git's: %q", pattern, err, minus(ours, diffed),
			minus(diffed, ours))
	}
	listed, err := w.lsFiles(pattern)
	namesakes := slices.DeleteFunc(minus(ours, listed), (&g).inNamesake)
	if err != nil || len(minus(listed, ours)) > 0 || len(namesakes) > 0 {
		t.Errorf("%q: git ls-files differs (%v)\n  only ours: %q\n  only git's: %q", pattern, err, namesakes,
			minus(listed, ours))
	}
}

func minus(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// withoutClashes drops a path that would be below another one: git holds no
// file and folder of one name. Sorted, as git lists them.
func withoutClashes(paths []string) []string {
	files, folders := map[string]bool{}, map[string]bool{}
	for _, p := range paths {
		clash := folders[p]
		for i := range p {
			clash = clash || p[i] == '/' && files[p[:i]]
		}
		if clash {
			continue
		}
		files[p] = true
		for i := range p {
			if p[i] == '/' {
				folders[p[:i]] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(files))
}

const nameBytes = "aabbcX.-_1*?[]!^\\: \xff\n"

func randomPath(r *rand.Rand) string {
	names := make([]string, 1+r.IntN(4))
	for i := range names {
		for n := 1 + r.IntN(3); n > 0; n-- {
			names[i] += string(nameBytes[r.IntN(len(nameBytes))])
		}
		if names[i] == "." || names[i] == ".." {
			names[i] = "a"
		}
	}
	return strings.Join(names, "/")
}

// randomPattern bends a path that exists into a pattern: what is random in
// every byte matches nothing.
func randomPattern(r *rand.Rand, paths []string) string {
	pieces := []string{"*", "**", "?", "/", "**/", "/**", "*/", "[ab]", "[!a]", "[^a-b]", "[]a]", "[[:alpha:]]",
		"[[:punct:]x]",
		"[a-", "\\", "\\*", ".", "./", "//", "a", "[\\]]", "[b-a]", "[!-~]", "[[:x:]]", "[a-c-z]", "[", "]", "***",
		"[[:alpha]", "[/]", "[!x]"}
	p := []byte(paths[r.IntN(len(paths))])
	for n := r.IntN(4); n > 0; n-- {
		i := r.IntN(len(p) + 1)
		j := min(len(p), i+r.IntN(3))
		p = slices.Concat(p[:i], []byte(pieces[r.IntN(len(pieces))]), p[j:])
	}
	return string(p)
}

func TestGlobMeansWhatGitMeans(t *testing.T) {
	for world := range uint64(4) {
		t.Run(fmt.Sprintf("world %d", world), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(world, 7))
			paths := []string{"a", "b/a", "b/b/a", "a*/x", "[ab]/x", "c/[ab]", "c*", "x/a.go", "x/y/a.go", "a.go"}
			for range 400 {
				paths = append(paths, randomPath(r))
			}
			r.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
			w := newGitWorld(t, withoutClashes(paths))
			for range 300 {
				w.compare(t, randomPattern(r, w.paths))
			}
		})
	}
}

// FuzzGlobAgainstGit gives git the same pattern and path. The path is the
// only file of an index of its own, so each try costs three processes.
func FuzzGlobAgainstGit(f *testing.F) {
	f.Add("a/**/[b]*", "a/x/by")
	f.Add("[id]/*.ts", "[id]/a.ts")
	f.Add("a**", "a/b")
	dir := f.TempDir()
	w := &gitWorld{dir: dir}
	w.git(f, nil, "init", "-q")
	blob := strings.TrimSpace(w.git(f, nil, "hash-object", "-w", "--stdin"))
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if !storable(path) {
			t.Skip()
		}
		w := &gitWorld{dir: dir, paths: []string{path}}
		w.git(t, nil, "read-tree", "--empty")
		w.git(t, fmt.Appendf(nil, "100644 %s\t%s\x00", blob, path), "update-index", "-z", "--index-info")
		w.tree = strings.TrimSpace(w.git(t, nil, "write-tree"))
		w.compare(t, pattern)
	})
}

// storable reports whether git's index takes a path.
func storable(path string) bool {
	if len(path) > 1000 || strings.ContainsAny(path, "\x00") {
		return false
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.EqualFold(name, ".git") {
			return false
		}
	}
	return true
}
