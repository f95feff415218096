package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// LocalLanes reads the lanes that judge an update where no one is to be
// protected from it: the file named by --config, or the revision's own. Where
// it has none, as branches of pages, notes and old tags have not, they are
// those that a server would choose: of what the branch was before the push, of
// the default branch, and else the host's default set.
func LocalLanes(ctx context.Context, repo *hooks.Repo, u hooks.Update, call Call,
	policy config.Policy) (LanesFile, error) {
	if call.Config != "" {
		return loadLanes(call.Config, call.Config)
	}
	if f, found, err := draftLanes(ctx, repo, u.New, call); found || err != nil {
		return f, err
	}
	f, err := readPushedLanes(ctx, repo, u.New)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	url := call.Arg(1)
	if !hookUpdate(call.Gate) {
		to, err := repo.PushTarget(ctx, u.Ref)
		if err != nil {
			return f, err
		}
		url = to.URL
	}
	revs, err := repo.DefaultTips(ctx, url)
	if err != nil {
		return f, err
	}
	if strings.HasPrefix(u.Ref, "refs/heads/") && hookUpdate(call.Gate) {
		if old, err := repo.Commit(ctx, u.Old); err == nil && old != "" {
			revs = append([]string{old}, revs...)
		}
	}
	for _, rev := range revs {
		if f, err := readLanes(ctx, repo, rev); !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return defaultLanes(u.New, policy)
}

// draftLanes is the lanes file of the working tree, where it is not the committed
// one: a run by hand of what a push would bring tries it.
func draftLanes(ctx context.Context, repo *hooks.Repo, rev string, call Call) (f LanesFile, found bool, err error) {
	if call.Gate != "manual" || call.Range != "" || call.Config != "" || repo.Top() == "" {
		return f, false, nil
	}
	for _, name := range LanesFiles {
		path := filepath.Join(repo.Top(), filepath.FromSlash(name))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if f, err = loadLanes(path, name); err != nil {
			return f, false, err
		}
		committed, err := repo.File(ctx, rev, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f, false, err
		}
		f.Draft = true
		return f, err != nil || !bytes.Equal(committed, f.Text), nil
	}
	return f, false, nil
}

// hookUpdate tells whether the gate's updates are of refs: at the commit's own
// gates they are of trees.
func hookUpdate(gate string) bool { return gate == "pre-push" || gate == "manual" }

// indexUpdate judges the tree that the commit will have, so that nothing is
// ever stashed.
func indexUpdate(ctx context.Context, repo *hooks.Repo) ([]hooks.Update, error) {
	tree, err := repo.WriteTree(ctx)
	if err != nil {
		return nil, err
	}
	head, err := repo.HeadTree(ctx)
	if err != nil {
		return nil, err
	}
	branch, err := repo.CurrentBranch(ctx)
	return []hooks.Update{{Ref: branch, New: tree, Old: head, Base: head}}, err
}

// manual is what a run by hand judges.
type manual struct {
	hooks.Update
	Nothing string // why a push would change nothing; "" where it would
}

// ManualUpdate is the range asked for; without one, what a push of the current
// branch to its push remote would be judged for, as far as that remote is
// known.
func ManualUpdate(ctx context.Context, repo *hooks.Repo, call Call) (manual, error) {
	if call.Range != "" {
		u, err := repo.Range(ctx, call.Range)
		return manual{Update: u}, err
	}
	head, err := repo.Resolve(ctx, "HEAD")
	if err != nil {
		return manual{}, problem.WithHint(err, "name what to judge with --range A..B")
	}
	to := call.Target
	m := manual{Update: hooks.Update{Ref: to.Ref, New: head, Old: to.Old}}
	if !hooks.IsZero(to.Old) {
		there, err := repo.Contains(ctx, to.Old, head)
		if err != nil {
			return m, err
		}
		if there {
			m.Base = head
			m.Nothing = fmt.Sprintf("%s of %s has %s already",
				printable.Ref(to.Ref), printable.Clean(to.Remote), printable.Short(head))
			return m, nil
		}
	}
	return m, repo.SetBase(ctx, &m.Update, call.Arg(0), call.url())
}

// updates reads what git asks to be judged and gives every update its base.
func (c Call) updates(ctx context.Context, repo *hooks.Repo) ([]hooks.Update, error) {
	switch c.Gate {
	case "pre-commit", "commit-msg":
		return indexUpdate(ctx, repo)
	case "manual":
		u, err := ManualUpdate(ctx, repo, c)
		if u.Nothing != "" {
			_, draft, draftErr := draftLanes(ctx, repo, u.New, c)
			if err = errors.Join(err, draftErr); draft { // it is tried on all that is there
				u.Base, u.Nothing = hooks.ZeroID, ""
			}
		}
		if u.Nothing != "" && len(c.Lanes) == 0 && !c.All {
			return nil, err
		}
		return []hooks.Update{u.Update}, err
	}
	updates, err := hooks.ReadUpdates(strings.NewReader(string(c.Stdin)), c.Gate)
	if err != nil {
		return nil, err
	}
	return updates, repo.SetBases(ctx, updates, c.Arg(0), c.url())
}

// url is the URL that the push goes to. Of a push that names none nothing is
// known: a repository that is pushed from is never taken for the receiver.
func (c Call) url() string {
	if url := c.Arg(1); url != "" {
		return url
	}
	return "(no URL)"
}

// Resolved is the call with what only the repository knows: whether git asks about
// each ref, and where a push of the current branch would go.
func (c Call) Resolved(ctx context.Context, repo *hooks.Repo) (Call, error) {
	var err error
	if c.PerRef, err = c.AnswersPerRef(ctx); err != nil {
		return c, err
	}
	return c.Aimed(ctx, repo)
}

// Aimed is the call with the arguments that git would give the pre-push hook
// for a push of the current branch, where it is a run by hand without a range.
func (c Call) Aimed(ctx context.Context, repo *hooks.Repo) (Call, error) {
	if c.Gate != "manual" || c.Range != "" {
		return c, nil
	}
	branch, err := repo.CurrentBranch(ctx)
	if err != nil {
		return c, err
	}
	to, err := repo.PushTarget(ctx, branch)
	c.Args, c.Target = []string{to.Remote, to.URL}, to
	return c, err
}

// knownTips gives what the receiver of a push is known to have; nil where the
// call has no receiver: a run by hand of a range, and a commit.
func (c Call) knownTips(repo *hooks.Repo, updates []hooks.Update) func(context.Context) ([]string, error) {
	if c.Gate != "pre-push" && (c.Gate != "manual" || c.Range != "") {
		return nil
	}
	judged := slices.DeleteFunc(slices.Clone(updates), func(u hooks.Update) bool { return u.Delete })
	return func(ctx context.Context) ([]string, error) { return repo.Known(ctx, judged, c.Arg(0), c.url()) }
}

// Top is the work tree's folder.
func Top(ctx context.Context, call Call) (string, error) {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return "", err
	}
	defer repo.Close()
	if repo.Top() == "" {
		return "", problem.Usage(fmt.Errorf("cannot write lanes: %s has no work tree", repo.GitDir()))
	}
	return repo.Top(), nil
}
