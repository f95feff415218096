package hooks

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// client writes a stand-in for pushlane-hook: it notes its arguments, its
// standard input and the hook that called it, runs the kept hook, and exits.
func client(t *testing.T, dir string, status int) string {
	t.Helper()
	bin := filepath.Join(dir, "pushlane's hook")
	text := "#!/bin/sh\nearlier=; while :; do case $1 in --earlier=*) earlier=${1#*=};; --*) ;; *) break;; esac; " +
		"shift; done\n" +
		"in=$(cat)\necho \"$@\" > \"" + dir + "/args\"\nprintf '%s' \"$in\" > \"" + dir + "/stdin\"\n" +
		"if [ -x \"$earlier\" ]; then printf '%s\\n' \"$in\" | { shift; \"$earlier\" \"$@\"; } || exit 1; fi\n" +
		fmt.Sprintf("exit %d\n", status)
	if err := os.WriteFile(bin, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return bin
}

func install(t *testing.T, g *gitRepo, o InstallOptions) string {
	t.Helper()
	lines, err := Install(context.Background(), g.hookEnv(), o)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// files lists a folder with modes, link targets and contents.
func files(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, _ := d.Info()
		text, _ := os.ReadFile(path)
		target, _ := os.Readlink(path)
		fmt.Fprintf(&b, "%s %s %s %q\n", info.Mode(), strings.TrimPrefix(path, dir), target, text)
		return nil
	})
	return b.String()
}

func withRemote(t *testing.T) (g *gitRepo, remote string) {
	g = newRepo(t)
	g.commit("f", "x")
	remote = filepath.Join(t.TempDir(), "remote.git")
	g.git("init", "-q", "--bare", remote)
	g.git("remote", "add", "origin", remote)
	return g, remote
}

func TestInstalledHookRunsTheClient(t *testing.T) {
	g, remote := withRemote(t)
	dir := t.TempDir()
	bin := client(t, dir, 0)
	sameText(t, "done", install(t, g, InstallOptions{Bin: bin}), "pre-push: installed")
	id := g.git("rev-parse", "HEAD")
	g.git("push", "-q", "origin", "main")
	args, _ := os.ReadFile(dir + "/args")
	in, _ := os.ReadFile(dir + "/stdin")
	sameText(t, "arguments", string(args), "pre-push origin "+remote+"\n")
	sameText(t, "stdin", string(in), "refs/heads/main "+id+" refs/heads/main "+ZeroID)

	client(t, dir, 1)
	g.commit("f", "y")
	if _, err := g.try("", "push", "-q", "origin", "main"); err == nil {
		t.Error("the client's no let the push through")
	}
}

func TestInstalledHookIsThreeLinesAndFailsClosed(t *testing.T) {
	g, _ := withRemote(t)
	dir := t.TempDir()
	bin := client(t, dir, 0)
	hook := g.dir + "/.git/hooks/pre-push"
	install(t, g, InstallOptions{Bin: bin, Gates: []string{"pre-push", "pre-commit"}})
	text, _ := os.ReadFile(hook)
	if n := strings.Count(string(text), "\n"); n != 3 {
		t.Errorf("%d lines:\n%s", n, text)
	}
	refused := func(t *testing.T, want string, args ...string) {
		t.Helper()
		_, err := g.try("", args...)
		if err == nil {
			t.Fatal("it was let through")
		}
		if want != "" && !strings.Contains(err.Error(), want) {
			t.Errorf("it said: %v", err)
		}
	}
	t.Run("the client is gone", func(t *testing.T) {
		os.Rename(bin, bin+".away")
		defer os.Rename(bin+".away", bin)
		refused(t, "pushlane: error: cannot run pushlane: "+bin+" is not there (push refused)\n"+
			"pushlane: hint: install pushlane again, or take the hook out by removing .git/hooks/pre-push\n", "push", "-q",
			"origin", "main")
		refused(t, "is not there (commit refused)\n", "commit", "--allow-empty", "-m", "x")
	})
	t.Run("the client may not be run", func(t *testing.T) {
		os.Chmod(bin, 0o644)
		defer os.Chmod(bin, 0o755)
		refused(t, "", "push", "-q", "origin", "main")
	})
	t.Run("the client is not a program", func(t *testing.T) {
		good, _ := os.ReadFile(bin)
		os.WriteFile(bin, []byte("\x7fELF, but not really"), 0o755)
		defer os.WriteFile(bin, good, 0o755)
		refused(t, "", "push", "-q", "origin", "main")
	})
	t.Run("the client is a folder", func(t *testing.T) {
		os.Rename(bin, bin+".away")
		os.Mkdir(bin, 0o755)
		defer func() { os.Remove(bin); os.Rename(bin+".away", bin) }()
		refused(t, "", "push", "-q", "origin", "main")
	})
	g.git("push", "-q", "origin", "main")
}

func TestAnExistingHookRunsFirst(t *testing.T) {
	g, remote := withRemote(t)
	hooks := g.dir + "/.git/hooks"
	seen := filepath.Join(t.TempDir(), "seen")
	g.hook(hooks, "pre-push", "#!/bin/sh\n{ echo \"$@\"; cat; } > "+seen+"\n[ ! -e "+seen+".no ]\n")
	before := files(t, hooks)
	bin := client(t, t.TempDir(), 0)
	sameText(t, "done", install(t, g, InstallOptions{Bin: bin}),
		"pre-push: installed; "+hooks+"/pre-push stays where it is and runs first\n"+
			"core.hooksPath: set to .git/pushlane/hooks, whose hooks run those of "+hooks+", in every worktree")
	g.git("push", "-q", "origin", "main")
	got, _ := os.ReadFile(seen)
	sameText(t, "the hook that was there", string(got),
		"origin "+remote+"\nrefs/heads/main "+g.git("rev-parse", "HEAD")+" refs/heads/main "+ZeroID+"\n")

	g.commit("f", "y")
	os.WriteFile(seen+".no", nil, 0o644)
	if _, err := g.try("", "push", "-q", "origin", "main"); err == nil {
		t.Error("the earlier hook's no let the push through")
	}
	lines, err := Uninstall(context.Background(), g.hookEnv())
	if err != nil {
		t.Fatal(err)
	}
	sameText(t, "done", strings.Join(lines, "\n"), "pre-push: removed; "+hooks+"/pre-push runs as before")
	sameText(t, "hooks folder", files(t, hooks), before)
}

func TestInstallAndUninstallLeaveWhatWasThere(t *testing.T) {
	cases := map[string]func(g *gitRepo, hooks string){
		"git's samples only":        func(g *gitRepo, hooks string) {},
		"no hooks folder":           func(g *gitRepo, hooks string) { os.RemoveAll(hooks) },
		"a hook that is executable": func(g *gitRepo, hooks string) { g.hook(hooks, "pre-push", "#!/bin/sh\nexit 0\n") },
		"a hook that is not": func(g *gitRepo, hooks string) {
			g.hook(hooks, "pre-push", "x")
			os.Chmod(hooks+"/pre-push", 0o640)
		},
		"a hook that is a link": func(g *gitRepo, hooks string) {
			g.write("scripts/push", "#!/bin/sh\n")
			os.Symlink("../../scripts/push", hooks+"/pre-push")
		},
		"a link to nothing": func(g *gitRepo, hooks string) { os.Symlink("/nowhere", hooks+"/pre-push") },
		"hooks at all gates": func(g *gitRepo, hooks string) {
			for _, gate := range Gates() {
				if gate != "proc-receive" { // there is no first and second one of that
					g.hook(hooks, gate, "#!/bin/sh\n# "+gate+"\n")
				}
			}
		},
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			hooks := g.dir + "/.git/hooks"
			prepare(g, hooks)
			before := files(t, g.dir+"/.git")
			o := InstallOptions{Bin: client(t, t.TempDir(), 0), Gates: Gates()}
			install(t, g, o)
			once := files(t, g.dir+"/.git")
			for _, line := range strings.Split(install(t, g, o), "\n") {
				if !strings.HasSuffix(line, ": already installed") {
					t.Errorf("the second time: %s", line)
				}
			}
			sameText(t, "after the second time", files(t, g.dir+"/.git"), once)
			for range 2 {
				if _, err := Uninstall(context.Background(), g.hookEnv()); err != nil {
					t.Fatal(err)
				}
				sameText(t, "after uninstalling", files(t, g.dir+"/.git"), before)
			}
		})
	}
}

func TestInstallWhereGitLooks(t *testing.T) {
	bin := client(t, t.TempDir(), 0)
	t.Run("a linked worktree uses the common hooks", func(t *testing.T) {
		g := newRepo(t)
		g.commit("f", "x")
		linked := filepath.Join(t.TempDir(), "l")
		g.git("worktree", "add", "-q", "-b", "side", linked)
		install(t, g.in(linked), InstallOptions{Bin: bin})
		if _, err := os.Stat(g.dir + "/.git/hooks/pre-push"); err != nil {
			t.Error(err)
		}
	})
	t.Run("core.hooksPath in the work tree, from a folder below", func(t *testing.T) {
		g := newRepo(t)
		g.commit("d/f", "x")
		g.git("config", "core.hooksPath", ".husky/_")
		install(t, g.in(g.dir+"/d"), InstallOptions{Bin: bin})
		if _, err := os.Stat(g.dir + "/.git/pushlane/hooks/pre-push"); err != nil {
			t.Error(err)
		}
		sameText(t, "core.hooksPath", g.git("config", "core.hooksPath"), ".git/pushlane/hooks")
	})
	t.Run("a bare repository gets pre-receive", func(t *testing.T) {
		g := newRepo(t, "--bare")
		sameText(t, "done", install(t, g, InstallOptions{Bin: bin}), "pre-receive: installed")
		if _, err := os.Stat(g.dir + "/hooks/pre-receive"); err != nil {
			t.Error(err)
		}
	})
	t.Run("nothing is written into a shared core.hooksPath", func(t *testing.T) {
		g := newRepo(t)
		shared := t.TempDir()
		g.git("config", "--global", "core.hooksPath", shared)
		defer g.git("config", "--global", "--unset", "core.hooksPath")
		before := files(t, g.dir+"/.git")
		sameText(t, "done", install(t, g, InstallOptions{Bin: bin}), "pre-push: installed\n"+
			"core.hooksPath: set to .git/pushlane/hooks, whose hooks run those of "+shared+", in every worktree")
		sameText(t, "the shared folder", files(t, shared), "")
		if _, err := Uninstall(context.Background(), g.hookEnv()); err != nil {
			t.Fatal(err)
		}
		sameText(t, "after uninstalling", files(t, g.dir+"/.git"), before)
	})
	t.Run("nor into a folder that the hooks folder is a link to", func(t *testing.T) {
		g := newRepo(t)
		shared := t.TempDir()
		os.RemoveAll(g.dir + "/.git/hooks")
		os.Symlink(shared, g.dir+"/.git/hooks")
		install(t, g, InstallOptions{Bin: bin})
		sameText(t, "the shared folder", files(t, shared), "")
		sameText(t, "core.hooksPath", g.git("config", "core.hooksPath"), ".git/pushlane/hooks")
	})
	t.Run("core.hooksPath that is not a folder", func(t *testing.T) {
		g := newRepo(t)
		g.git("config", "core.hooksPath", "/dev/null")
		_, err := Install(context.Background(), g.hookEnv(), InstallOptions{Bin: bin})
		if err == nil {
			t.Fatal("no error")
		}
		sameText(t, "error", err.Error(), "cannot use the hooks folder /dev/null: it is not a folder")
	})
}

func TestInstallRefuses(t *testing.T) {
	g := newRepo(t)
	bin := client(t, t.TempDir(), 0)
	cases := map[string]struct {
		o    InstallOptions
		want string
	}{
		"a gate that is none": {InstallOptions{Bin: bin, Gates: []string{"post-checkout"}},
			`cannot install a hook at gate "post-checkout": there is no such gate`},
		"a relative program": {InstallOptions{Bin: "pushlane-hook"},
			`cannot install hooks that run "pushlane-hook": it is not an absolute path of a program`},
		"a program not there": {InstallOptions{Bin: "/nowhere/pushlane-hook"},
			`cannot install hooks that run "/nowhere/pushlane-hook": it is not an absolute path of a program`},
		"a program with lines": {InstallOptions{Bin: "/x\nrm -rf /"},
			`cannot install hooks that run "/x\nrm -rf /": it is not an absolute path of a program`},
	}
	before := files(t, g.dir+"/.git/hooks")
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Install(context.Background(), g.hookEnv(), c.o)
			if err == nil || err.Error() != c.want || hintOf(err) == "" {
				t.Errorf("got %v", err)
			}
		})
	}
	sameText(t, "hooks folder", files(t, g.dir+"/.git/hooks"), before)

	t.Run("a foreign hook where an earlier version moved one away", func(t *testing.T) {
		hooks := g.dir + "/.git/hooks"
		g.hook(hooks, "pre-push", "#!/bin/sh\n# second\n")
		g.hook(hooks, "pre-push.pushlane-kept", "#!/bin/sh\n# first\n")
		_, err := Install(context.Background(), g.hookEnv(), InstallOptions{Bin: bin})
		if err == nil {
			t.Fatal("no error")
		}
		sameText(t, "error", err.Error(), "cannot install pre-push: "+hooks+"/pre-push is not ours, and "+hooks+
			"/pre-push.pushlane-kept holds an earlier hook already")
		lines, err := Uninstall(context.Background(), g.hookEnv())
		if err != nil {
			t.Fatal(err)
		}
		sameText(t, "uninstall", strings.Join(lines, "\n"),
			"pre-push: left alone, because it is not pushlane's; an earlier hook is still saved as pre-push.pushlane-kept")
	})
}

// TestInstallationOfTheFirstVersion: it moved the hook that was there to
// another name, or was cut off while it did.
func TestInstallationOfTheFirstVersion(t *testing.T) {
	const ours = "#!/bin/sh\n# pushlane hook 1, runs /old/pushlane-hook (take it out with: pushlane uninstall)\nexec " +
		"/old/pushlane-hook\n"
	for name, half := range map[string]bool{"whole": false, "cut off": true} {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			hooks := g.dir + "/.git/hooks"
			g.hook(hooks, "pre-push", "#!/bin/sh\n# mine\n")
			before := files(t, hooks)
			old := func() {
				os.Link(hooks+"/pre-push", hooks+"/pre-push.pushlane-kept")
				if !half {
					os.Remove(hooks + "/pre-push")
					g.hook(hooks, "pre-push", ours)
				}
			}
			old()
			if _, err := Uninstall(context.Background(), g.hookEnv()); err != nil {
				t.Fatal(err)
			}
			sameText(t, "uninstalled", files(t, hooks), before)
			old()
			install(t, g, InstallOptions{Bin: client(t, t.TempDir(), 0)})
			sameText(t, "brought up to date", files(t, hooks), before)
			text, _ := os.ReadFile(g.dir + "/.git/pushlane/hooks/pre-push")
			if want := `--earlier="${0%pushlane/hooks/*}hooks/pre-push" pre-push "$@"`; !strings.Contains(string(text), want) {
				t.Errorf("got %s\nwant %s in it", text, want)
			}
		})
	}
}

func TestAHookOfAnotherVersionIsOurs(t *testing.T) {
	g := newRepo(t)
	bin := client(t, t.TempDir(), 0)
	g.hook(g.dir+"/.git/hooks", "pre-push",
		"#!/bin/sh\n# pushlane hook 7, runs /old/pushlane-hook (take it out with: pushlane uninstall)\nexec "+
			"/old/pushlane-hook\n")
	sameText(t, "done", install(t, g, InstallOptions{Bin: bin}), "pre-push: brought up to date")
	lines, err := Uninstall(context.Background(), g.hookEnv())
	if err != nil {
		t.Fatal(err)
	}
	sameText(t, "uninstalled", strings.Join(lines, "\n"), "pre-push: removed")
}

func TestStatus(t *testing.T) {
	g := newRepo(t)
	hooks := g.dir + "/.git/hooks"
	bin := client(t, t.TempDir(), 0)
	other := client(t, t.TempDir(), 0)
	g.hook(hooks, "commit-msg", "#!/bin/sh\n")
	g.hook(hooks, "pre-push", "#!/bin/sh\n")
	install(t, g, InstallOptions{Bin: bin, Gates: []string{"pre-push"}})
	install(t, g, InstallOptions{Bin: other, Gates: []string{"pre-receive", "post-receive"}})
	// git receives elsewhere
	sameText(t, "core.hooksPath", g.git("config", "core.hooksPath"), g.dir+"/.git/pushlane/hooks")
	os.Chmod(g.dir+"/.git/pushlane/hooks/post-receive", 0o644)
	os.Remove(other)
	all, err := Status(context.Background(), g.hookEnv())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range all {
		lines = append(lines, fmt.Sprintf("%s: %s kept=%t %s", s.Gate, s.State, s.Kept != "",
			strings.ReplaceAll(s.Detail, other, "BIN")))
	}
	want := []string{
		"pre-commit: not installed kept=false ", "commit-msg: not installed kept=false ", "pre-push: installed kept=true ",
		"pre-receive: stale kept=false BIN does not exist, so this gate refuses everything; run: pushlane install",
		"proc-receive: not installed kept=false ",
		"post-receive: stale kept=false the hook is not executable, so git ignores it; run: pushlane install",
	}
	sameText(t, "status", strings.Join(lines, "\n"), strings.Join(want, "\n"))

}

func TestInstallWithArguments(t *testing.T) {
	g := newRepo(t)
	hooks := g.dir + "/.git/hooks"
	o := InstallOptions{Bin: client(t, t.TempDir(), 0), Gates: []string{"pre-receive"},
		Args: []string{"--policy=/it's here/p.toml", "--state=/var/lib/x"}}
	install(t, g, o)
	text, _ := os.ReadFile(hooks + "/pre-receive")
	if want := "exec " + shellWord(o.Bin) +
		` '--policy=/it'\''s here/p.toml' '--state=/var/lib/x' --earlier= pre-receive "$@"`; !strings.Contains(string(text),
		want) {
		t.Errorf("got %s\nwant %s in it", text, want)
	}
	all, err := Status(context.Background(), g.hookEnv())
	if err != nil || all[3].Gate != "pre-receive" || all[3].State != Installed {
		t.Errorf("got %+v, %v", all[3], err)
	}
	o.Args = []string{"two\nlines"}
	if _, err := Install(context.Background(), g.hookEnv(), o); err == nil ||
		!strings.HasPrefix(err.Error(), `cannot install hooks with the argument "two\nlines"`) {
		t.Errorf("got %v", err)
	}
}

func TestAForeignProcReceiveHookStays(t *testing.T) {
	g := newRepo(t)
	g.hook(g.dir+"/.git/hooks", "proc-receive", "#!/bin/sh\n")
	_, err := Install(context.Background(), g.hookEnv(),
		InstallOptions{Bin: client(t, t.TempDir(), 0), Gates: []string{"proc-receive"}})
	if err == nil || !strings.HasSuffix(err.Error(), "proc-receive is not pushlane's, and git runs only one such hook") {
		t.Errorf("got %v", err)
	}
}
