package hooks

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Limits of what WriteGit copies.
const (
	maxGitPack = 256 << 20 // bytes of each of its two packs
	maxGitTags = 10_000
)

// WriteGit writes a .git folder of one commit into dir, in which git describe, git
// log and git status work: the commit, the files of its tree, the commits before it
// without their trees, and the tags of these. Nothing else of the repository is in
// it: no other ref, no configuration, no hook, no reflog. The id names its content,
// for a given commit. What is larger than its limits is refused.
func WriteGit(ctx context.Context, r *Repo, commit, dir string) (id string, err error) {
	g := gitWriter{ctx: ctx, repo: r, dir: filepath.Join(dir, ".git")}
	if id, err = g.write(commit); err != nil {
		return "", fmt.Errorf("cannot make a .git of %s: %w", quote(commit), err)
	}
	return id, nil
}

type gitWriter struct {
	ctx  context.Context
	repo *Repo
	dir  string
}

func (g gitWriter) write(commit string) (string, error) {
	commit, err := g.repo.Commit(g.ctx, commit)
	if err == nil && commit == "" {
		err = errors.New("it is not a commit")
	}
	if err != nil {
		return "", err
	}
	packed, tags, err := g.tags(commit)
	if err != nil {
		return "", err
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
	if len(commit) == 64 {
		config = "[core]\n\trepositoryformatversion = 1\n\tbare = false\n[extensions]\n\tobjectformat = sha256\n"
	}
	for _, sub := range []string{"objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(g.dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	for name, text := range map[string]string{"HEAD": commit + "\n", "config": config, "packed-refs": packed} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	history := strings.Join(append(tags, commit), "\n") + "\n"
	if err := g.pack(history, "--filter=tree:0"); err != nil {
		return "", err
	}
	if err := g.pack(commit + "^{tree}\n"); err != nil {
		return "", err
	}
	if err := g.run(g.there("read-tree", commit), nil); err != nil {
		return "", err
	}
	sum := sha1.Sum([]byte("git\x00" + commit + "\x00" + packed))
	return hex.EncodeToString(sum[:]), nil
}

// tags are those that point at the commit or one before it: as packed-refs, and as
// objects.
func (g gitWriter) tags(commit string) (packed string, ids []string, err error) {
	out, err := g.repo.git.run(g.ctx, "for-each-ref", "--merged="+commit, fmt.Sprintf("--count=%d", maxGitTags+1),
		"--format=%(objectname) %(refname) %(*objectname)", "refs/tags")
	if err != nil {
		return "", nil, err
	}
	var b strings.Builder
	b.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		b.WriteString(words[0] + " " + words[1] + "\n")
		if len(words) > 2 {
			b.WriteString("^" + words[2] + "\n")
		}
		if ids = append(ids, words[0]); len(ids) > maxGitTags {
			return "", nil, fmt.Errorf("it has more than %d tags", maxGitTags)
		}
	}
	return b.String(), ids, nil
}

// pack copies objects, from revisions on lines, into the new folder.
func (g gitWriter) pack(revs string, filter ...string) error {
	from := g.command(append([]string{"pack-objects", "--revs", "--stdout", "-q", "--threads=1"}, filter...)...)
	from.Dir = g.repo.env.Dir
	from.Env = append(g.repo.env.gitEnv(), "GIT_DIR="+g.repo.place.git)
	from.Stdin = strings.NewReader(revs)
	r, w := io.Pipe()
	from.Stdout = &atMost{w: w, left: maxGitPack}
	packed := make(chan error, 1)
	go func() {
		err := g.run(from, nil)
		w.CloseWithError(err)
		packed <- err
	}()
	err := g.run(g.there("index-pack", "--stdin"), r)
	r.CloseWithError(io.ErrClosedPipe)
	if first := <-packed; first != nil {
		return first
	}
	return err
}

// atMost fails where more is written than allowed.
type atMost struct {
	w    io.Writer
	left int64
}

func (a *atMost) Write(p []byte) (int, error) {
	if a.left -= int64(len(p)); a.left < 0 {
		return 0, fmt.Errorf("its history or its tree has more than %d MiB", maxGitPack>>20)
	}
	return a.w.Write(p)
}

// there is a git command on the new folder, which reads no configuration but that.
func (g gitWriter) there(args ...string) *exec.Cmd {
	cmd := g.command(args...)
	cmd.Dir = filepath.Dir(g.dir)
	cmd.Env = []string{"LC_ALL=C", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_DIR=" + g.dir, "PATH=" + usualPath}
	return cmd
}

func (g gitWriter) command(args ...string) *exec.Cmd {
	for _, path := range []string{g.repo.env.get("PATH"), usualPath} {
		if full := lookGit(path); full != "" {
			return exec.CommandContext(g.ctx, full, args...)
		}
	}
	return exec.CommandContext(g.ctx, "git", args...)
}

func (g gitWriter) run(cmd *exec.Cmd, in io.Reader) error {
	if in != nil {
		cmd.Stdin = in
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case g.ctx.Err() != nil:
		return context.Cause(g.ctx)
	case errors.As(err, &exit):
		return &gitError{cmd: cmd.Args[1], status: exit.ExitCode(), stderr: errs.String()}
	}
	return err
}
