package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/lanes"
)

// receiver is the repository that a push came to, as it was before the push:
// what judges a push never comes out of the pushed commits.
type receiver struct {
	repo   *hooks.Repo
	policy Policy
	push   []hooks.Update
	head   string // the default branch, "refs/heads/main"; "" when HEAD is detached
	tip    string // where the default branch stood before the push; "" nowhere
}

func newReceiver(ctx context.Context, repo *hooks.Repo, policy Policy, push []hooks.Update, tip string) (*receiver, error) {
	head, err := repo.CurrentBranch(ctx)
	if err != nil {
		return nil, err
	}
	r := &receiver{repo: repo, policy: policy, push: push, head: head, tip: tip}
	if r.tip == "" {
		r.tip, err = r.before(ctx, head)
	}
	return r, err
}

// before is the id a ref had before the push, "" when there was none.
func (r *receiver) before(ctx context.Context, ref string) (string, error) {
	for _, u := range r.push {
		switch {
		case u.Ref != ref:
		case zeros(u.Old):
			return "", nil
		default:
			return u.Old, nil
		}
	}
	if ref == "" {
		return "", nil
	}
	id, err := r.repo.Resolve(ctx, ref)
	if errors.As(err, new(*hooks.NoRevisionError)) {
		return "", nil
	}
	return id, err
}

// protects tells whether a ref needs a pass. Where no default branch says
// which one matters, every branch does.
func (r *receiver) protects(ref string) bool {
	switch {
	case len(r.policy.Protect) > 0:
		return lanes.Refs(r.policy.Protect).Match(ref)
	case r.tip == "":
		return strings.HasPrefix(ref, "refs/heads/")
	}
	return ref == r.head
}

// setBases gives every update the commit its changes are counted from: for a
// ref that needs a pass out of such refs alone.
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
	return nil
}

// counts says which refs a new one is compared with.
func (r *receiver) counts(protected bool) func(string) bool {
	if protected {
		return r.protects
	}
	return func(string) bool { return true }
}

// lanesFile is the file that judges an update, and where it was read.
type lanesFile struct {
	Set    *lanes.Set
	Text   []byte
	Rev    string // commit; "" when it is not out of a commit
	Path   string // of the file when it is not out of a commit
	Strict bool   // the push's own: nothing that is trusted says anything
}

// lanes finds the file that judges u: the one at the branch's tip before the
// push, else at the default branch's, else the host's default set, else the
// push's own under the strictest policy.
func (r *receiver) lanes(ctx context.Context, u hooks.Update) (lanesFile, error) {
	for _, rev := range r.trusted(u) {
		f, err := readLanes(ctx, r.repo, rev)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	if r.policy.DefaultLanes != "" || r.policy.NoLanes == "accept" {
		return defaultLanes(u.New, r.policy)
	}
	f, err := readLanes(ctx, r.repo, u.New)
	if errors.Is(err, fs.ErrNotExist) {
		return defaultLanes(u.New, r.policy)
	}
	f.Strict = true
	return f, err
}

// trusted are the commits whose lanes file may judge u, the nearest first.
func (r *receiver) trusted(u hooks.Update) []string {
	var revs []string
	if strings.HasPrefix(u.Ref, "refs/heads/") && !zeros(u.Old) {
		revs = append(revs, u.Old)
	}
	if r.tip != "" && !slices.Contains(revs, r.tip) {
		revs = append(revs, r.tip)
	}
	return revs
}

// strict is the policy for lanes that came with the push they judge: nothing
// that reaches beyond the run's own containers.
func (p Policy) strict() Policy {
	p.Capabilities = slices.DeleteFunc(slices.Clone(p.Capabilities), func(c string) bool {
		return !slices.Contains([]string{"repo.read", "repo.history", "container"}, c)
	})
	p.IncusNetworks = nil
	return p
}

// review says what a push would change about the lanes of the pushes after
// it, and why it may not.
func (r *receiver) review(ctx context.Context, u hooks.Update, by lanesFile) (notes []string, refusal string) {
	ref := Clean(strings.TrimPrefix(u.Ref, "refs/heads/"))
	if by.Strict {
		return []string{fmt.Sprintf("%s is judged by its own lanes, without network: nothing before it has any", ref)}, ""
	}
	pushed, err := readLanes(ctx, r.repo, u.New)
	switch {
	case errors.Is(err, fs.ErrNotExist) && by.Rev != "" && u.Old == by.Rev:
		if r.protects(u.Ref) && r.policy.DefaultLanes == "" && r.policy.NoLanes != "accept" {
			return nil, fmt.Sprintf("%s would be left without a lanes file (%s goes away); keep one, `version = 1` alone is enough", ref, by.Set.Source)
		}
		return []string{fmt.Sprintf("%s loses its lanes file %s; it is judged by the old one", ref, by.Set.Source)}, ""
	case errors.Is(err, fs.ErrNotExist):
		return nil, ""
	case err != nil && r.protects(u.Ref):
		return nil, fmt.Sprintf("%s would get a lanes file that cannot be used: %s", ref, firstLine(CleanText(err.Error())))
	case err != nil:
		return []string{fmt.Sprintf("%s gets a lanes file that cannot be used: %s", ref, firstLine(CleanText(err.Error())))}, ""
	}
	locks, err := r.lockReview(ctx, ref, by, pushed)
	if err != nil && r.protects(u.Ref) {
		return nil, fmt.Sprintf("%s would get a %s that cannot be used: %s", ref, lockName, firstLine(CleanText(err.Error())))
	}
	return append(laneChanges(ref, by, pushed), locks...), ""
}

// lockReview says what a push would change about pinned plugins.
func (r *receiver) lockReview(ctx context.Context, ref string, by, pushed lanesFile) ([]string, error) {
	new, err := pushed.lock(ctx, r.repo)
	if err != nil {
		return nil, err
	}
	old, err := by.lock(ctx, r.repo)
	if err != nil {
		old = &lanes.Lock{}
	}
	words := lockChanges(old, new)
	if len(words) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("%s brings another %s (%s); this push is judged by the old one", ref, lockName, strings.Join(words, ", "))}, nil
}

// laneChanges lists the lanes that a push adds, drops or changes.
func laneChanges(ref string, old, pushed lanesFile) []string {
	if string(old.Text) == string(pushed.Text) {
		return nil
	}
	var words []string
	was := lanesByID(old.Set)
	is := lanesByID(pushed.Set)
	for _, l := range pushed.Set.Lanes {
		before, known := was[l.ID]
		before.Line = l.Line
		switch {
		case !known:
			words = append(words, "adds "+l.ID)
		case !reflect.DeepEqual(before, l):
			words = append(words, "changes "+l.ID)
		}
	}
	for _, l := range old.Set.Lanes {
		if _, stays := is[l.ID]; !stays {
			words = append(words, "drops "+l.ID)
		}
	}
	if len(words) == 0 {
		words = []string{"changes no lane"}
	}
	by := "the host's default lanes"
	if old.Rev != "" {
		by = "the lanes of " + short(old.Rev)
	}
	return []string{fmt.Sprintf("%s brings another lanes file (%s); this push is judged by %s", ref, strings.Join(words, ", "), by)}
}

func lanesByID(s *lanes.Set) map[string]lanes.Lane {
	all := map[string]lanes.Lane{}
	for _, l := range s.Lanes {
		all[l.ID] = l
	}
	return all
}

// Guard notes that this host guards the repository of env, so that its page
// and its nightly lanes are there before the first push. It returns its name.
func (h *Host) Guard(ctx context.Context, env hooks.Env) (string, error) {
	repo, err := hooks.Open(ctx, env)
	if err != nil {
		return "", err
	}
	defer repo.Close()
	st, err := h.Store(ctx)
	if err != nil {
		return "", err
	}
	return repo.Name(), st.Register(ctx, repo.CommonDir(), repo.Name())
}
