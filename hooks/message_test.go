package hooks

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCleanMessage has git itself commit, with a commit-msg hook that saves
// what it was given, and holds what would be judged against what git records.
func TestCleanMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for name, c := range map[string]struct {
		config []string // "key value"
		args   []string // of git commit
		edit   string   // sed script of the editor; "" where none is used
	}{
		"given with -m":                   {nil, []string{"-m", "#123: close the door\n\n# a list\n\n\n\nend \n"}, ""},
		"given with -F":                   {nil, []string{"-F", "text"}, ""},
		"edited":                          {nil, nil, `1s/^/close the door\n\n# mine\n\nwhy  /`},
		"edited, blank lines above":       {nil, nil, `1s/^/\n \nclose the door/`},
		"edited with the diff":            {nil, []string{"-v"}, `1s/^/close the door/`},
		"edited with the diff by setting": {[]string{"commit.verbose true"}, nil, `1s/^/close the door/`},
		"scissors asked for":              {nil, []string{"--cleanup=scissors"}, `1s/^/close the door\n\n#2 is a line\n/`},
		"scissors by setting": {[]string{"commit.cleanup scissors"}, nil,
			`1s/^/close the door\n\n#2 is a line\n/`},
		"scissors by setting, with -m": {[]string{"commit.cleanup scissors"},
			[]string{"-m", "one\n# ------------------------ >8 ------------------------\ntwo"}, ""},
		"scissors in a message given": {nil, []string{"-m",
			"one\n\n# ------------------------ >8 ------------------------\ntwo"}, ""},
		"the diff by setting, with -m": {[]string{"commit.verbose true"},
			[]string{"-m", "one\n# ------------------------ >8 ------------------------\ntwo"}, ""},
		"scissors and the diff": {[]string{"commit.cleanup scissors"}, []string{"-v"}, `1s/^/close the door/`},
		"verbatim by setting": {[]string{"commit.cleanup verbatim"}, []string{"-m", "\n\n one \n# two\n\n\n"},
			""},
		"whitespace by setting":      {[]string{"commit.cleanup whitespace"}, []string{"-m", "one\n\n# two"}, ""},
		"strip by setting, with -m":  {[]string{"commit.cleanup strip"}, []string{"-m", "one\n\n# two"}, ""},
		"another comment character":  {[]string{"core.commentChar ;"}, nil, `1s/^/# close the door\n\n;gone/`},
		"another one, with the diff": {[]string{"core.commentChar ;"}, []string{"-v"}, `1s/^/# close the door/`},
		"one that git chooses": {[]string{"core.commentChar auto"}, []string{"-F", "text", "--edit"},
			`1s/^/close the door\n\n/`},
		"one that git chooses, usual": {[]string{"core.commentChar auto"}, nil, `1s/^/close the door/`},
		"one that git chooses, with diff": {[]string{"core.commentChar auto"}, []string{"-v", "-F", "text", "--edit"},
			`1s/^/close the door\n\n/`},
		"a fixup":                  {nil, []string{"--fixup", "HEAD"}, ""},
		"a template of comments":   {[]string{"commit.template text"}, nil, `2s/.*/\nclose the door/`},
		"invalid UTF-8":            {[]string{"i18n.commitEncoding latin1"}, []string{"-m", "caf\xe9"}, ""},
		"no line break at the end": {[]string{"commit.cleanup verbatim"}, []string{"-F", "bare"}, ""},
		"the words of scissors, not a line": {nil, nil,
			`1s/^/close the door\n\nsee ------------------------ >8 ------------------------\n/`},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			g.commit("f", "x")
			g.write("text", "# what and why\n\nline\n# more\n")
			g.write("bare", "one\n\ntwo")
			g.write("f", "y")
			g.git("add", "f")
			for _, pair := range c.config {
				key, value, _ := strings.Cut(pair, " ")
				g.git("config", key, value)
			}
			saved := filepath.Join(t.TempDir(), "message")
			g.hook(g.dir+"/.git/hooks", "commit-msg", "#!/bin/sh\ncat \"$1\" > "+saved+"\nprintf '%s' \"$GIT_EDITOR\" > "+saved+
				".editor\n")
			if c.edit != "" {
				g = g.with("GIT_EDITOR=sed -i '" + c.edit + "'")
			}
			g.git(append([]string{"commit", "-q"}, c.args...)...)
			text, _ := os.ReadFile(saved)
			editor, _ := os.ReadFile(saved + ".editor")
			got, err := g.open().CleanMessage(context.Background(), text, string(editor) != ":")
			if err != nil {
				t.Fatal(err)
			}
			_, want, _ := strings.Cut(g.git("cat-file", "commit", "HEAD"), "\n\n")
			sameText(t, "message", strings.TrimRight(got, "\n"), strings.TrimRight(clean(want), "\n"))
		})
	}
}

func TestMergeParents(t *testing.T) {
	ctx := context.Background()
	g := newRepo(t)
	one := g.commit("f", "x")
	g.git("checkout", "-q", "-b", "side")
	two := g.commit("g", "x")
	g.git("checkout", "-q", "main")
	if parents, err := g.open().MergeParents(ctx); err != nil || parents != nil {
		t.Errorf("no merge: %v, %v", parents, err)
	}
	g.git("merge", "-q", "--no-ff", "--no-commit", "side")
	parents, err := g.open().MergeParents(ctx)
	if err != nil || strings.Join(parents, " ") != one+" "+two {
		t.Errorf("a merge: %v, %v", parents, err)
	}
	g.write(".git/MERGE_HEAD", "../../etc/passwd\n")
	if _, err := g.open().MergeParents(ctx); err == nil ||
		err.Error() != `cannot read the commits to merge: MERGE_HEAD holds the line "../../etc/passwd"` {
		t.Errorf("got %v", err)
	}
}
