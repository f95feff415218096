package sdk

import (
	"iter"
)

// opHistory lists what the new commits add beyond the pushed tree.
const opHistory = "history.list@1"

// HasHistory reports whether the run can use History. It cannot if the lane does not
// grant repo.history, at gates without commits, and on a host that is older than the
// operation.
func (r *Run) HasHistory() bool {
	return r.Request.History != nil || r.offers(opHistory)
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
	list := listing{run: r, what: "history", given: r.Request.History, op: opHistory, grant: "repo.history"}
	return list.find(ChangesQuery{Globs: globs})
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
