package lanerun

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/sdk"
)

// commits lists what the push brings; at commit-msg, the message that is
// about to become one.
func (l *access) commits(ctx context.Context) ([]sdk.Commit, error) {
	p := l.Update()
	switch l.j.Gate {
	case "pre-commit":
		return nil, nil
	case "commit-msg":
		return l.messageCommit(ctx)
	}
	known, err := p.KnownTips(ctx)
	if err != nil {
		return nil, err
	}
	found, err := l.repo.Commits(ctx, p.Base, p.New, known...)
	var all []sdk.Commit
	for _, c := range found {
		all = append(all, sdk.Commit{ID: c.ID, Parents: c.Parents, Author: c.Author, Time: c.Time, Message: c.Message})
	}
	return all, err
}

// messageCommit is the commit that is about to be made: git's commit-msg hook
// gets the file of its message. Only of a merge are the parents known.
func (l *access) messageCommit(ctx context.Context) ([]sdk.Commit, error) {
	name := l.j.Asked.Message
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the commit message: %w", err)
	}
	defer f.Close()
	text, err := bounded.ReadAll(f, maxMessage)
	if err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot read the commit message: %w", err),
			"shorten it: git commit --edit --file "+name)
	}
	message, err := l.repo.CleanMessage(ctx, text, !l.j.Asked.Unedited)
	if err != nil {
		return nil, err
	}
	parents, err := l.repo.MergeParents(ctx)
	return []sdk.Commit{{ID: hooks.ZeroID, Parents: parents, Time: l.j.Started.Unix(), Message: message}}, err
}

const maxMessage = 1 << 20 // bytes of a commit message

// environment is what of the caller's variables the plugin may see.
func (l *access) environment() []string {
	var all []string
	for _, name := range l.permits["env"].items {
		for _, pair := range l.j.Asked.Env {
			if strings.HasPrefix(pair, name+"=") && !strings.HasPrefix(name, "PUSHLANE_") && !strings.HasPrefix(name, "GIT_") {
				all = append(all, pair)
			}
		}
	}
	return all
}
