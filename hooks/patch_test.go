package hooks

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

func patchText(files []FilePatch) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%c %q binary=%t\n", f.Status, f.Path, f.Binary)
		for _, h := range f.Hunks {
			fmt.Fprintln(&b, h.Head)
			for _, l := range h.Lines {
				fmt.Fprintf(&b, "%c%d,%d %s\n", l.Kind, l.Old, l.New, l.Text)
			}
		}
	}
	return b.String()
}

func TestPatch(t *testing.T) {
	g := newRepo(t)
	base := g.commit("a file", "one\ntwo\nthree\n")
	g.write("a file", "one\n2\nthree\n--- not a header\n")
	g.write("new\tname", "x\n")
	g.write("bin", "\x00\x01")
	tip := g.commit("gone", "later")
	files, cut, err := g.open().Patch(context.Background(), base, tip)
	if err != nil || cut {
		t.Fatal(err, cut)
	}
	sameText(t, "patch", patchText(files), `M "a file" binary=false
@@ -1,3 +1,4 @@
 1,1 one
-2,0 two
+0,2 2
 3,3 three
+0,4 --- not a header
A "bin" binary=true
A "gone" binary=false
@@ -0,0 +1 @@
+0,1 later
A "new\tname" binary=false
@@ -0,0 +1 @@
+0,1 x
`)
	files, _, err = g.open().Patch(context.Background(), ZeroID, tip, "gone")
	if err != nil || len(files) != 1 || files[0].Path != "gone" {
		t.Errorf("got %s, %v", patchText(files), err)
	}
	if _, _, err := g.open().Patch(context.Background(), "--output=/tmp/x", tip); err == nil {
		t.Error("an option passed for a revision")
	}
}

// Nothing that configuration or attributes name is run.
func TestPatchRunsNoPrograms(t *testing.T) {
	g := newRepo(t)
	ran := t.TempDir() + "/ran"
	g.git("config", "diff.external", "touch "+ran)
	g.git("config", "diff.evil.command", "touch "+ran)
	g.git("config", "diff.evil.textconv", "touch "+ran)
	g.write(".gitattributes", "* diff=evil\n")
	base := g.commit("f", "x\n")
	tip := g.commit("f", "y\n")
	if _, _, err := g.open().Patch(context.Background(), base, tip); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program of the configuration was run")
	}
}

func TestPatchIsBounded(t *testing.T) {
	g := newRepo(t)
	base := g.commit("f", "x\n")
	tip := g.commit("f", strings.Repeat("a long line of text\n", 200_000))
	files, cut, err := g.open().Patch(context.Background(), base, tip)
	if err != nil || !cut || len(files) != 1 {
		t.Errorf("got %d files, cut %t, %v", len(files), cut, err)
	}
}

func FuzzParsePatch(f *testing.F) {
	f.Add("diff --git a b\n--- a\n+++ b\n@@ -1,2 +1 @@\n-x\n y\n")
	f.Fuzz(func(t *testing.T, text string) { parsePatch(text) })
}
