package lanes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestImportReadsWholeFiles(t *testing.T) {
	refuses := func(why string) string {
		return "run echo 'pushlane: " + why + "; write its command into lanes.toml' >&2 exit 1\n"
	}
	for name, c := range map[string]struct {
		tool, source, file, want string
		files                    fstest.MapFS
	}{
		"merge keys": {"lefthook", "lefthook.yml",
			".both: &both\n  lint: {run: make lint}\n  unit: {run: no}\npre-push:\n  commands:\n    <<: *both\n    unit: " +
				"{run: make unit}\n",
			"# No equivalent for \".both\": {lint: {run: make lint}, unit: {run: no}}\n" +
				"lane unit, on pre-push, paths , ignore , run make unit\nlane lint, on pre-push, paths , ignore , run make lint\n",
			nil},
		"a list of merge keys": {"lefthook", "lefthook.yml",
			"a: &a {x: {run: one}}\nb: &b {x: {run: two}, y: {run: three}}\npre-push: {commands: {<<: [*a, *b]}}\n",
			"# No equivalent for \"a\": {x: {run: one}}\n# No equivalent for \"b\": {x: {run: two}, y: {run: three}}\n" +
				"lane x, on pre-push, paths , ignore , run one\nlane y, on pre-push, paths , ignore , run three\n", nil},
		"a merge key brings stages": {"pre-commit", "f",
			"p: &p {stages: [pre-push], pass_filenames: false}\nrepos: [{repo: local, hooks: [{id: unit, entry: make unit, " +
				"<<: *p}]}]\n",
			"# No equivalent for \"p\": {stages: [pre-push], pass_filenames: false}\nlane unit, on pre-push, paths , ignore , " +
				"command make unit\n", nil},
		"scripts": {"lefthook", "lefthook.yml",
			"source_dir: hooks\npre-commit: {scripts: {'a.sh': {runner: bash}}}\npre-push: {scripts: {'verify.sh': {runner: " +
				"sh}}, jobs: [{script: x.py, runner: python3, args: -v}]}\n",
			"lane a-sh, on pre-commit, paths , ignore , run bash 'hooks/pre-commit/a.sh'\n  # The id was \"a.sh\".\n" +
				"lane verify-sh, on pre-push, paths , ignore , " +
				refuses(`the script of lane "verify.sh" got what git hands to the hook pre-push`) +
				"  # It ran \"sh 'hooks/pre-push/verify.sh'\".\n  # The id was \"verify.sh\".\n" +
				"lane pre-push-1, on pre-push, paths , ignore , " +
				refuses(`the script of lane "pre-push-1" got what git hands to the hook pre-push`) +
				"  # It ran \"python3 'hooks/pre-push/x.py' -v\".\n", nil},
		"setup, variables, root and templates": {"lefthook", "lefthook.yml",
			"templates: {wrap: nice make}\npre-push:\n  setup: [{run: '{wrap} deps'}]\n  jobs: [{name: a, run: '{wrap} " +
				"test', root: web, env: {A: it's, B: \"$A/x\"}}]\n",
			"lane a, on pre-push, paths , ignore , run export A='it'\\''s' export B=\"$A/x\" nice make deps cd 'web' nice " +
				"make test\n", nil},
		"what needs a terminal or git's input": {"lefthook", "lefthook.yml",
			"pre-push: {jobs: [{name: a, run: x, use_stdin: true}, {name: b, run: y, interactive: false}]}\n",
			"lane a, on pre-push, paths , ignore , " + refuses(`lane "a" has the key use_stdin, which has no equivalent`) +
				"  # No equivalent for \"use_stdin\": true\n  # It ran \"x\".\n" +
				"lane b, on pre-push, paths , ignore , run y\n  # No equivalent for \"interactive\": false\n", nil},
		"an unknown key of a hook": {"lefthook", "lefthook.yml", "pre-push: {before: x, jobs: [{name: a, run: x}]}\n",
			"# No equivalent for \"before\" of pre-push: x\nlane a, on pre-push, paths , ignore , " +
				refuses("its hook has the unknown key before") + "  # It ran \"x\".\n", nil},
		"a list of files by a command": {"lefthook", "lefthook.yml",
			"pre-push: {jobs: [{name: a, run: x, files: git ls-files, glob: '*.go', exclude: [b]}]}\n",
			"lane a, on pre-push, paths , ignore , run x\n  # No equivalent for \"files\": git ls-files\n", nil},
		"a group's jobs have what it says": {"lefthook", "lefthook.yml",
			"pre-push: {jobs: [{name: g, glob: '*.go', group: {root: web, jobs: [{name: a, run: x}, {name: b, run: y, glob: " +
				"'*.ts'}]}}]}\n",
			"# A group of jobs of pre-push is written out as single lanes.\nlane a, on pre-push, paths **/*.go, ignore , run " +
				"cd 'web' x\nlane b, on pre-push, paths , ignore , run cd 'web' y\n", nil},
		"hooks that are not ours": {"lefthook", "lefthook.yml",
			"post-merge: {jobs: [{run: x}]}\npre-rebase: {jobs: [{name: r, run: x}]}\nfmt: {jobs: [{name: f, run: make fmt}]}\n",
			"# No equivalent for \"post-merge\", which refuses nothing: {jobs: [{run: x}]}\n" +
				"lane r, on pre-push, paths , ignore , " + refuses("it ran as the hook pre-rebase, which has no equivalent") +
				"  # It ran \"x\".\n" +
				"lane f, on manual, paths , ignore , run make fmt\n", nil},
		"remotes": {"lefthook", "lefthook.yml", "remotes: [{git_url: https://example.org/hooks, configs: [a.yml]}]\n",
			"lane remote-hooks, on pre-commit pre-push, paths , ignore , " +
				refuses("its lanes are in another repository: {git_url: https://example.org/hooks, configs: [a.yml]}") +
				"  # Import that file as well, and replace this lane by its lanes.\n  # The id was \"remote hooks\".\n", nil},
		"extended files": {"lefthook", "lefthook.yml",
			"extends: [base/*.yml]\npre-push: {commands: {a: {run: one, tags: t}}, jobs: [{name: j, run: make}]}\n",
			"lane a, on pre-push, paths **/*.go, ignore , run nice one\n  # No equivalent for \"tags\": t\nlane j, on " +
				"pre-push, " +
				"paths , ignore , run nice make\nlane k, on pre-push, paths , ignore , run k\n",
			fstest.MapFS{
				"base/x.yml": {
					Data: []byte(
						"pre-push: {commands: {a: {run: 'nice {cmd}', glob: '*.go'}}, jobs: [{name: j, run: 'nice {cmd}'}, {name: k, " +
							"run: k}]}\n")}}},
		"extended files that are not there": {"lefthook", "lefthook.yml", "extends: [gone.yml]\n",
			"lane extends-gone-yml, on pre-commit pre-push, paths , ignore , " +
				refuses(`it extends "gone.yml", which could not be read`) +
				"  # Import that file as well, and replace this lane by its lanes.\n  # The id was \"extends gone.yml\".\n",
			fstest.MapFS{}},
		"without stages": {"pre-commit", "f",
			"repos: [{repo: local, hooks: [{id: a, entry: x, language: system, pass_filenames: no}]}]\n",
			"lane a, on pre-commit pre-push, paths , ignore , command x\n", nil},
		"stages that are installed": {"pre-commit", "f",
			"default_install_hook_types: [pre-push, commit-msg]\nrepos: [{repo: local, hooks: [{id: a, entry: x, language: " +
				"script, pass_filenames: false}]}]\n",
			"lane a, on pre-commit pre-push commit-msg, paths , ignore , command ./x\n", nil},
		"stages without a gate": {"pre-commit", "f",
			"repos: [{repo: local, hooks: [{id: a, entry: x, pass_filenames: false, stages: [pre-rebase]}, {id: b, entry: x, " +
				"stages: [post-commit]}]}]\n",
			"# Left out: hook \"b\" of local, which refuses nothing at its " +
				"stages.\n" +
				"lane a, on pre-push, paths , ignore , " + refuses(
				`lane "a" ran at the stage pre-rebase, which has no equivalent`) +
				"  # No equivalent for the stage \"pre-rebase\".\n", nil},
		"a hook in an environment, and one that only fails": {"pre-commit", "f",
			"repos: [{repo: local, hooks: [{id: a, entry: x, language: python, pass_filenames: false, stages: [push]}, {id: " +
				"b, entry: no changelog, language: fail, files: ^CHANGES$, stages: [push]}]}]\n",
			"lane a, on pre-push, paths , ignore , " + refuses(`lane "a" ran in an environment that pre-commit makes`) +
				"  # It ran [\"x\"] in an environment of python.\n" +
				"lane b, on pre-push, paths CHANGES, ignore , " + refuses(`lane "b" refuses its files: no changelog`), nil},
		"an entry is not a script": {"pre-commit", "f",
			"repos: [{repo: local, hooks: [{id: a, entry: 'sh -c \"make test\" || true', language: system, pass_filenames: " +
				"false, stages: [push]}]}]\n",
			"lane a, on pre-push, paths , ignore , command sh -c make test || true\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Import(c.tool, c.source, []byte(c.file), c.files)
			if err != nil {
				t.Fatal(err)
			}
			if out := outline(load(t, string(got.Text)), string(got.Text)); out != c.want {
				t.Errorf("got\n%s\nwant\n%s", out, c.want)
			}
		})
	}
}

func TestImportSaysWhichLanesRefuse(t *testing.T) {
	got, err := Import("lefthook", "f",
		[]byte("pre-push: {jobs: [{name: a, run: x}, {name: b}, {name: c, run: '{push_files}'}]}"), nil)
	if err != nil || got.Lanes != 3 || !slices.Equal(got.Refuse, []string{"b", "c"}) {
		t.Errorf("%d lanes, refusing %q, %v", got.Lanes, got.Refuse, err)
	}
}

func TestImportOfHostileFiles(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1,
			strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	many := fstest.MapFS{}
	for i := range 60 {
		many[fmt.Sprintf("x/%d.yml", i)] = &fstest.MapFile{Data: []byte("{}")}
	}
	files := fstest.MapFS{
		"a.yml": {Data: []byte("extends: [b.yml]")}, "b.yml": {Data: []byte("extends: [a.yml]")},
		"bad.yml": {Data: []byte("a: [")},
		"big.yml": {Data: make([]byte, MaxFile+1)}, "dir.yml/x": {Data: nil},
	}
	for name, c := range map[string]struct {
		file  string
		files fstest.MapFS
		want  string
	}{
		"aliases of aliases": {bomb, nil, "f.yml:1: the file has more than 100000 values, its aliases written out"},
		"an alias of itself": {"a: &a {b: *a}", nil, "f.yml:1: mappings and lists are nested more than 64 deep"},
		"a merge of itself": {"a: &a\n  <<: *a\n", nil,
			"f.yml:1: mappings and lists are nested more than 64 deep"},
		"deep lists": {"a: " + strings.Repeat("[", 500) + strings.Repeat("]", 500), nil,
			"f.yml:1: mappings and lists are nested more than 64 deep"},
		"very deep lists": {"a: " + strings.Repeat("[", 100000), nil,
			"f.yml: broken YAML: exceeded max depth of 10000"},
		"a merge of a word": {"a:\n  <<: word\n", nil,
			"f.yml:2: broken YAML: a merge key takes a mapping or a list of them"},
		"a key twice": {"pre-push:\n  jobs: []\npre-push: {}\n", nil,
			`f.yml:3: broken YAML: the key "pre-push" is there twice`},
		"two documents":                {"a: b\n---\nc: d\n", nil, "f.yml:2: the file has a second document"},
		"an unknown alias":             {"a: *b\n", nil, "f.yml: broken YAML: unknown anchor 'b' referenced"},
		"files that extend each other": {"extends: [a.yml]", files, `f.yml: "a.yml" is extended twice, or extends itself`},
		"an extended file twice": {"extends: [b.yml, b.yml]", fstest.MapFS{"b.yml": {}},
			`f.yml: "b.yml" is extended twice, or extends itself`},
		"too many extended files": {"extends: ['x/*.yml']", many, "f.yml: it extends more than 50 files"},
		"a broken extended file": {"extends: [bad.yml]", files,
			"bad.yml:1: broken YAML: did not find expected node content"},
		"a large extended file": {"extends: [big.yml]", files,
			"big.yml: cannot read it: it has more than the 1048576 bytes allowed"},
		"an extended folder": {"extends: [dir.yml]", files, "dir.yml: cannot read it: it is not a plain file"},
		"half of UTF-16":     {"\xff\xfea", nil, "f.yml: the file begins as UTF-16 and is not; save it as UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Import("lefthook", "f.yml", []byte(c.file), c.files)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// Names that leave the folder are not read: their lanes refuse.
func TestImportExtendsNothingOutside(t *testing.T) {
	for _, name := range []string{"../x.yml", "/etc/passwd", "a/../../x.yml", "[", "x.yml"} {
		got, err := Import("lefthook", "f.yml", fmt.Appendf(nil, "extends: [%q]", name), nil)
		if err != nil || len(got.Refuse) != 1 {
			t.Errorf("%s: refusing %q, %v", name, got.Refuse, err)
		}
	}
}

func TestImportOfManyPaths(t *testing.T) {
	var b strings.Builder
	b.WriteString("pre-push:\n  jobs:\n")
	for i := range 3 {
		fmt.Fprintf(&b, "  - {name: j%d, run: x, glob: [", i)
		for k := range 900 {
			fmt.Fprintf(&b, "'%d-%d.go', ", i, k)
		}
		b.WriteString("]}\n")
	}
	got, err := Import("lefthook", "f.yml", []byte(b.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if set := load(t, string(got.Text)); len(set.Lanes[1].Paths) != 900 || len(set.Lanes[2].Paths) != 0 {
		t.Errorf("the lanes have %d and %d paths", len(set.Lanes[1].Paths), len(set.Lanes[2].Paths))
	}
}
