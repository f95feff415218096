package web

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/web/api"
)

// programs serves the JSON API.
type programs struct {
	Options
	catalog *catalog
	logs    *logs
	out     *renderer
}

func (s *programs) routes() []route {
	const runs = "/api/v1/repositories/{repo}/runs"
	return []route{
		{"GET /api/v1/openapi.json", scopeNone, describe(api.Description)},
		{"GET /api/v1/run.schema.json", scopeNone, describe(runjson.Schema)},
		{"GET /api/v1/repositories", scopeRead, s.repositories},
		{"GET " + runs, scopeRead, s.runs},
		{"GET " + runs + "/{run}", scopeRead, s.run},
		{"GET " + runs + "/{run}/lanes/{lane}/log", scopeRead, s.log},
		{"GET " + runs + "/{run}/lanes/{lane}/artifact", scopeRead, s.artifact},
		{"POST " + runs + "/{run}/cancel", scopeRun, s.cancel},
		{"POST " + runs + "/{run}/rerun", scopeRun, s.rerun},
		{"/api/", scopeNone, func(w http.ResponseWriter, r *http.Request) { s.out.fail(w, r, errNotHere) }},
	}
}

func describe(document []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(document)
	}
}

func (s *programs) answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

func (s *programs) repositories(w http.ResponseWriter, r *http.Request) {
	all, err := s.catalog.repositories(r.Context())
	list := []api.Repository{}
	for _, repo := range all {
		one := api.Repository{Name: repo.Slug, Served: repo.Served, Runs: repo.Runs}
		if visitorOf(r.Context()).Scope == scopeAdmin {
			one.Path = repo.Key
		}
		list = append(list, one)
	}
	s.answer(w, r, list, err)
}

func (s *programs) runs(w http.ResponseWriter, r *http.Request) {
	list := []runjson.Run{}
	repo, err := s.catalog.repository(r)
	var runs []store.Run
	if err == nil {
		runs, err = s.Store.Runs(r.Context(), filterOf(repo.Key, r.URL.Query()))
	}
	var details []store.Detail
	if err == nil {
		details, err = s.Store.Details(r.Context(), runs, runjson.MaxListed)
	}
	for _, d := range details {
		list = append(list, s.runJSON(r.Context(), repo, d).Bounded())
	}
	s.answer(w, r, list, err)
}

func (s *programs) run(w http.ResponseWriter, r *http.Request) {
	repo, v, err := s.catalog.run(r)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	run, err := s.wholeRun(r.Context(), repo, v.Run)
	run.Rerunnable = err == nil && s.catalog.rerunnable(r.Context(), v)
	s.answer(w, r, run, err)
}

// wholeRun reads all about a run.
func (s *programs) wholeRun(ctx context.Context, repo repository, run store.Run) (runjson.Run, error) {
	details, err := s.Store.Details(ctx, []store.Run{run}, 0)
	if err != nil {
		return runjson.Run{}, err
	}
	return s.runJSON(ctx, repo, details[0]), nil
}

// wholeNumber is wholeRun of a run by its number.
func (s *programs) wholeNumber(ctx context.Context, repo repository, number int64) (runjson.Run, error) {
	run, err := s.Store.Run(ctx, repo.Key, number)
	if err != nil {
		return runjson.Run{}, err
	}
	return s.wholeRun(ctx, repo, run)
}

// runJSON is a run under the name that its repository has here, without folders
// of this machine.
func (s *programs) runJSON(ctx context.Context, repo repository, d store.Detail) runjson.Run {
	hide := s.catalog.hider(ctx, repo.Key, repo.Slug)
	hideInRun(hide, &d.Run)
	hideInEvents(hide, d.Events)
	return runjson.Of(d)
}

func (s *programs) log(w http.ResponseWriter, r *http.Request) {
	d, err := s.logs.lane(r)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	s.logs.raw(w, r, d)
}

// artifact sends one artifact of a lane's attempt, by ?name=.
func (s *programs) artifact(w http.ResponseWriter, r *http.Request) {
	d, err := s.logs.lane(r)
	var files []store.File
	if err == nil {
		files, err = s.Store.Artifacts(r.Context(), d.Attempt.ID)
	}
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	for _, f := range files {
		if f.Name == r.URL.Query().Get("name") {
			s.out.sendFile(w, r, f)
			return
		}
	}
	s.out.fail(w, r, errNotHere)
}

func (s *programs) cancel(w http.ResponseWriter, r *http.Request) {
	repo, v, err := s.catalog.run(r)
	if err == nil {
		err = s.Actions.Cancel(r.Context(), v.ID, visitorOf(r.Context()).Name)
	}
	var run runjson.Run
	if err == nil {
		run, err = s.wholeNumber(r.Context(), repo, v.Number)
	}
	s.answer(w, r, run, err)
}

func (s *programs) rerun(w http.ResponseWriter, r *http.Request) {
	var wish struct {
		FailedOnly bool `json:"failed_only"`
	}
	repo, v, err := s.catalog.run(r)
	if err == nil && r.ContentLength != 0 {
		if json.NewDecoder(r.Body).Decode(&wish) != nil {
			s.out.problem(w, r, http.StatusBadRequest, "the body is not JSON")
			return
		}
	}
	var number int64
	if err == nil {
		number, err = s.Actions.Rerun(r.Context(), v.ID, wish.FailedOnly, visitorOf(r.Context()).Name)
	}
	var again runjson.Run
	if err == nil {
		again, err = s.wholeNumber(r.Context(), repo, number)
	}
	s.answer(w, r, again, err)
}
