package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/lanes"
)

// newReceiver reads what judges a push. The lines of a push that is still to
// be decided are held against the repository: one that differs from it is a
// *hooks.StaleError.
func newReceiver(ctx context.Context, repo *hooks.Repo, policy config.Policy, st TrustRecord, call Call,
	push []hooks.Update) (*receiver, error) {
	r := &receiver{repo: repo, policy: policy, push: push, decides: call.Gate == "pre-receive", first: map[string]string{}}
	stale := repo.Received(ctx, push, r.decides)
	if stale != nil && !errors.As(stale, new(*hooks.StaleError)) {
		return nil, stale
	}
	var err error
	if r.head, err = repo.DefaultBranch(ctx); err != nil {
		return nil, err
	}
	if r.headID, err = r.before(ctx, r.head); err != nil {
		return nil, err
	}
	if r.aliased, err = r.protectedTargets(ctx); err != nil {
		return nil, err
	}
	r.untrue = stale != nil
	if err := r.findRoot(ctx, st); err != nil {
		return nil, err
	}
	if call.Tip.Ref == r.root.Ref && call.Tip.ID != "" {
		r.root.ID = call.Tip.ID
	}
	return r, stale
}

// lanes finds the file that judges u: the one at the branch's tip before the
// push, else at the root's, else the host's default set, else the push's own
// under the strictest policy. A protected ref is judged by its own lanes at
// the repository's first push only.
func (r *receiver) lanes(ctx context.Context, u hooks.Update) (LanesFile, error) {
	for _, rev := range r.trusted(u) {
		f, err := readLanes(ctx, r.repo, rev)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	if r.policy.DefaultLanes != "" || r.policy.NoLanes == "accept" {
		return defaultLanes(u.New, r.policy)
	}
	if r.protects(u.Ref) && r.decides {
		if r.spent != nil {
			return LanesFile{}, r.lostRoot()
		}
		r.first[u.Ref] = u.New
	}
	f, err := readPushedLanes(ctx, r.repo, u.New)
	if errors.Is(err, fs.ErrNotExist) {
		return defaultLanes(u.New, r.policy)
	}
	f.Strict = true
	return f, err
}

// trusted are the commits whose lanes file may judge u, the nearest first. A
// protected ref is never judged by the lanes of one that is not.
func (r *receiver) trusted(u hooks.Update) []string {
	var revs []string
	if strings.HasPrefix(u.Ref, "refs/heads/") && !hooks.IsZero(u.Old) {
		revs = append(revs, u.Old)
	}
	revs = append(revs, r.root.ID)
	if !r.protects(u.Ref) {
		revs = append(revs, r.headID)
	}
	return slices.DeleteFunc(revs, func(id string) bool { return id == "" })
}

// review says what a push would change about the lanes of the pushes after
// it, and why it may not.
func (r *receiver) review(ctx context.Context, u hooks.Update, by LanesFile) (notes []string, other bool,
	refusal string) {
	ref := printable.Clean(strings.TrimPrefix(u.Ref, "refs/heads/"))
	if by.Strict {
		return []string{ownLanesNote(ref, r.protects(u.Ref))}, false, ""
	}
	pushed, err := readPushedLanes(ctx, r.repo, u.New)
	switch {
	case errors.Is(err, fs.ErrNotExist) && by.Rev != "" && u.Old == by.Rev:
		if r.protects(u.Ref) && r.policy.DefaultLanes == "" && r.policy.NoLanes != "accept" {
			return nil, true,
				fmt.Sprintf("%s would be left without a lanes file (%s is removed); keep one, `version = 1` alone is enough", ref,
					by.Set.Source)
		}
		return []string{fmt.Sprintf("%s loses its lanes file %s; it is judged by the old one", ref, by.Set.Source)}, false, ""
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, ""
	case err != nil && (r.protects(u.Ref) || errors.As(err, new(*twoLanesError))):
		return nil, true, fmt.Sprintf("%s would get a lanes file that cannot be used: %s", ref,
			printable.FirstLine(printable.CleanText(err.Error())))
	case err != nil:
		return []string{fmt.Sprintf("%s gets a lanes file that cannot be used: %s", ref,
			printable.FirstLine(printable.CleanText(err.Error())))}, false, ""
	}
	locks, err := r.lockReview(ctx, ref, by, pushed)
	if err != nil && r.protects(u.Ref) {
		return nil, true, fmt.Sprintf("%s would get a %s that cannot be used: %s", ref, LockName,
			printable.FirstLine(printable.CleanText(err.Error())))
	}
	notes = append(laneChanges(ref, by, pushed), locks...)
	return notes, len(notes) > 0, ""
}

func ownLanesNote(ref string, protected bool) string {
	if protected {
		return fmt.Sprintf(
			"%s has the first lanes of this repository: they judge it, without network, and are trusted from now on", ref)
	}
	return fmt.Sprintf("%s is judged by its own lanes, without network: no trusted ref has any", ref)
}

// lockReview says what a push would change about pinned plugins.
func (r *receiver) lockReview(ctx context.Context, ref string, by, pushed LanesFile) ([]string, error) {
	new, err := pushed.Lock(ctx, r.repo)
	if err != nil {
		return nil, err
	}
	old, err := by.Lock(ctx, r.repo)
	if err != nil {
		old = &lanes.Lock{}
	}
	words := lockChanges(old, new)
	if len(words) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("%s brings another %s (%s); this push is judged by the old one", ref, LockName,
		strings.Join(words, ", "))}, nil
}

// TipBefore is the default branch as it was before the push.
func TipBefore(ctx context.Context, call Call) (RefAt, error) {
	repo, err := hooks.Open(ctx, call.HooksEnv())
	if err != nil {
		return RefAt{}, err
	}
	defer repo.Close()
	updates, err := hooks.ReadUpdates(strings.NewReader(string(call.Stdin)), call.Gate)
	if err == nil {
		err = repo.Received(ctx, updates, false)
	}
	if err != nil {
		return RefAt{}, err
	}
	r := &receiver{repo: repo, push: updates}
	if r.head, err = repo.DefaultBranch(ctx); err != nil {
		return RefAt{}, err
	}
	id, err := r.before(ctx, r.head)
	return RefAt{Ref: r.head, ID: id}, err
}

// ScheduledUpdate is what schedules run for: all that the ref has whose lanes
// judge the others, with those lanes. Where none is protected it is the default
// branch, whose lanes run as a branch's own. fs.ErrNotExist: there is no such ref,
// or it has no lanes file.
func ScheduledUpdate(ctx context.Context, repo *hooks.Repo, policy config.Policy, st TrustRecord) (Update, error) {
	to, err := newReceiver(ctx, repo, policy, st, Call{Gate: "schedule"}, nil)
	if err != nil {
		return Update{}, err
	}
	root := to.root
	if root == (RefAt{}) {
		root = RefAt{Ref: to.head, ID: to.headID}
	}
	if root.ID == "" {
		return Update{}, fs.ErrNotExist
	}
	by, err := readLanes(ctx, repo, root.ID)
	u := hooks.Update{Ref: root.Ref, Old: root.ID, New: root.ID, Base: hooks.ZeroID}
	return Update{Update: u, LanesFile: by, Protected: to.protects(u.Ref)}, err
}
