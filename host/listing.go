package host

import "github.com/pushlane/pushlane/hooks"

// listing lists the changes of the push: all of its updates share one bound.
func (j *Judgement) listing(repo *hooks.Repo) *hooks.Listing {
	if j.lists == nil {
		j.lists = repo.Listing()
	}
	return j.lists
}
