package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// passed are the variables that a git command run here inherits. Nothing else
// of the process's environment reaches it: a resident host serves many
// callers, and each has its own.
func passed() []string {
	return []string{
		"PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "USER", "LOGNAME",
		"GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX",
		"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH",
		"GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH",
		"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
		"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT",
	}
}

// gitEnv is the environment of a git command: what the caller's hook was
// given, the true objects (no replacement refs), no fetching behind our back,
// no translated messages.
func (e Env) gitEnv() []string {
	out := []string{"LC_ALL=C", "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0",
		"GIT_TERMINAL_PROMPT=0"}
	for _, name := range passed() {
		if v := e.get(name); v != "" {
			out = append(out, name+"="+v)
		}
	}
	n, _ := strconv.Atoi(e.get("GIT_CONFIG_COUNT"))
	for i := range min(n, 1000) {
		for _, name := range []string{fmt.Sprintf("GIT_CONFIG_KEY_%d", i), fmt.Sprintf("GIT_CONFIG_VALUE_%d", i)} {
			out = append(out, name+"="+e.get(name))
		}
	}
	return out
}

// gitError is a git command that ended with a non-zero status.
type gitError struct {
	cmd    string
	status int
	stderr string
}

func (e *gitError) Error() string {
	msg := strings.TrimSpace(e.stderr)
	if msg == "" {
		msg = fmt.Sprintf("exit status %d", e.status)
	}
	return "git " + e.cmd + ": " + msg
}

// runGit runs git in the environment's directory and returns what it wrote to
// standard output.
func runGit(ctx context.Context, env Env, extra []string, args ...string) ([]byte, error) {
	return runGitOn(ctx, env, extra, nil, args...)
}

// usualPath is where git is looked for where the caller has no PATH, or none
// that has git in it: a web server or a unit need not set one.
const usualPath = "/usr/local/bin:/usr/bin:/bin"

// runGitOn is runGit with an input; nil is none.
func runGitOn(ctx context.Context, env Env, extra []string, in io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	for _, path := range []string{env.get("PATH"), usualPath} {
		if full := lookGit(path); full != "" {
			cmd = exec.CommandContext(ctx, full, args...)
			break
		}
	}
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin = env.Dir, append(env.gitEnv(), extra...), in
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, &gitError{cmd: args[0], status: exit.ExitCode(), stderr: errs.String()}
	}
	if err != nil {
		return nil, withHint(fmt.Errorf("cannot run git: %w", err), "install git, or put it on PATH")
	}
	return out.Bytes(), nil
}

// gitCommand runs git on one repository and no other.
type gitCommand struct {
	env   Env
	place place
}

// run runs a git command on exactly this repository.
func (g *gitCommand) run(ctx context.Context, args ...string) (string, error) {
	out, err := runGit(ctx, g.env, []string{"GIT_DIR=" + g.place.git}, args...)
	return strings.TrimRight(string(out), "\n"), err
}

// lookGit finds git on the caller's PATH, absolute entries only.
func lookGit(path string) string {
	for _, dir := range filepath.SplitList(path) {
		full := filepath.Join(dir, "git")
		if filepath.IsAbs(dir) && executable(full) {
			return full
		}
	}
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
