package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Where pushlane's own hooks folder is in the directory that all worktrees
// share, and the configuration that points linked worktrees to it.
const (
	ownFolder    = "pushlane/hooks"
	linkedConfig = "pushlane/linked.config"
	linkedKey    = "includeIf.gitdir:./worktrees/"
	fromKey      = "pushlane.hooksPath" // what core.hooksPath was
)

// passMark is the second line of a hook that only runs the one that was there.
const passMark = "#!/bin/sh\n# pushlane passes this hook on "

// layout is which hooks folder git uses and which one it used before.
//
// A hook that was there must find its own name and folder in $0, next to its
// siblings, whatever links lead to it. So it stays where it is, and git is
// pointed to a folder of pushlane's own, whose hooks run it by the path that
// git would have used.
type layout struct {
	env    Env // in the folder in which git runs hooks
	place  place
	at     hookFolder // where git looks now
	own    string     // pushlane's own folder, there or not
	moved  bool       // at is own
	from   string     // the value of core.hooksPath, or its previous value; "" for the default folder
	folder string     // absolute path of the folder of the hooks that were there
	shared bool       // it is outside the repository: other repositories may use it
}

func readLayout(ctx context.Context, env Env) (layout, error) {
	at, p, err := hooksDir(ctx, env)
	if err != nil {
		return layout{}, err
	}
	l := layout{env: env, place: p, at: at, own: filepath.Join(p.common, ownFolder)}
	if l.env.Dir = p.top; p.bare {
		l.env.Dir = p.git
	}
	l.moved = realPath(at.path) == realPath(l.own)
	key := "core.hooksPath"
	if l.moved {
		key = fromKey
	}
	if l.from, err = l.config(ctx, "--type=path", "--get", key); err != nil {
		return l, err
	}
	l.folder = at.own
	if l.from != "" {
		l.folder = join(l.env.Dir, l.from)
	}
	l.shared = !inside(l.folder, p.common) && (p.top == "" || !inside(l.folder, p.top))
	return l, nil
}

// config runs git config on this repository; a key that is not set is "".
func (l layout) config(ctx context.Context, args ...string) (string, error) {
	out, err := runGit(ctx, l.env, []string{"GIT_DIR=" + l.place.git}, append([]string{"config"}, args...)...)
	var failed *gitError
	if errors.As(err, &failed) && (failed.status == 1 || failed.status == 5) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read or change the configuration: %w", err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// local is config on the file that all worktrees share.
func (l layout) local(ctx context.Context, args ...string) (string, error) {
	return l.config(ctx, append([]string{"--file", filepath.Join(l.place.common, "config")}, args...)...)
}

// mustMove tells whether git has to be pointed to a folder of ours: there is a
// hook to preserve, or the folder is not the one that all worktrees share.
func (l layout) mustMove(gates []string) (bool, error) {
	if l.moved || l.from != "" || l.shared {
		return true, nil
	}
	for _, gate := range gates {
		g, err := look(l.folder, gate)
		if err != nil {
			return false, err
		}
		if g.there && !g.ours || g.saved {
			return true, nil
		}
	}
	return false, nil
}

// earlier is the path of the hook that was there, as git would call it, as a
// word for a shell; "" where it is a hook of ours, of several repositories.
func (l layout) earlier(name string) string {
	if g, err := look(l.folder, name); l.shared && err == nil && g.ours {
		return ""
	}
	if l.from != "" {
		return shellWord(strings.TrimSuffix(l.from, "/") + "/" + name)
	}
	return `"${0%` + ownFolder + `/*}hooks/` + name + `"`
}

// install writes pushlane's own folder and points git to it.
func (l layout) install(ctx context.Context, gates []string, o InstallOptions) ([]string, error) {
	if strings.ContainsAny(l.from, "\n\r") {
		return nil, fmt.Errorf("cannot install hooks: core.hooksPath %s holds a line break", quote(l.from))
	}
	if err := l.makeFolder(); err != nil {
		return nil, fmt.Errorf("cannot create the hooks folder %s: %w", l.own, err)
	}
	var done []string
	for _, gate := range gates {
		line, err := l.installGate(gate, o)
		if err != nil {
			return done, fmt.Errorf("cannot install %s: %w", gate, err)
		}
		done = append(done, line)
	}
	if err := l.takeAlong(gates); err != nil {
		return done, err
	}
	if err := l.passOn(); err != nil {
		return done, err
	}
	if l.moved {
		return done, errors.Join(l.pointAgain(ctx, gates), l.restoreEarlier())
	}
	line, err := l.point(ctx, gates)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(l.own))
	}
	return append(done, line), l.restoreEarlier()
}

// makeFolder makes pushlane's own folder, which every user of the repository
// can read and only its owner can change, whatever the umask: a hook that git
// cannot read is one that it passes over.
func (l layout) makeFolder() error {
	if err := os.MkdirAll(l.own, 0o755); err != nil {
		return err
	}
	return errors.Join(os.Chmod(filepath.Dir(l.own), 0o755), os.Chmod(l.own, 0o755))
}

func (l layout) installGate(gate string, o InstallOptions) (string, error) {
	was, err := look(l.folder, gate)
	if err != nil {
		return "", err
	}
	switch {
	case was.there && !was.ours && gate == "proc-receive":
		return "", fmt.Errorf("%s is not pushlane's, and git runs only one such hook", was.path)
	case was.there && !was.ours && was.saved && !was.half:
		return "", was.twoHooks()
	case was.mode.IsDir():
		return "", fmt.Errorf("%s is a folder", was.path)
	}
	g, err := look(l.own, gate)
	if err != nil {
		return "", err
	}
	if err := l.giveBack(g); err != nil {
		return "", err
	}
	earlier, runs := l.earlier(gate), ""
	switch {
	case gate == "proc-receive":
		earlier = ""
	case was.there && !was.ours || was.saved:
		runs = fmt.Sprintf("; %s stays where it is and runs first", was.path)
	}
	text := Script(gate, o.Bin, earlier, o.Args...)
	switch {
	case g.ours && string(g.text) == text && g.mode.Perm() == 0o755:
		return gate + ": already installed", nil
	case g.ours:
		return gate + ": brought up to date" + runs, writeHook(g.path, text)
	}
	return gate + ": installed" + runs, writeHook(g.path, text)
}

// takeAlong writes the hooks of other gates that were installed where git
// looked before, as they were.
func (l layout) takeAlong(gates []string) error {
	for _, gate := range Gates() {
		g, err := look(l.folder, gate)
		if err != nil {
			return err
		}
		if slices.Contains(gates, gate) || !g.ours || l.shared {
			continue
		}
		words, _, _ := strings.Cut(shimArgs(g.text, gate, g.bin), "--earlier=")
		if err := writeHook(filepath.Join(l.own, gate),
			shimText(gate, g.bin, words+"--earlier="+l.earlier(gate)+" ")); err != nil {
			return err
		}
	}
	return nil
}

// giveBack moves a hook that another tool wrote into pushlane's own folder to
// the folder of the hooks that were there.
func (l layout) giveBack(g atGate) error {
	name := filepath.Base(g.path)
	if !g.there || g.ours || strings.HasPrefix(string(g.text), passMark) {
		return nil
	}
	to := filepath.Join(l.folder, name)
	if _, err := os.Lstat(to); err == nil {
		return withHint(fmt.Errorf("%s is not ours, and %s is there already", g.path, to),
			"merge the two by hand, remove %s, then install again", g.path)
	}
	if err := os.MkdirAll(l.folder, 0o755); err != nil {
		return err
	}
	return os.Rename(g.path, to)
}

// clientHooks are passed on whether they are there or not, so that one that is
// added later runs: they cost nothing where git does much anyway.
func clientHooks() []string {
	return strings.Fields("applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg " +
		"commit-msg post-commit pre-rebase post-checkout post-merge pre-push post-rewrite pre-auto-gc sendemail-validate")
}

// otherHooks are the hooks of the earlier folder that git would run.
func (l layout) otherHooks() ([]string, error) {
	entries, err := os.ReadDir(l.folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list the hooks in %s: %w", l.folder, err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && executable(filepath.Join(l.folder, name)) {
			names = append(names, name)
		}
	}
	return names, nil
}

// passOn writes a hook into pushlane's own folder for each one that only has
// to run what was there.
func (l layout) passOn() error {
	names, err := l.otherHooks()
	if err != nil {
		return err
	}
	if !l.place.bare {
		names = append(names, clientHooks()...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		g, err := look(l.own, name)
		if err != nil {
			return err
		}
		if g.ours {
			continue
		}
		if err := l.giveBack(g); err != nil {
			return err
		}
		word := l.earlier(name)
		if word == "" {
			continue
		}
		text := passMark + "(take it out with: pushlane uninstall)\nh=" + word +
			"; [ -f \"$h\" ] && [ -x \"$h\" ] || exit 0; exec \"$h\" \"$@\"\n"
		if err := writeHook(g.path, text); err != nil {
			return fmt.Errorf("cannot pass on %s: %w", name, err)
		}
	}
	return nil
}

// value is what core.hooksPath is set to. It is relative where git runs all
// hooks in one folder, so that a repository that is moved is still judged.
func (l layout) value(gates []string) string {
	if l.place.bare {
		return ownFolder
	}
	top := ""
	switch {
	case l.env.get("GIT_WORK_TREE") != "" || l.receives(gates):
	case l.place.git == l.place.common:
		top = l.place.top
	case filepath.Base(l.place.common) == ".git": // of the main worktree
		top = filepath.Dir(l.place.common)
	}
	if rel, err := filepath.Rel(realPath(top), realPath(l.own)); err == nil && top != "" {
		return filepath.ToSlash(rel)
	}
	return l.own
}

// receives tells whether hooks of this repository, which has a work tree, also
// run when it is pushed to: git runs those in another folder.
func (l layout) receives(gates []string) bool {
	names, _ := l.otherHooks()
	return slices.ContainsFunc(append(names, gates...), func(name string) bool {
		return strings.HasSuffix(name, "-receive") || name == "update" || name == "post-update" || name == "push-to-checkout"
	})
}

// point makes git look into pushlane's own folder, in linked worktrees too.
func (l layout) point(ctx context.Context, gates []string) (string, error) {
	was, err := l.local(ctx, "--get", "core.hooksPath")
	if err != nil {
		return "", err
	}
	if was == "" {
		was = l.from
	}
	if err := l.pointLinked(ctx); err != nil {
		return "", err
	}
	pairs := [][2]string{{"core.hooksPath", l.value(gates)}, {linkedKey + ".path", linkedConfig}}
	if was != "" {
		pairs = slices.Insert(pairs, 0, [2]string{fromKey, was})
	}
	for _, pair := range pairs {
		if _, err := l.local(ctx, "--replace-all", pair[0], pair[1]); err != nil {
			return "", errors.Join(err, l.unpoint(ctx, was))
		}
	}
	if err := l.check(ctx); err != nil {
		return "", errors.Join(err, l.unpoint(ctx, was))
	}
	from := l.at.path
	if l.from != "" {
		from = l.from
	}
	return fmt.Sprintf("core.hooksPath: set to %s, whose hooks run those of %s, in every worktree", pairs[len(pairs)-2][1],
		from), nil
}

// pointLinked writes the configuration of linked worktrees: git runs their hooks in
// their own folders.
func (l layout) pointLinked(ctx context.Context) error {
	linked := filepath.Join(l.place.common, linkedConfig)
	if _, err := l.config(ctx, "--file", linked, "core.hooksPath", l.own); err != nil {
		return err
	}
	return os.Chmod(linked, 0o644)
}

// pointAgain is point where that was done before: the repository may have been
// moved since, and hooks for what it receives may have been added.
func (l layout) pointAgain(ctx context.Context, gates []string) error {
	if err := l.pointLinked(ctx); err != nil {
		return err
	}
	if value := l.value(gates); filepath.IsAbs(value) {
		if _, err := l.local(ctx, "core.hooksPath", value); err != nil {
			return err
		}
	}
	return l.check(ctx)
}

// check asks git, in every worktree, where it looks now.
func (l layout) check(ctx context.Context) error {
	dirs, err := filepath.Glob(filepath.Join(l.place.common, "worktrees", "*"))
	if err != nil {
		return err
	}
	for _, dir := range append([]string{l.place.git}, dirs...) {
		out, err := runGit(ctx, l.env, []string{"GIT_DIR=" + dir}, "rev-parse", "--git-path", "hooks")
		if err != nil {
			return fmt.Errorf("cannot find the hooks folder of %s: %w", dir, err)
		}
		if at := join(l.env.Dir, strings.TrimSuffix(string(out), "\n")); realPath(at) != realPath(l.own) {
			return withHint(
				fmt.Errorf("cannot install hooks: another setting of core.hooksPath comes after the repository's own and names %s",
					at),
				"find it with: git --git-dir=%s config --show-origin --get-all core.hooksPath; remove it, then install again",
				shellWord(dir))
		}
	}
	return nil
}

// unpoint sets core.hooksPath to what it was.
func (l layout) unpoint(ctx context.Context, was string) error {
	for _, args := range [][]string{{"--unset-all", "core.hooksPath"}, {"--remove-section", linkedKey},
		{"--unset-all", fromKey}} {
		if _, err := l.local(ctx, args...); err != nil && args[0] != "--remove-section" {
			return err
		}
	}
	if left, err := l.local(ctx, "--get-regexp", `^pushlane\.`); err == nil && left == "" {
		_, _ = l.local(ctx, "--remove-section", "pushlane") // it may not be there
	}
	if err := os.Remove(filepath.Join(l.place.common, linkedConfig)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if was == "" {
		return nil
	}
	now, err := l.config(ctx, "--type=path", "--get", "core.hooksPath")
	if err != nil || now == was {
		return err
	}
	_, err = l.local(ctx, "core.hooksPath", was)
	return err
}

// restoreEarlier takes hooks of ours out of the folder that git looked into
// before, and gives what an earlier version moved away its own name back.
func (l layout) restoreEarlier() error {
	if l.shared {
		return nil // other repositories use them
	}
	for _, gate := range Gates() {
		if _, err := uninstallOne(l.folder, gate); err != nil {
			return fmt.Errorf("cannot restore %s: %w", filepath.Join(l.folder, gate), err)
		}
	}
	return nil
}

// uninstall points git to where it looked before and removes pushlane's own
// folder.
func (l layout) uninstall(ctx context.Context) ([]string, error) {
	was, err := l.local(ctx, "--get", fromKey)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(l.own)
	if err != nil {
		return nil, err
	}
	var done []string
	for _, e := range entries {
		g, err := look(l.own, e.Name())
		if err != nil {
			return done, err
		}
		if err := l.giveBack(g); err != nil {
			return done, fmt.Errorf("cannot uninstall: %w", err)
		}
		if before := filepath.Join(l.folder, e.Name()); g.ours && executable(before) {
			done = append(done, fmt.Sprintf("%s: removed; %s runs as before", e.Name(), before))
		} else if g.ours {
			done = append(done, e.Name()+": removed")
		}
	}
	if err := l.unpoint(ctx, was); err != nil {
		return done, err
	}
	if err := os.RemoveAll(l.own); err != nil {
		return done, err
	}
	return done, nil
}

// added are the hooks that were put into the earlier folder after the
// installation and that nothing runs.
func (l layout) added() ([]string, error) {
	if !l.moved {
		return nil, nil
	}
	names, err := l.otherHooks()
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Lstat(filepath.Join(l.own, name))
		return err == nil
	}), err
}
