package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// maxPatch bounds what is read of one patch, in bytes.
const maxPatch = 1 << 20

// FilePatch is what changed in one file.
type FilePatch struct {
	Path   string
	Status byte // A added, D deleted, M anything else
	Binary bool
	Hunks  []Hunk
}

// Hunk is one changed part of a file, with the lines around it.
type Hunk struct {
	Head  string // "@@ -1,4 +1,5 @@ func f()"
	Lines []PatchLine
}

// PatchLine is one line of a hunk. Old and New are its numbers before and
// after, from 1; 0 where it is not there.
type PatchLine struct {
	Kind     byte // ' ', '+' or '-'
	Old, New int
	Text     string // valid UTF-8 or not, without the line's end
}

// Patch is the difference between two revisions, of some paths or of all. It is made
// by git, without the programs that configuration or attributes could name. cut
// reports that the difference is longer than was read.
func (r *Repo) Patch(ctx context.Context, base, new string, paths ...string) (files []FilePatch, cut bool, err error) {
	if base == ZeroID || base == "" {
		base = emptyTree.String()
	}
	args := []string{"--literal-pathspecs", "-c", "core.quotePath=false", "diff-tree", "-r", "-p", "-U3", "--no-color",
		"--no-ext-diff",
		"--no-textconv", "--no-renames", "--no-prefix", "--end-of-options", base, new, "--"}
	text, cut, err := r.git.runSome(ctx, maxPatch, append(args, paths...)...)
	if err != nil {
		return nil, false, fmt.Errorf("cannot compare %s and %s: %w", quote(base), quote(new), err)
	}
	return parsePatch(text), cut, nil
}

// runSome is git with at most so many bytes of its output.
func (g *gitCommand) runSome(ctx context.Context, most int64, args ...string) (string, bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	name := "git"
	if full := lookGit(g.env.get("PATH")); full != "" {
		name = full
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = g.env.Dir, append(g.env.gitEnv(), "GIT_DIR="+g.place.git, "GIT_ATTR_NOSYSTEM=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", false, err
	}
	data, more, err := readHead(out, most)
	if more {
		cancel()
		cmd.Wait() // killed: its status says nothing
		return string(data), true, nil
	}
	wait := cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(wait, &exit) {
		wait = &gitError{cmd: "diff-tree", status: exit.ExitCode(), stderr: errs.String()}
	}
	return string(data), false, errors.Join(err, wait)
}

// parsePatch reads git's own patch format.
func parsePatch(text string) []FilePatch {
	var files []FilePatch
	var hunk *Hunk
	var old, new, oldLeft, newLeft int
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if hunk != nil && oldLeft+newLeft > 0 && line != "" && strings.IndexByte(" +-", line[0]) >= 0 {
			l := PatchLine{Kind: line[0], Text: line[1:]}
			if l.Kind != '+' {
				l.Old, old, oldLeft = old, old+1, oldLeft-1
			}
			if l.Kind != '-' {
				l.New, new, newLeft = new, new+1, newLeft-1
			}
			hunk.Lines = append(hunk.Lines, l)
			continue
		}
		if strings.HasPrefix(line, "diff --git ") {
			files, hunk = append(files, FilePatch{Status: 'M'}), nil
		}
		if len(files) == 0 {
			continue
		}
		f := &files[len(files)-1]
		if strings.HasPrefix(line, "@@ ") {
			old, oldLeft, new, newLeft = parseHunk(line)
			f.Hunks = append(f.Hunks, Hunk{Head: line})
			hunk = &f.Hunks[len(f.Hunks)-1]
			continue
		}
		f.header(line)
	}
	return files
}

// header takes one line before a file's hunks.
func (f *FilePatch) header(line string) {
	switch {
	case strings.HasPrefix(line, "diff --git "):
		if name := line[len("diff --git "):]; len(name)%2 == 1 && name[:len(name)/2] == name[len(name)/2+1:] {
			f.Path = unquotePath(name[:len(name)/2]) // both sides: for files without hunks
		}
	case strings.HasPrefix(line, "new file mode"):
		f.Status = 'A'
	case strings.HasPrefix(line, "deleted file mode"):
		f.Status = 'D'
	case strings.HasPrefix(line, "Binary files "):
		f.Binary = true
	case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		if name := strings.TrimSuffix(line[4:], "\t"); name != "/dev/null" {
			f.Path = unquotePath(name)
		}
	}
}

func unquotePath(name string) string {
	if strings.HasPrefix(name, `"`) {
		if plain, err := strconv.Unquote(name); err == nil {
			return plain
		}
	}
	return name
}

// parseHunk reads "@@ -1,4 +1,5 @@": where the lines begin and how many there
// are; a count of 1 is left out.
func parseHunk(line string) (old, oldCount, new, newCount int) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return 0, 0, 0, 0
	}
	old, oldCount = parseSpan(fields[1])
	new, newCount = parseSpan(fields[2])
	return old, oldCount, new, newCount
}

func parseSpan(text string) (start, count int) {
	from, n, given := strings.Cut(strings.TrimLeft(text, "-+"), ",")
	start, _ = strconv.Atoi(from)
	if count = 1; given {
		count, _ = strconv.Atoi(n)
	}
	return start, count
}
