package sdk

import (
	"errors"
	"iter"
	"slices"
)

// opHistory lists what the new commits add beyond the pushed tree.
const opHistory = "history.list@1"

// HasHistory reports whether the run can use History. It cannot if the lane does not
// grant repo.history, at gates without commits, and on a host that is older than the
// operation.
func (r *Run) HasHistory() bool {
	return r.Request.History != nil || r.session.WithImports && slices.Contains(r.Ops, opHistory)
}

// History are the files of the new commits that the pushed tree does not have, or
// has with other content: the push adds them to the repository too. Each has the
// first Commit that contains it; the order is that of the commits, oldest first,
// then of their paths. With globs (see Match) only paths that one of them matches.
// Together with Changed it is everything that a push adds.
//
// A file that has the content from before the push is not in it. Needs the
// capabilities repo.read and repo.history.
func (r *Run) History(globs ...string) iter.Seq[Change] {
	return r.pages(ChangesQuery{Globs: globs}, r.historyPage)
}

// Additions are the files of Changed, then those of History if the run has it.
func (r *Run) Additions() iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for c := range r.Changed() {
			if !yield(c) {
				return
			}
		}
		if !r.HasHistory() {
			return
		}
		for c := range r.History() {
			if !yield(c) {
				return
			}
		}
	}
}

// InCommit is the text after the message of a finding in an earlier version; empty
// for a change in the pushed tree.
func (c Change) InCommit() string {
	if c.Commit == "" {
		return ""
	}
	return ", in commit " + c.Commit[:min(len(c.Commit), 7)] +
		": removing it later does not remove it from the history: rewrite that commit (git rebase --interactive)"
}

func (r *Run) historyPage(q ChangesQuery) (ChangesPage, error) {
	if r.Request.History != nil {
		return pageOf(q, r.Request.History)
	}
	if !r.HasHistory() {
		return ChangesPage{}, errors.New("cannot list history: the host gives none to this run (grant repo.history)")
	}
	answer, err := r.callHost(opHistory, q.AppendJSON(nil))
	if err != nil {
		return ChangesPage{}, err
	}
	return ParseChangesPage(answer)
}

func pageOf(q ChangesQuery, all []Change) (ChangesPage, error) {
	at := func(i int) (Change, bool, error) { return all[i], true, nil }
	return q.Page(len(all), at, len(all), func(int) error { return nil })
}
