package web

import (
	"context"
	"strings"

	"github.com/pushlane/pushlane/host/internal/store"
)

// hider takes the folders of this machine out of what is shown of a repository
// to all but scope admin.
func (s *catalog) hider(ctx context.Context, key, name string) *strings.Replacer {
	if visitorOf(ctx).Scope >= scopeAdmin {
		return strings.NewReplacer()
	}
	pairs := []string{key, name}
	for _, folder := range s.Private {
		if strings.Trim(folder, "/") != "" {
			pairs = append(pairs, folder, "…")
		}
	}
	return strings.NewReplacer(pairs...)
}

// hideInRun does so in what the host says of a run and its lanes.
func hideInRun(h *strings.Replacer, run *store.Run) {
	run.Message = h.Replace(run.Message)
	for i := range run.Lanes {
		l := &run.Lanes[i]
		l.Message, l.Reason = h.Replace(l.Message), h.Replace(l.Reason)
	}
}

// hideInEvents does so in a run's history.
func hideInEvents(h *strings.Replacer, events []store.Event) {
	for i := range events {
		events[i].Message = h.Replace(events[i].Message)
	}
}

// events are a run's, without folders of this machine.
func (s *catalog) events(ctx context.Context, repo repository, run int64) ([]store.Event, error) {
	all, err := s.Store.Events(ctx, run)
	hideInEvents(s.hider(ctx, repo.Key, repo.Slug), all)
	return all, err
}
