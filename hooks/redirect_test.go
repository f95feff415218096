package hooks

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tells is a hook that notes how it was called and says no where a file "no"
// is in the folder above its own.
const tells = "#!/bin/sh\necho \"$0 | $*\" >> \"$SEEN\"\n[ ! -e \"$(dirname \"$0\")/../no\" ]\n"

// TestHooksKeepTheirNames: whatever folder git found a hook in, it is called by
// the same path after the installation, at gates that pushlane takes and at
// others, and its no counts.
func TestHooksKeepTheirNames(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for name, prepare := range map[string]func(g *gitRepo) (folder string){
		"the default folder": func(g *gitRepo) string { return ".git/hooks" },
		"a folder of the work tree": func(g *gitRepo) string {
			g.git("config", "core.hooksPath", ".husky/_")
			return ".husky/_"
		},
		"a folder with a blank and a quote": func(g *gitRepo) string {
			g.git("config", "core.hooksPath", "it's $(here)")
			return "it's $(here)"
		},
		"a shared folder": func(g *gitRepo) string {
			dir := t.TempDir() + "/hooks"
			g.git("config", "--global", "core.hooksPath", dir)
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, remote := withRemote(t)
			folder := prepare(g)
			seen := filepath.Join(t.TempDir(), "seen")
			g.env = append(g.env, "SEEN="+seen)
			for _, hook := range []string{"pre-push", "post-commit"} {
				g.hook(join(g.dir, folder), hook, tells)
			}
			act := func() string {
				os.Remove(seen)
				g.git("commit", "-q", "--allow-empty", "-m", "x")
				g.git("push", "-q", remote, "main")
				text, _ := os.ReadFile(seen)
				return string(text)
			}
			before := act()
			install(t, g, InstallOptions{Bin: client(t, t.TempDir(), 0)})
			if strings.Count(before, "\n") != 2 {
				t.Fatalf("the hooks said %q", before)
			}
			sameText(t, "how the hooks are called", act(), before)
			os.WriteFile(join(g.dir, folder)+"/../no", nil, 0o644)
			if _, err := g.try("", "push", "-q", remote, "main:other"); err == nil {
				t.Error("the hook's no let the push through")
			}
		})
	}
}

// TestEveryWorktreeIsJudged: a relative core.hooksPath names another folder in
// each worktree.
func TestEveryWorktreeIsJudged(t *testing.T) {
	g, remote := withRemote(t)
	g.git("config", "core.hooksPath", ".githooks")
	linked := filepath.Join(t.TempDir(), "linked")
	g.git("worktree", "add", "-q", "-b", "side", linked)
	dir := t.TempDir()
	bin := client(t, dir, 1)
	install(t, g.in(linked), InstallOptions{Bin: bin})
	later := filepath.Join(t.TempDir(), "later")
	g.git("worktree", "add", "-q", "-b", "late", later)
	for _, top := range []string{g.dir, linked, later} {
		if _, err := g.in(top).try("", "push", "-q", remote, "HEAD:refs/heads/x"); err == nil {
			t.Errorf("the push from %s was not judged", top)
		}
	}
	moved := g.dir + "-moved"
	if err := os.Rename(g.dir, moved); err != nil {
		t.Fatal(err)
	}
	defer os.Rename(moved, g.dir)
	if _, err := g.in(moved).try("", "push", "-q", remote, "HEAD:refs/heads/x"); err == nil {
		t.Error("a push from the moved repository was not judged")
	}
}

func TestSettingsThatComeAfterTheRepositorysOwn(t *testing.T) {
	for name, set := range map[string]func(g *gitRepo, linked string){
		"of a worktree": func(g *gitRepo, linked string) {
			g.git("config", "extensions.worktreeConfig", "true")
			g.in(linked).git("config", "--worktree", "core.hooksPath", "elsewhere")
		},
		"of an included file": func(g *gitRepo, linked string) {
			g.git("config", "--file", g.dir+"/.git/more", "core.hooksPath", "elsewhere")
			g.git("config", "core.hooksPath", "hooks")
			g.git("config", "include.path", "more")
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			g.commit("f", "x")
			g.hook(g.dir+"/.git/hooks", "pre-push", "#!/bin/sh\n")
			linked := filepath.Join(t.TempDir(), "linked")
			g.git("worktree", "add", "-q", "-b", "side", linked)
			set(g, linked)
			before := files(t, g.dir+"/.git")
			_, err := Install(context.Background(), g.hookEnv(), InstallOptions{Bin: client(t, t.TempDir(), 0)})
			if err == nil || !strings.HasPrefix(err.Error(),
				"cannot install hooks: another setting of core.hooksPath comes after the repository's own and names ") ||
				!strings.Contains(hintOf(err), "config --show-origin --get-all core.hooksPath") {
				t.Errorf("got %v (%s)", err, hintOf(err))
			}
			sameText(t, "the repository", files(t, g.dir+"/.git"), before)
		})
	}
}

// TestWhatOtherToolsAddLater: hooks that are added to either folder after the
// installation run, or are named.
func TestWhatOtherToolsAddLater(t *testing.T) {
	g, _ := withRemote(t)
	hooks, own := g.dir+"/.git/hooks", g.dir+"/.git/pushlane/hooks"
	seen := filepath.Join(t.TempDir(), "seen")
	g.env = append(g.env, "SEEN="+seen)
	g.hook(hooks, "pre-push", "#!/bin/sh\n")
	bin := client(t, t.TempDir(), 0)
	install(t, g, InstallOptions{Bin: bin})

	g.hook(hooks, "post-commit", tells)
	g.git("commit", "-q", "--allow-empty", "-m", "x")
	text, _ := os.ReadFile(seen)
	sameText(t, "a hook of a common kind", string(text), ".git/hooks/post-commit | \n")

	g.hook(hooks, "reference-transaction", "#!/bin/sh\n")
	all, err := Status(context.Background(), g.hookEnv())
	if err != nil || len(all) != len(Gates())+1 || all[len(all)-1].Gate != "reference-transaction" ||
		all[len(all)-1].Detail != "the hook was added after the installation and does not run; run: pushlane install" {
		t.Errorf("status: %+v, %v", all, err)
	}
	install(t, g, InstallOptions{Bin: bin})
	if all, err = Status(context.Background(), g.hookEnv()); err != nil || len(all) != len(Gates()) {
		t.Errorf("status after installing again: %+v, %v", all, err)
	}

	os.Remove(hooks + "/post-commit")
	g.hook(own, "post-commit", "#!/bin/sh\n# a tool wrote it where core.hooksPath points\n")
	if _, err := Uninstall(context.Background(), g.hookEnv()); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(hooks + "/post-commit"); !strings.Contains(string(text), "a tool wrote it") {
		t.Errorf("the tool's hook is %q", text)
	}
	if _, err := os.Lstat(own); err == nil {
		t.Error("pushlane's own folder is left")
	}
}

// TestFoldersForEveryone: git passes over a hook that it cannot read.
func TestFoldersForEveryone(t *testing.T) {
	for _, umask := range []int{0o077, 0} {
		g := newRepo(t)
		g.hook(g.dir+"/.git/hooks", "pre-push", "#!/bin/sh\n")
		withUmask(umask, func() { install(t, g, InstallOptions{Bin: client(t, t.TempDir(), 0)}) })
		for path, want := range map[string]os.FileMode{"": 0o755, "/hooks": 0o755, "/hooks/pre-push": 0o755,
			"/hooks/post-merge": 0o755, "/linked.config": 0o644} {
			info, err := os.Stat(g.dir + "/.git/pushlane" + path)
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("umask %o: pushlane%s: %v, %v, want %o", umask, path, info.Mode(), err, want)
			}
		}
	}
}

func TestAReceivingRepositorysHooks(t *testing.T) {
	server := newRepo(t, "--bare")
	g := newRepo(t)
	g.commit("f", "x")
	seen := filepath.Join(t.TempDir(), "seen")
	g.env = append(g.env, "SEEN="+seen)
	delegate := "#!/bin/sh\necho \"$0\" >> $SEEN\nfor hook in \"${GIT_DIR:-$(dirname $0)/..}/hooks/$(basename " +
		"$0).d\"/*; do [ -x \"$hook\" ] || continue; \"$hook\" \"$@\" || exit 1; done\n"
	for _, name := range []string{"pre-receive", "update"} {
		server.hook(server.dir+"/hooks", name, delegate)
		server.hook(server.dir+"/hooks/"+name+".d", "one", "#!/bin/sh\necho \"$0\" >> $SEEN\n")
	}
	act := func(ref string) string {
		os.Remove(seen)
		g.git("push", "-q", server.dir, "HEAD:refs/heads/"+ref)
		text, _ := os.ReadFile(seen)
		return string(text)
	}
	before := act("a")
	install(t, server, InstallOptions{Bin: client(t, t.TempDir(), 0)})
	sameText(t, "how the hooks are called", act("b"), before)
	server.hook(server.dir+"/hooks/pre-receive.d", "two", "#!/bin/sh\nexit 1\n")
	if _, err := g.try("", "push", "-q", server.dir, "HEAD:refs/heads/c"); err == nil {
		t.Error("a delegate's no let the push through")
	}
}

func withUmask(mask int, do func()) {
	old := syscall.Umask(mask)
	defer syscall.Umask(old)
	do()
}
