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
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

// receiver is the repository that a push came to, as it was before the push:
// what judges a push never comes out of the pushed commits.
type receiver struct {
	repo    *hooks.Repo
	policy  config.Policy
	push    []hooks.Update
	decides bool             // the push waits for the verdict; else git has taken it, or there is none
	untrue  bool             // the push lies about where refs are: nothing is recorded because of it
	head    string           // the branch that HEAD names, "refs/heads/main"; "" when HEAD is detached
	headID  string           // of that branch before the push; "" it was not there
	root    RefAt            // the ref whose lanes judge refs without their own trusted lanes; zero: none
	every   bool             // every branch is protected, as nothing says which one matters
	aliased []string         // refs that a protected symbolic ref ends at
	spent   *store.TrustRoot // lanes were trusted before, and their ref was deleted; nil: not so
	// refs judged by their own lanes, as the repository has no trusted ones yet, and their new ids
	first map[string]string
}

// RefAt is a ref and the object id it had; the zero value is none.
type RefAt struct{ Ref, ID string }

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

// before is the id a ref had before the push, "" when there was none.
func (r *receiver) before(ctx context.Context, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	for _, u := range r.push {
		switch {
		case u.Ref != ref:
		case hooks.IsZero(u.Old):
			return "", nil
		default:
			return u.Old, nil
		}
	}
	return r.repo.Ref(ctx, ref)
}

// protects tells whether a ref needs a pass. Where nothing says which branch
// matters, every one does.
func (r *receiver) protects(ref string) bool {
	switch {
	case len(r.policy.Protect) > 0:
		return lanes.Refs(r.policy.Protect).Match(ref) || slices.Contains(r.aliased, ref)
	case r.every:
		return strings.HasPrefix(ref, "refs/heads/") || ref == r.head || ref == "HEAD" // detached, by an alias
	}
	return ref == r.head || ref == r.root.Ref
}

// protectedTargets lists the refs that symbolic refs named by the policy end
// at: to move such a ref is to move the protected one.
func (r *receiver) protectedTargets(ctx context.Context) ([]string, error) {
	var targets []string
	for _, pattern := range r.policy.Protect {
		if !strings.HasPrefix(pattern, "refs/") {
			pattern = "refs/heads/" + pattern
		}
		wild := strings.IndexAny(pattern, `*?[\`)
		if wild < 0 {
			wild = len(pattern)
		}
		aliases, err := r.repo.Aliases(ctx, pattern[:strings.LastIndexByte(pattern[:wild], '/')+1])
		if err != nil {
			return nil, err
		}
		for name, end := range aliases {
			if lanes.Refs(r.policy.Protect).Match(name) {
				targets = append(targets, end)
			}
		}
	}
	return targets, nil
}

// setBases gives every update the commit its changes are counted from. For a
// protected ref that is what it has now, forced or not: what the push takes
// away is judged too. A new protected ref is compared with protected refs.
func (r *receiver) setBases(ctx context.Context) error {
	for _, protected := range []bool{true, false} {
		var some []hooks.Update
		var at []int
		for i, u := range r.push {
			if r.protects(u.Ref) == protected {
				some, at = append(some, u), append(at, i)
			}
		}
		if err := r.repo.SetReceivedBases(ctx, some, slices.Clone(r.push), r.counts(protected)); err != nil {
			return err
		}
		for k, i := range at {
			r.push[i] = some[k]
		}
	}
	for i := range r.push {
		if err := r.judgeEffect(ctx, &r.push[i]); err != nil {
			return err
		}
	}
	return nil
}

// judgeEffect counts a forced update of a protected ref from its old value.
func (r *receiver) judgeEffect(ctx context.Context, u *hooks.Update) error {
	if u.Delete || !u.Forced || !r.protects(u.Ref) {
		return nil
	}
	old, err := r.repo.Commit(ctx, u.Old)
	if err == nil && old == "" {
		err = fmt.Errorf("cannot judge %s: the commit that it has now, %s, cannot be read", printable.Clean(u.Ref),
			printable.Short(u.Old))
	}
	u.Base = old
	return err
}

// counts says which refs a new one is compared with.
func (r *receiver) counts(protected bool) func(string) bool {
	if protected {
		return r.protects
	}
	return func(string) bool { return true }
}

// LanesFile is the file that judges an update, and where it was read.
type LanesFile struct {
	Set    *lanes.Set
	Text   []byte
	Rev    string // commit; "" when it is not out of a commit
	Path   string // of the file when it is not out of a commit
	Strict bool   // the push's own: nothing that is trusted says anything
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
				fmt.Sprintf("%s would be left without a lanes file (%s goes away); keep one, `version = 1` alone is enough", ref,
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

// moves is why a protected ref may not move as the update says; "" where it may.
func (r *receiver) moves(u hooks.Update) string {
	ref := printable.Ref(u.Ref)
	switch {
	case !r.protects(u.Ref):
	case u.Delete && !r.policy.AllowDelete:
		return ref + " is protected and cannot be deleted"
	case u.Delete || r.policy.AllowForce || hooks.IsZero(u.Old) || u.Old == u.New:
	case strings.HasPrefix(u.Ref, "refs/tags/"):
		return ref + " is a protected tag and cannot be moved"
	case u.Forced:
		return fmt.Sprintf("%s is protected and %s does not contain what it has (%s): only a fast-forward may move it", ref,
			printable.Short(u.New), printable.Short(u.Old))
	}
	return ""
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
