package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/host/internal/store"
)

// catalog finds what a request names, as far as it exists for the visitor, and
// without the folders of this machine.
type catalog struct{ Options }

// repository is one of them with the name it has in addresses.
type repository struct {
	store.Repository
	Slug string
	Run  *runView
}

// repositories lists those that the visitor may see, each with an address that is
// unique among them: the addresses reveal nothing about the others.
func (s *catalog) repositories(ctx context.Context) ([]repository, error) {
	all, err := s.Store.Repositories().List(ctx)
	if err != nil {
		return nil, err
	}
	v := visitorOf(ctx)
	all = slices.DeleteFunc(all, func(r store.Repository) bool { return !v.sees(r.Key) })
	addresses := store.Addresses(all)
	var list []repository
	for _, r := range all {
		list = append(list, repository{Repository: r, Slug: addresses[r.Key]})
	}
	return list, nil
}

// ambiguousError says that a name is that of several repositories.
type ambiguousError struct {
	name      string
	addresses []string
}

func (e ambiguousError) Error() string {
	return fmt.Sprintf("More than one repository is called %q. Use one of: %s.", e.name, strings.Join(e.addresses, ", "))
}

// repository finds the one that a request names, by its address or by any
// other name that no second one has.
func (s *catalog) repository(r *http.Request) (repository, error) {
	all, err := s.repositories(r.Context())
	if err != nil {
		return repository{}, err
	}
	name := r.PathValue("repo")
	all = slices.DeleteFunc(all, func(repo repository) bool { return !repo.Called(name) })
	switch len(all) {
	case 0:
		return repository{}, errNotHere
	case 1:
		return all[0], nil
	}
	e := ambiguousError{name: name}
	for _, repo := range all {
		e.addresses = append(e.addresses, repo.Slug)
	}
	return repository{}, e
}

// views adds to runs what a list shows of them.
func (s *catalog) views(ctx context.Context, repo repository, runs []store.Run) []runView {
	h := s.hider(ctx, repo.Key, repo.Slug)
	list := make([]runView, len(runs))
	for i, r := range runs {
		hideInRun(h, &r)
		list[i] = runView{Run: r, Slug: repo.Slug}
	}
	return list
}

// run finds the run that a request's path names.
func (s *catalog) run(r *http.Request) (repository, runView, error) {
	repo, err := s.repository(r)
	if err != nil {
		return repo, runView{}, err
	}
	number, err := strconv.ParseInt(r.PathValue("run"), 10, 64)
	if err != nil || number < 1 {
		return repo, runView{}, errNotHere
	}
	run, err := s.Store.Run(r.Context(), repo.Key, number)
	hideInRun(s.hider(r.Context(), repo.Key, repo.Slug), &run)
	return repo, runView{Run: run, Slug: repo.Slug}, err
}

// lanes puts together what is known of each lane run.
func (s *catalog) lanes(ctx context.Context, run runView, events []store.Event) ([]laneView, error) {
	findings, err := s.Store.Findings(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	var list []laneView
	at := map[string]int{}
	for _, l := range run.Lanes {
		v := laneView{LaneRun: l, Waiting: waiting(l, events)}
		for _, f := range findings {
			if f.LaneRun == l.ID {
				v.Findings = append(v.Findings, f)
			}
		}
		if v.Artifacts, err = s.Store.Artifacts(ctx, l.ID); err != nil {
			return nil, err
		}
		v.Link = run.Link() + "/" + url.PathEscape(l.Lane)
		if l.Update > 0 {
			v.Link += fmt.Sprint("?update=", l.Update)
		}
		key := fmt.Sprint(l.Update, " ", l.Lane)
		if i, again := at[key]; again {
			v.Earlier = append(list[i].Earlier, list[i].LaneRun)
			list[i] = v
			continue
		}
		at[key] = len(list)
		list = append(list, v)
	}
	return list, nil
}

// waiting is the newest reason for which a lane has not begun.
func waiting(l store.LaneRun, events []store.Event) string {
	if l.State != store.Queued {
		return ""
	}
	why := "for a free host"
	for _, e := range events {
		if e.LaneRun == l.ID && e.Kind == "waiting" {
			why = e.Message
		}
	}
	return why
}

// rerunnable tells whether the visitor may repeat a run, and it would work.
func (s *catalog) rerunnable(ctx context.Context, run runView) bool {
	return run.State.Final() && visitorOf(ctx).Scope >= scopeRun && s.Actions.Rerunnable(ctx, run.Run) == nil
}
