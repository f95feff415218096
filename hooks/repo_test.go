package hooks

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenFindsTheRepository(t *testing.T) {
	g := newRepo(t)
	g.commit("d/f", "x")
	top := g.dir
	bare := filepath.Join(t.TempDir(), "pool.git")
	g.git("clone", "-q", "--bare", top, bare)
	linked := filepath.Join(t.TempDir(), "linked")
	g.git("worktree", "add", "-q", "-b", "side", linked)
	super := g.in(filepath.Join(t.TempDir(), "super"))
	os.Mkdir(super.dir, 0o755)
	super.git("init", "-q")
	super.git("submodule", "add", "-q", top, "mod")

	apart := t.TempDir() + "/apart"
	away := g.in(filepath.Join(t.TempDir(), "away"))
	os.Mkdir(away.dir, 0o755)
	away.git("init", "-q", "--separate-git-dir", apart)
	away.commit("d/f", "x")

	cases := map[string]struct {
		dir, gitDir            string
		name, at, common, top_ string
	}{
		"from the top":                   {top, "", "work", top + "/.git", top + "/.git", top},
		"from a folder below":            {top + "/d", "", "work", top + "/.git", top + "/.git", top},
		"with GIT_DIR as hooks have it":  {top, ".git", "work", top + "/.git", top + "/.git", top},
		"from inside the git directory":  {top + "/.git", ".", "work", top + "/.git", top + "/.git", top},
		"a bare repository":              {bare, "", "pool", bare, bare, ""},
		"a bare one as receivers see it": {bare, ".", "pool", bare, bare, ""},
		"a linked worktree":              {linked, "", "work", top + "/.git/worktrees/linked", top + "/.git", linked},
		"a git directory that is apart":  {away.dir + "/d", "", "apart", apart, apart, away.dir},
		"the same as hooks have it":      {away.dir, ".git", "apart", apart, apart, away.dir},
		"a submodule": {super.dir + "/mod", "", "mod", super.dir + "/.git/modules/mod",
			super.dir + "/.git/modules/mod", super.dir + "/mod"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			at := g.in(c.dir)
			if c.gitDir != "" {
				at = at.with("GIT_DIR=" + c.gitDir)
			}
			r := at.open()
			got := strings.Join([]string{r.Name(), r.GitDir(), r.CommonDir(), r.Top()}, "\n")
			sameText(t, "place", got, strings.Join([]string{c.name, c.at, c.common, c.top_}, "\n"))
			if r.Bare() != (c.top_ == "") {
				t.Errorf("bare: %t", r.Bare())
			}
			if _, err := r.File(context.Background(), "HEAD", "d/f"); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("outside of any", func(t *testing.T) {
		dir := t.TempDir()
		_, err := Open(context.Background(), g.in(dir).with("GIT_CEILING_DIRECTORIES="+filepath.Dir(dir)).hookEnv())
		if err == nil {
			t.Fatal("no error")
		}
		sameText(t, "error", err.Error(), "cannot open "+dir+": not inside a git repository")
		sameText(t, "hint", hintOf(err), "change into a repository, or make one with: git init")
	})
	t.Run("with a GIT_DIR that is none", func(t *testing.T) {
		_, err := Open(context.Background(), g.in(top).with("GIT_DIR=d").hookEnv())
		if err == nil {
			t.Fatal("no error")
		}
		sameText(t, "error", err.Error(), "cannot open GIT_DIR "+top+"/d: not a git directory")
	})
}

func TestOpenRefusesWhatItWouldMisread(t *testing.T) {
	cases := map[string]struct {
		config     string
		want, hint string
	}{
		"SHA-256 objects": {"[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = sha256\n",
			`its object ids are "sha256", only SHA-1 repositories can be judged`,
			"make a SHA-1 repository with: git init --object-format=sha1"},
		"reftable": {"[core]\nrepositoryformatversion = 1\n[extensions]\nrefStorage = reftable\n",
			`its refs are stored as "reftable", only files can be read`, "change it with: git refs migrate --ref-format=files"},
		"an extension no one knows": {"[core]\nrepositoryformatversion = 1\n[extensions]\nsurprise = true\n",
			`repository extension "surprise" is unknown`, "upgrade pushlane"},
		"a version no one knows": {"[core]\nrepositoryformatversion = 2\n",
			`repository format version "2" is unknown`, "upgrade pushlane"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			g.write(".git/config", c.config)
			_, err := Open(context.Background(), g.hookEnv())
			var refused *FormatError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			sameText(t, "error", err.Error(), "cannot open "+g.dir+"/.git: "+c.want)
			sameText(t, "hint", hintOf(err), c.hint)
		})
	}
	t.Run("SHA-256 as git makes it", func(t *testing.T) {
		g := newRepo(t, "--object-format=sha256")
		g.commit("f", "x")
		var refused *FormatError
		if _, err := Open(context.Background(), g.hookEnv()); !errors.As(err, &refused) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestOpenTakesHarmlessExtensions(t *testing.T) {
	for _, set := range []string{"extensions.worktreeConfig=true", "extensions.worktreeConfig=false",
		"extensions.preciousObjects=true", "extensions.relativeWorktrees=true"} {
		t.Run(set, func(t *testing.T) {
			g := newRepo(t)
			id := g.commit("f", "x")
			key, value, _ := strings.Cut(set, "=")
			g.git("config", "core.repositoryformatversion", "1")
			g.git("config", key, value)
			if _, err := g.open().File(context.Background(), id, "f"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConfigThatOnlyGitReads(t *testing.T) {
	g := newRepo(t)
	g.write(".git/config",
		"[core]\n\trepositoryformatversion = 1\n\tbare = false\n\tpager = less -R ; and a comment\n[Remote \"o.r "+
			"\\\"g\"]\n\tURL = \"x\\ty\"\n[extensions]\n\tworktreeConfig\n[alias]\n\tx = \"!f() { echo \\\"$1\\\"; }; f\"\n")
	r, err := g.open().git.config(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !r.isTrue("extensions.worktreeconfig") {
		t.Error("a key without a value is not true")
	}
	sameText(t, "quoted", r.last(`remote.o.r "g.url`), "x\ty")
	var c = make(config)
	if err := c.readByGit(context.Background(), g.hookEnv(), g.dir+"/.git/config"); err != nil {
		t.Fatal(err)
	}
	for key, values := range c {
		if key != "extensions.worktreeconfig" && strings.Join(values, "|") != strings.Join(r[key], "|") {
			t.Errorf("%s: git reads %q, we %q", key, values, r[key])
		}
	}
}

func TestOddRepositories(t *testing.T) {
	ctx := context.Background()
	t.Run("empty: HEAD has no tree, a first push is all files", func(t *testing.T) {
		g := newRepo(t)
		r := g.open()
		tree, err := r.HeadTree(ctx)
		if err != nil || tree != ZeroID {
			t.Errorf("got %s, %v", tree, err)
		}
		branch, err := r.CurrentBranch(ctx)
		if err != nil || branch != "refs/heads/main" {
			t.Errorf("got %s, %v", branch, err)
		}
		_, err = r.Resolve(ctx, "HEAD")
		if err == nil {
			t.Fatal("HEAD resolves")
		}
		sameText(t, "error", err.Error(), `cannot resolve "HEAD": no branch, tag or commit of that name, or more than one`)
		g.write("f", "x")
		g.git("add", "f")
		index, err := r.WriteTree(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Changes(ctx, tree, index)
		if err != nil {
			t.Fatal(err)
		}
		sameText(t, "changes", strings.Join(paths(got), ","), "A f")
	})
	t.Run("detached HEAD", func(t *testing.T) {
		g := newRepo(t)
		id := g.commit("f", "x")
		g.git("checkout", "-q", "--detach")
		r := g.open()
		branch, err := r.CurrentBranch(ctx)
		at, err2 := r.Resolve(ctx, "HEAD")
		if err != nil || err2 != nil || branch != "" || at != id {
			t.Errorf("got %q %s %v %v", branch, at, err, err2)
		}
	})
	t.Run("shallow: history ends at its edge without an error", func(t *testing.T) {
		g := newRepo(t)
		g.commit("a", "1")
		b := g.commit("b", "1")
		c := g.commit("c", "1")
		s := g.in(filepath.Join(t.TempDir(), "shallow"))
		g.git("clone", "-q", "--depth", "2", "file://"+g.dir, s.dir)
		d := s.commit("d", "1")
		r := s.open()
		u := Update{Ref: "refs/heads/new", Old: ZeroID, New: d}
		if err := r.SetBase(ctx, &u, "origin", "file://"+g.dir); err != nil || u.Base != c {
			t.Errorf("base %s, %v", u.Base, err)
		}
		commits, err := r.Commits(ctx, ZeroID, d)
		if err != nil || len(commits) != 3 || commits[0].ID != b || len(commits[0].Parents) != 0 {
			t.Errorf("got %v, %v", commits, err)
		}
		rng, err := r.Range(ctx, b)
		if err != nil || rng.Base != ZeroID {
			t.Errorf("got %v, %v", rng, err)
		}
	})
	t.Run("partial clone: paths are judged, a blob that is not here is an error with a hint", func(t *testing.T) {
		g := newRepo(t)
		a := g.commit("f", "old")
		b := g.commit("f", "new")
		p := g.in(filepath.Join(t.TempDir(), "partial"))
		g.git("clone", "-q", "--filter=blob:none", "file://"+g.dir, p.dir)
		r := p.open()
		got, err := r.Changes(ctx, a, b)
		if err != nil {
			t.Fatal(err)
		}
		sameText(t, "changes", strings.Join(paths(got), ","), "M f")
		_, err = r.File(ctx, a, "f")
		if err == nil {
			t.Fatal("the old blob is here")
		}
		sameText(t, "error", err.Error(), "read f: object "+got[0].OldID+" is not in this partial clone")
		hint := hintOf(err)
		sameText(t, "hint", hint, "fetch it with: git cat-file -e "+got[0].OldID+
			" (or everything with: git fetch --refetch --no-filter)")
		p.git("cat-file", "-e", got[0].OldID)
		text, err := r.File(ctx, a, "f")
		if err != nil || string(text) != "old" {
			t.Errorf("after the hint: %q, %v", text, err)
		}
	})
	t.Run("partial clone without trees: an error, not no changes", func(t *testing.T) {
		g := newRepo(t)
		a := g.commit("d/f", "old")
		b := g.commit("d/f", "new")
		p := g.in(filepath.Join(t.TempDir(), "partial"))
		g.git("clone", "-q", "--no-checkout", "--filter=tree:0", "file://"+g.dir, p.dir)
		got, err := p.open().Changes(ctx, a, b)
		if err == nil {
			t.Fatalf("got %q", paths(got))
		}
		p.git("fetch", "-q", "--refetch", "--no-filter")
		got, err = p.open().Changes(ctx, a, b)
		if err != nil || len(got) != 1 {
			t.Errorf("after the hint: %q, %v", paths(got), err)
		}
	})
	t.Run("linked worktree: its own HEAD, index and the shared objects", func(t *testing.T) {
		g := newRepo(t)
		g.commit("f", "x")
		dir := filepath.Join(t.TempDir(), "linked")
		g.git("worktree", "add", "-q", "-b", "side", dir)
		l := g.in(dir)
		id := l.commit("g", "x")
		r := l.open()
		branch, _ := r.CurrentBranch(ctx)
		at, err := r.Resolve(ctx, "HEAD")
		if err != nil || at != id || branch != "refs/heads/side" {
			t.Errorf("got %s %s %v", at, branch, err)
		}
		tree, err := r.WriteTree(ctx)
		if head, _ := r.HeadTree(ctx); err != nil || tree != head {
			t.Errorf("index %s, HEAD %s, %v", tree, head, err)
		}
	})
	t.Run("split index", func(t *testing.T) {
		g := newRepo(t)
		g.commit("f", "x")
		g.git("update-index", "--split-index")
		g.write("g", "x")
		g.git("add", "g")
		r := g.open()
		tree, err := r.WriteTree(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Changes(ctx, "HEAD", tree)
		if err != nil {
			t.Fatal(err)
		}
		sameText(t, "changes", strings.Join(paths(got), ","), "A g")
	})
	t.Run("shared clone of a shared clone", func(t *testing.T) {
		g := newRepo(t)
		a := g.commit("f", "x")
		one := g.in(filepath.Join(t.TempDir(), "one"))
		g.git("clone", "-q", "--shared", g.dir, one.dir)
		b := one.commit("g", "x")
		two := g.in(filepath.Join(t.TempDir(), "two"))
		one.git("clone", "-q", "--shared", one.dir, two.dir)
		two.git("gc", "-q")
		c := two.commit("h", "x")
		got, err := two.open().Changes(ctx, a, c)
		if err != nil {
			t.Fatal(err)
		}
		sameText(t, "changes", strings.Join(paths(got), ","), "A g,A h")
		if ok, err := two.open().Resolve(ctx, b); err != nil || ok != b {
			t.Error(err)
		}
	})
	t.Run("alternates with relative and quoted lines, each once", func(t *testing.T) {
		g := newRepo(t)
		id := g.commit("f", "x")
		other := filepath.Join(filepath.Dir(g.dir), "other")
		g.git("init", "-q", other)
		o := g.in(other)
		o.write(".git/objects/info/alternates",
			"# a comment\n\"../../../work/.git\\057objects\"\n../../../work/.git/objects\n/nowhere/objects\n")
		if _, err := o.open().File(ctx, id, "f"); err != nil {
			t.Error(err)
		}
		if n := len(o.open().objs.dirs); n != 3 {
			t.Errorf("%d object directories: %q", n, o.open().objs.dirs)
		}
	})
	t.Run("alternates in a ring", func(t *testing.T) {
		g := newRepo(t)
		g.write(".git/objects/info/alternates", g.dir+"/.git/objects\n")
		g.commit("f", "x")
		if _, err := Open(ctx, g.hookEnv()); err != nil {
			t.Error(err)
		}
	})
	t.Run("alternates nested deeper than git goes", func(t *testing.T) {
		g := newRepo(t)
		dir := g.dir
		for i := range 8 {
			next := filepath.Join(t.TempDir(), "n")
			g.git("init", "-q", next)
			g.in(dir).write(".git/objects/info/alternates", next+"/.git/objects\n")
			dir = next
			_ = i
		}
		_, err := Open(ctx, g.hookEnv())
		if err == nil || !strings.HasSuffix(err.Error(), ": nested more than 5 deep") {
			t.Errorf("got %v", err)
		}
	})
}

func TestResolveAndRange(t *testing.T) {
	g := newRepo(t)
	ids := g.history("a:", "b: a", "c: b", "d: b", "x:")
	g.git("update-ref", "refs/heads/main", ids["c"])
	g.git("update-ref", "refs/heads/side", ids["d"])
	g.git("update-ref", "refs/heads/other", ids["x"])
	g.git("tag", "-a", "-m", "x", "v1", ids["b"])
	g.git("pack-refs", "--all")
	ctx := context.Background()
	r := g.open()
	for rev, want := range map[string]string{
		"main": "c", "HEAD": "c", "refs/heads/side": "d", "v1": "b", "refs/tags/v1": "b", "HEAD~2": "a",
		ids["a"]: "a", ids["a"][:12]: "a", "side^": "b", "v1^{commit}": "b",
	} {
		if got, err := r.Resolve(ctx, rev); err != nil || got != ids[want] {
			t.Errorf("%s: got %s, %v", rev, got, err)
		}
	}
	for _, rev := range []string{"nothing", "", "--help", "-h", "main\x00", "refs/heads/nothing", "HEAD~99",
		"refs/../../config"} {
		_, err := r.Resolve(ctx, rev)
		var none *NoRevisionError
		if !errors.As(err, &none) {
			t.Errorf("%q: got %v", rev, err)
		}
	}
	for rng, want := range map[string][2]string{
		"v1..side": {"b", "d"}, "main...side": {"b", "d"}, "main..side": {"c", "d"}, "side": {"b", "d"},
		"v1..": {"b", "c"}, "..side": {"c", "d"}, "other": {"-", "x"},
	} {
		u, err := r.Range(ctx, rng)
		if err != nil || u.Base != ids[want[0]] || u.New != ids[want[1]] {
			t.Errorf("%s: got %+v, %v", rng, u, err)
		}
	}
	_, err := r.Range(ctx, "main...other")
	if err == nil {
		t.Fatal("they have no commit in common")
	}
	sameText(t, "error", err.Error(), "cannot find where main and other parted: they have no commit in common")
	sameText(t, "hint", hintOf(err), "compare their trees with: main..other")
}

func TestFile(t *testing.T) {
	g := newRepo(t)
	g.write("d/f", "text")
	os.Symlink("d/f", filepath.Join(g.dir, "link"))
	g.commit("g", "x")
	r := g.open()
	ctx := context.Background()
	for path, want := range map[string]string{"d/f": "text", "link": "d/f"} {
		if got, err := r.File(ctx, "HEAD", path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"nothing", "d/nothing", "g/below", "link/f"} {
		if _, err := r.File(ctx, "HEAD", path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := r.File(ctx, "HEAD", "d"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder: %v", err)
	}
}
