package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The lines that git itself writes below an edited message: what follows the
// scissors is not part of it.
const scissors = "------------------------ >8 ------------------------"

// autoComments are what core.commentChar "auto" chooses from.
const autoComments = "#;@!$%^&|:"

// CleanMessage is the message that git will record for the file that its
// commit-msg hook received, by the repository's settings (commit.cleanup,
// core.commentChar) and git's rules; invalid UTF-8 is replaced. edited reports
// whether the message was edited in an editor: git preserves lines that begin with
// # if the message was given with -m or -F. What git does only because of an option
// (--cleanup, -v) is derived from what git wrote into the file.
func (r *Repo) CleanMessage(ctx context.Context, text []byte, edited bool) (string, error) {
	set, err := r.git.messageSettings(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot read how git cleans messages: %w", err)
	}
	comment, err := r.git.commentPrefix(ctx, set.comment, text)
	if err != nil {
		return "", err
	}
	at, below := cutAt(text, comment)
	mode := set.cleanup
	if mode == "" || mode == "default" {
		switch mode = "whitespace"; {
		case edited && at >= 0 && !below:
			mode = "scissors"
		case edited:
			mode = "strip"
		}
	}
	if at >= 0 && (edited || set.verbose) {
		text = text[:at]
	}
	args := []string{"stripspace"}
	switch mode {
	case "verbatim":
		return clean(string(text)), nil
	case "strip":
		args = []string{"-c", "core.commentChar=" + comment, "stripspace", "--strip-comments"}
		if !set.auto() {
			args = args[2:]
		}
	}
	out, err := r.git.runOn(ctx, text, args...)
	if err != nil {
		return "", fmt.Errorf("cannot clean the commit message as git does: %w", err)
	}
	return clean(string(out)), nil
}

// messageSettings are those of the configuration that change what is recorded
// of a message.
type messageSettings struct {
	cleanup string // commit.cleanup
	comment string // core.commentChar or core.commentString, the later one
	verbose bool   // commit.verbose
}

func (s messageSettings) auto() bool { return s.comment == "auto" }

func (g *gitCommand) messageSettings(ctx context.Context) (messageSettings, error) {
	var s messageSettings
	all, err := g.configMatching(ctx, `^(commit\.(cleanup|verbose)|core\.comment(char|string))$`)
	for _, pair := range all {
		switch key, value := pair[0], pair[1]; key {
		case "commit.cleanup":
			s.cleanup = value
		case "commit.verbose":
			s.verbose = value != "0" && value != "false" && value != "no" && value != "off"
		case "core.commentchar", "core.commentstring":
			s.comment = value
		}
	}
	return s, err
}

// commentPrefix is what a line of comment begins with. Where git chose it for
// this message, the last lines say what it is: they are git's own.
func (g *gitCommand) commentPrefix(ctx context.Context, setting string, text []byte) (string, error) {
	switch setting {
	case "":
		return "#", nil
	case "auto":
		above := text
		for _, c := range autoComments {
			if at, below := cutAt(text, string(c)); at >= 0 && below {
				above = text[:at]
			}
		}
		lines := strings.Split(strings.TrimRight(string(above), "\n"), "\n")
		if last := lines[len(lines)-1]; last != "" && strings.Contains(autoComments, last[:1]) {
			return last[:1], nil
		}
		return "#", nil
	}
	out, err := g.runOn(ctx, []byte("x\n"), "stripspace", "--comment-lines")
	prefix, ok := strings.CutSuffix(string(out), " x\n")
	if err == nil && !ok {
		err = fmt.Errorf("git answered %s", quote(string(out)))
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the comment character: %w", err)
	}
	return prefix, nil
}

// cutAt is where the scissors line begins, -1 where there is none; below tells
// whether it comes after lines of comment, as git commit --verbose writes it.
func cutAt(text []byte, comment string) (at int, below bool) {
	line := []byte("\n" + comment + " " + scissors + "\n")
	if bytes.HasPrefix(text, line[1:]) {
		return 0, false
	}
	if at = bytes.Index(text, line); at < 0 {
		return -1, false
	}
	above := text[:at]
	above = above[bytes.LastIndexByte(above, '\n')+1:]
	return at + 1, bytes.HasPrefix(above, []byte(comment))
}

// runOn is git with an input, its output as it is.
func (g *gitCommand) runOn(ctx context.Context, in []byte, args ...string) ([]byte, error) {
	return runGitOn(ctx, g.env, []string{"GIT_DIR=" + g.place.git}, bytes.NewReader(in), args...)
}

// MergeParents are the parents of the merge commit that is being made, HEAD first;
// none if there is no merge.
func (r *Repo) MergeParents(ctx context.Context) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(r.place.git, "MERGE_HEAD"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the commits to merge: %w", err)
	}
	head, err := r.Resolve(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	parents := []string{head}
	for line := range strings.Lines(string(text)) {
		id := strings.TrimSuffix(line, "\n")
		if !isID(id) {
			return nil, fmt.Errorf("cannot read the commits to merge: MERGE_HEAD holds the line %s", quote(id))
		}
		parents = append(parents, id)
	}
	return parents, nil
}
