package hooks

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed shim.sh
var shim string

// savedSuffix is what earlier versions added to the name of a hook that was
// there before.
const savedSuffix = ".pushlane-kept"

// What an installed hook is known by, of whichever version.
const (
	shimStart = "#!/bin/sh\n# pushlane hook "
	shimRuns  = ", runs "
	shimEnd   = " (take it out with: pushlane uninstall)"
)

// Gates are the hooks that can be installed, in the order they are listed.
func Gates() []string {
	return []string{"pre-commit", "commit-msg", "pre-push", "pre-receive", "proc-receive", "post-receive"}
}

// InstallOptions are the options of Install.
type InstallOptions struct {
	Gates []string // of Gates; none = pre-push, in a bare repository pre-receive
	Bin   string   // absolute path of the hook client, pushlane-hook
	Args  []string // what Bin is given before the gate
}

// Install writes the hooks and returns a line for each change. An existing hook
// stays where it is, and pushlane-hook runs it first; core.hooksPath is then set to
// a hooks folder of pushlane. The same happens if core.hooksPath was set before.
// Installing again does not change hooks that are up to date.
func Install(ctx context.Context, env Env, o InstallOptions) ([]string, error) {
	l, err := readLayout(ctx, env)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	gates := slices.Clone(o.Gates)
	switch {
	case len(gates) == 0 && l.place.bare:
		gates = []string{"pre-receive"}
	case len(gates) == 0:
		gates = []string{"pre-push"}
	}
	if moves, err := l.mustMove(gates); err != nil || moves {
		if err != nil {
			return nil, err
		}
		return l.install(ctx, gates, o)
	}
	if err := makeDefaultFolder(l.folder); err != nil {
		return nil, fmt.Errorf("cannot create the hooks folder: %w", err)
	}
	var done []string
	for _, gate := range gates {
		line, err := installOne(l.folder, gate, o)
		if err != nil {
			return done, fmt.Errorf("cannot install %s: %w", gate, err)
		}
		done = append(done, line)
	}
	return done, nil
}

// makeDefaultFolder makes git's own hooks folder where it is not there; git
// passes over hooks in a folder that it cannot read, so no umask counts.
func makeDefaultFolder(path string) error {
	if isDir(path) {
		return nil
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o755)
}

func (o InstallOptions) check() error {
	for _, gate := range o.Gates {
		if !slices.Contains(Gates(), gate) {
			return withHint(fmt.Errorf("cannot install a hook at gate %s: there is no such gate", quote(gate)),
				"the gates are: %s", strings.Join(Gates(), ", "))
		}
	}
	for _, arg := range o.Args {
		if strings.ContainsAny(arg, "\n\r@") {
			return fmt.Errorf("cannot install hooks with the argument %s: it holds a line break or an @", quote(arg))
		}
	}
	if !filepath.IsAbs(o.Bin) || strings.ContainsAny(o.Bin, "\n\r") || !executable(o.Bin) {
		return withHint(fmt.Errorf("cannot install hooks that run %s: it is not an absolute path of a program", quote(o.Bin)),
			"run: pushlane install")
	}
	return nil
}

// hookFolder is where git looks for hooks.
type hookFolder struct {
	path string
	own  string // the repository's own hooks folder, "hooks" in the directory all worktrees share
}

// hooksDir asks git where its hooks are: core.hooksPath from whichever
// configuration file, else the folder that all worktrees share.
func hooksDir(ctx context.Context, env Env) (hookFolder, place, error) {
	p, err := findPlace(env)
	if err != nil {
		return hookFolder{}, p, err
	}
	conf, err := readConfig(ctx, env, p)
	if err != nil {
		return hookFolder{}, p, err
	}
	if p, err = p.withTop(env, conf); err != nil {
		return hookFolder{}, p, err
	}
	at := env
	if at.Dir = p.top; p.bare {
		at.Dir = p.git
	}
	out, err := runGit(ctx, at, []string{"GIT_DIR=" + p.git}, "rev-parse", "--git-path", "hooks")
	if err != nil {
		return hookFolder{}, p, fmt.Errorf("cannot find the hooks folder: %w", err)
	}
	f := hookFolder{path: join(at.Dir, strings.TrimSuffix(string(out), "\n")), own: filepath.Join(p.common, "hooks")}
	if info, err := os.Stat(f.path); err == nil && !info.IsDir() {
		return f, p, withHint(fmt.Errorf("cannot use the hooks folder %s: it is not a folder", f.path),
			"see where it is set with: git config --show-origin core.hooksPath")
	}
	return f, p, nil
}

// inside tells whether path is in dir, links followed.
func inside(path, dir string) bool {
	rel, err := filepath.Rel(realPath(dir), realPath(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// realPath follows links as far as the path exists.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(realPath(parent), filepath.Base(path))
}

// Script is the hook for one gate: three lines that run the hook client bin, or
// refuse if it is missing. earlier is the hook that the client runs first, as a word
// for a shell; "" for none.
func Script(gate, bin, earlier string, args ...string) string {
	words := ""
	for _, arg := range args {
		words += shellWord(arg) + " "
	}
	return shimText(gate, bin, words+"--earlier="+earlier+" ")
}

// shimText is Script with the arguments as shell words, each with a space
// after it.
func shimText(gate, bin, words string) string {
	what := map[string]string{"pre-commit": "commit refused", "commit-msg": "commit refused",
		"post-receive": "nothing was run"}[gate]
	if what == "" {
		what = "push refused"
	}
	return strings.NewReplacer("@PATH@", bin, "@BIN@", shellWord(bin), "@ARGS@", words, "@GATE@", gate, "@WHAT@",
		what).Replace(shim)
}

func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// shimArgs are the arguments, as shell words, in the text of a hook of ours.
func shimArgs(text []byte, gate, bin string) string {
	_, rest, _ := strings.Cut(string(text), "exec "+shellWord(bin)+" ")
	words, _, _ := strings.Cut(rest, gate+` "$@"`)
	return words
}

// shimBin is the program a hook of ours runs; ok is false for anyone else's.
func shimBin(text []byte) (bin string, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(shimStart))
	if !ok {
		return "", false
	}
	line, _, _ := strings.Cut(string(rest), "\n")
	_, line, ok = strings.Cut(line, shimRuns)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(line, shimEnd)
}

// atGate is what is at one gate.
type atGate struct {
	path  string
	there bool
	ours  bool
	saved bool   // an earlier version moved the hook that was there to another name
	half  bool   // and it is in place as well: an installation was cut off
	text  []byte // of the hook, when it is a small file
	bin   string // that it runs, when it is ours
	mode  fs.FileMode
}

func look(dir, gate string) (atGate, error) {
	g := atGate{path: filepath.Join(dir, gate)}
	kept, err := os.Lstat(g.path + savedSuffix)
	if g.saved = err == nil; err != nil && !errors.Is(err, fs.ErrNotExist) {
		return g, err
	}
	info, err := os.Lstat(g.path)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err != nil {
		return g, err
	}
	g.there, g.mode = true, info.Mode()
	g.half = g.saved && os.SameFile(kept, info)
	if !info.Mode().IsRegular() || info.Size() > 1<<16 {
		return g, nil
	}
	if g.text, err = os.ReadFile(g.path); err != nil {
		return g, err
	}
	g.bin, g.ours = shimBin(g.text)
	return g, nil
}

// installOne writes the hook of one gate where no other has to be preserved.
func installOne(dir, gate string, o InstallOptions) (string, error) {
	g, err := look(dir, gate)
	if err != nil {
		return "", err
	}
	text := Script(gate, o.Bin, "", o.Args...)
	switch {
	case g.ours && string(g.text) == text && g.mode.Perm()&0o111 == 0o111:
		return gate + ": already installed", nil
	case g.ours:
		return gate + ": brought up to date", writeHook(g.path, text)
	}
	return gate + ": installed", writeHook(g.path, text)
}

func (g atGate) twoHooks() error {
	return withHint(fmt.Errorf("%s is not ours, and %s holds an earlier hook already", g.path, g.path+savedSuffix),
		"merge the two by hand, remove %s, then install again", g.path+savedSuffix)
}

// writeHook puts a hook in place whole or not at all.
func writeHook(path, text string) error { return writeFile(path, text, 0o755) }

// writeFile puts a file in place whole or not at all, with exactly that mode.
func writeFile(path, text string, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".pushlane-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Uninstall removes every hook of pushlane, restores the previous hooks byte for
// byte, and returns a line for each change. Other hooks are left unchanged.
func Uninstall(ctx context.Context, env Env) ([]string, error) {
	l, err := readLayout(ctx, env)
	if err != nil {
		return nil, err
	}
	var done []string
	if l.moved {
		if done, err = l.uninstall(ctx); err != nil {
			return done, err
		}
	}
	_ = os.Remove(filepath.Join(l.place.common, remotesFile)) // it may not be there
	_ = os.Remove(filepath.Dir(l.own))                        // it may hold more
	for _, gate := range Gates() {
		line, err := uninstallOne(l.folder, gate)
		if err != nil {
			return done, fmt.Errorf("cannot uninstall %s: %w", gate, err)
		}
		if line != "" {
			done = append(done, line)
		}
	}
	return done, nil
}

func uninstallOne(dir, gate string) (string, error) {
	g, err := look(dir, gate)
	switch {
	case err != nil:
		return "", err
	case g.half:
		return gate + ": the existing hook stays", os.Remove(g.path + savedSuffix)
	case g.there && !g.ours && g.saved:
		return fmt.Sprintf("%s: left alone, because it is not pushlane's; "+
			"an earlier hook is still saved as %s", gate, gate+savedSuffix), nil
	case g.saved:
		return gate + ": the previous hook is restored", os.Rename(g.path+savedSuffix, g.path)
	case g.ours:
		return gate + ": removed", os.Remove(g.path)
	}
	return "", nil
}

// The states of a gate.
const (
	NotInstalled = "not installed" // no hook there
	Installed    = "installed"     // ours, and it will run
	Foreign      = "foreign"       // another's hook
	Stale        = "stale"         // ours, but git or the shell cannot run it; Detail says why
)

// HookStatus is the state of one gate.
type HookStatus struct {
	Gate   string
	State  string // NotInstalled, Installed, Foreign or Stale
	Path   string // of the hook, there or not
	Bin    string // the program it runs, when it is ours
	Kept   string // path of the hook that was there before and runs first, "" = none
	Detail string // what is wrong, with what fixes it; "" = nothing
}

// Status returns the state of every gate.
func Status(ctx context.Context, env Env) ([]HookStatus, error) {
	l, err := readLayout(ctx, env)
	if err != nil {
		return nil, err
	}
	var all []HookStatus
	for _, gate := range Gates() {
		g, err := look(l.at.path, gate)
		if err != nil {
			return nil, fmt.Errorf("cannot look at %s: %w", gate, err)
		}
		s := g.status(gate)
		if l.moved {
			l.describe(&s)
		}
		all = append(all, s)
	}
	added, err := l.added()
	for _, name := range added {
		all = append(all, HookStatus{Gate: name, State: Stale, Path: filepath.Join(l.folder, name),
			Detail: "the hook was added after the installation and does not run; run: pushlane install"})
	}
	return all, err
}

// describe adds the description of the existing hook.
func (l layout) describe(s *HookStatus) {
	before := filepath.Join(l.folder, s.Gate)
	info, err := os.Stat(before)
	if _, lerr := os.Lstat(before); lerr != nil || s.State != Installed {
		if text, _ := os.ReadFile(s.Path); s.State == Foreign && strings.HasPrefix(string(text), passMark) {
			s.State = NotInstalled
		}
		return
	}
	s.Kept = before
	switch {
	case err != nil:
		s.Detail = fmt.Sprintf("git ignores the existing hook: %v", err)
	case info.Mode()&0o111 == 0:
		s.Detail = before + " is not executable, so git ignores it"
	}
}

func (g atGate) status(gate string) HookStatus {
	s := HookStatus{Gate: gate, State: Installed, Path: g.path, Bin: g.bin}
	if g.saved {
		s.Kept = g.path + savedSuffix
	}
	switch {
	case !g.there:
		s.State = NotInstalled
	case !g.ours:
		s.State = Foreign
	case g.mode.Perm()&0o111 == 0:
		s.State, s.Detail = Stale, "the hook is not executable, so git ignores it; run: pushlane install"
	case !executable(g.bin):
		s.State, s.Detail = Stale, g.bin+" does not exist, so this gate refuses everything; run: pushlane install"
	case g.saved:
		s.State = Stale
		s.Detail = "an earlier pushlane version runs the existing hook under another name; run: pushlane install"
	case string(g.text) != shimText(gate, g.bin, shimArgs(g.text, gate, g.bin)):
		s.State, s.Detail = Stale, "the hook was changed by hand; run: pushlane install"
	}
	return s
}
