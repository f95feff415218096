package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/hookclient"
	"github.com/pushlane/pushlane/host/internal/printable"
)

// checkEarlier looks at a hook that was there before pushlane and runs first.
func checkEarlier(s hooks.HookStatus) Check {
	if s.Detail != "" {
		c := good("hooks", "%s: %s, but %s", s.Gate, s.State, s.Detail)
		c.Warn, c.Hint = true, "chmod +x "+shellQuote(s.Kept)+", or remove it"
		return c
	}
	if program := interpreter(s.Kept); program != "" {
		if _, err := os.Stat(program); err != nil {
			return bad("hooks", fmt.Errorf("%s: cannot run %s: %w", s.Gate, s.Kept, err),
				"install "+program+", or remove the hook")
		}
	}
	return good("hooks", "%s: %s, %s runs first", s.Gate, s.State, s.Kept)
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// interpreter is the program that the first line of a script names; "" for
// what is not a script.
func interpreter(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 4096).ReadSlice('\n')
	rest, ok := strings.CutPrefix(string(line), "#!")
	if words := strings.Fields(rest); ok && len(words) > 0 {
		return words[0]
	}
	return ""
}

// saysNo is a hook that says no where it is called by its own name and finds
// what is next to it, and yes where it is not.
const saysNo = "#!/bin/sh\n[ \"$(basename \"$0\")\" = pre-push ] && [ -e \"$(dirname \"$0\")/next\" ] || exit 0\n" +
	"cat > \"$(dirname \"$0\")/next\"\nexit 1\n"

// tryEarlier pushes in a scratch repository, with the same hook client and a
// hook that was there and says no: the push must be refused because of it.
func tryEarlier(ctx context.Context, call gate.Call, all []hooks.HookStatus) Check {
	i := slices.IndexFunc(all, func(s hooks.HookStatus) bool { return s.Kept != "" && s.Bin != "" })
	if i < 0 {
		return bad("hooks", errors.New("cannot determine which program runs the existing hook"), "pushlane install")
	}
	dir, err := os.MkdirTemp("", "pushlane-doctor-*")
	if err == nil {
		defer os.RemoveAll(dir)
		err = pushRefused(ctx, call, dir, all[i].Bin)
	}
	if err != nil {
		return bad("hooks", fmt.Errorf("cannot test that the existing hook can refuse a push: %w", err), "./install.sh")
	}
	return good("hooks", "the existing hook can refuse a push (tested in a temporary repository)")
}

func pushRefused(ctx context.Context, call gate.Call, dir, bin string) error {
	work := filepath.Join(dir, "work")
	env := []string{"PATH=" + call.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "PUSHLANE_RESIDENT=off",
		"PUSHLANE_STATE=" + filepath.Join(dir, "state"), "GIT_AUTHOR_NAME=doctor", "GIT_AUTHOR_EMAIL=doctor@localhost",
		"GIT_COMMITTER_NAME=doctor", "GIT_COMMITTER_EMAIL=doctor@localhost"}
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{{"init", "-q", "work"}, {"init", "-q", "--bare", "remote.git"}} {
		if out, err := git(args...); err != nil {
			return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, printable.FirstLine(out))
		}
	}
	// Lanes that let everything through: if the hook did not count, the push would go in.
	err := os.WriteFile(filepath.Join(work, gate.LanesFiles[1]), []byte("version = 1\n"), 0o644)
	for _, args := range [][]string{{"add", "."}, {"commit", "-q", "-m", "trial"}} {
		if out, err := git(append([]string{"-C", "work"}, args...)...); err != nil {
			return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, printable.FirstLine(out))
		}
	}
	folder := filepath.Join(work, ".git", "hooks")
	err = errors.Join(err, os.MkdirAll(folder, 0o755))
	err = errors.Join(err, os.WriteFile(filepath.Join(folder, "pre-push"), []byte(saysNo), 0o755),
		os.WriteFile(filepath.Join(folder, "next"), nil, 0o644))
	if err != nil {
		return err
	}
	scratch := gate.Call{Dir: work, Env: env}
	if _, err := hooks.Install(ctx, scratch.HooksEnv(),
		hooks.InstallOptions{Gates: []string{"pre-push"}, Bin: bin, Args: hookclient.Args(bin)}); err != nil {
		return err
	}
	out, err := git("-C", "work", "push", "../remote.git", "HEAD:refs/heads/trial")
	said, _ := os.ReadFile(filepath.Join(folder, "next"))
	switch {
	case err == nil:
		return errors.New("the push was accepted")
	case !strings.Contains(string(said), "refs/heads/trial"):
		return fmt.Errorf("the hook was not run as git runs it: %s", printable.FirstLine(out))
	}
	return nil
}
