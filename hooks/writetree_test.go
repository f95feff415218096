package hooks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteTree(t *testing.T) {
	ctx := context.Background()
	g := newRepo(t)
	g.write("a", "1")
	g.commit("b", "1")

	t.Run("git commit FILE is judged by what it commits", func(t *testing.T) {
		g.write("a", "2")
		g.write("b", "2")
		g.git("add", "b")
		out := filepath.Join(t.TempDir(), "index")
		g.hook(g.dir+"/.git/hooks", "pre-commit", "#!/bin/sh\nprintf %s \"$GIT_INDEX_FILE\" > "+out+
			"\ncp \"$GIT_INDEX_FILE\" "+out+".copy\nexit 1\n")
		if _, err := g.try("", "commit", "-q", "-m", "x", "a"); err == nil {
			t.Fatal("the hook was not run")
		}
		r := g.with("GIT_INDEX_FILE=" + out + ".copy").open()
		tree, err := r.WriteTree(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Changes(ctx, "HEAD", tree)
		if err != nil {
			t.Fatal(err)
		}
		sameText(t, "changes", strings.Join(paths(got), ","), "M a")
		os.Remove(g.dir + "/.git/hooks/pre-commit")
	})
	t.Run("an unresolved conflict is refused", func(t *testing.T) {
		g.git("reset", "-q", "--hard")
		g.git("checkout", "-q", "-b", "side")
		g.commit("a", "side")
		g.git("checkout", "-q", "main")
		g.commit("a", "main")
		if _, err := g.try("", "merge", "side"); err == nil {
			t.Fatal("no conflict")
		}
		_, err := g.open().WriteTree(ctx)
		if err == nil {
			t.Fatal("no error")
		}
		sameText(t, "error", err.Error(), "cannot judge the index: it has unresolved conflicts")
		sameText(t, "hint", hintOf(err), "resolve them and git add the files, see: git status")
	})
}

func TestCommitsSayWhoAndWhat(t *testing.T) {
	g := newRepo(t)
	g.write("f", "x")
	g.git("add", "f")
	msg := "subject\n\nbody with \xff and é\n\nSigned-off-by: Ann\n"
	g.gitIn(msg, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--cleanup=verbatim", "-F", "-",
		"--author=Bob \xe9 <bob@example.org>")
	got, err := g.open().Commits(context.Background(), ZeroID, "HEAD")
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	sameText(t, "author", got[0].Author, "Bob \ufffd <bob@example.org>")
	sameText(t, "message", got[0].Message, strings.ToValidUTF8(msg, "\ufffd"))
	if got[0].Time != 1700000000 || got[0].ID != g.git("rev-parse", "HEAD") {
		t.Errorf("got %+v", got[0])
	}
}

func TestAKeptRepoSeesWhatChanges(t *testing.T) {
	ctx := context.Background()
	g := newRepo(t)
	ids := g.history("a:", "b: a", "c: b")
	g.git("update-ref", "refs/heads/main", ids["b"])
	r := g.open()
	base := func() string {
		u := Update{Ref: "refs/heads/new", Old: ZeroID, New: ids["c"]}
		if err := r.SetBase(ctx, &u, "up", "u"); err != nil {
			t.Fatal(err)
		}
		return u.Base
	}
	sameText(t, "before there is a remote", base(), ZeroID)
	g.git("config", "remote.up.url", "u")
	g.git("config", "remote.up.fetch", "+refs/heads/*:refs/remotes/elsewhere/*")
	g.git("update-ref", "refs/remotes/elsewhere/main", ids["a"])
	sameText(t, "with a remote that was added", base(), ids["a"])
	g.git("update-ref", "refs/remotes/elsewhere/main", ids["b"])
	sameText(t, "after a fetch", base(), ids["b"])
	g.git("pack-refs", "--all")
	sameText(t, "with packed refs", base(), ids["b"])

	other := g.in(filepath.Join(t.TempDir(), "other"))
	os.Mkdir(other.dir, 0o755)
	other.git("init", "-q")
	id := other.commit("f", "x")
	g.write(".git/objects/info/alternates", other.dir+"/.git/objects\n")
	if _, err := r.File(ctx, id, "f"); err != nil {
		t.Errorf("alternates that were added: %v", err)
	}
	g.git("config", "core.repositoryformatversion", "1")
	g.git("config", "extensions.refStorage", "reftable")
	var refused *FormatError
	if _, err := r.Commits(ctx, ZeroID, ids["c"]); !errors.As(err, &refused) {
		t.Errorf("another format: %v", err)
	}
}
