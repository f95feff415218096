package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/web/api"
)

func (s *site) apiRoutes() []route {
	const runs = "/api/v1/repositories/{repo}/runs"
	return []route{
		{"GET /api/v1/openapi.json", scopeNone, describe},
		{"GET /api/v1/repositories", scopeRead, s.apiRepositories},
		{"GET " + runs, scopeRead, s.apiRuns},
		{"GET " + runs + "/{run}", scopeRead, s.apiRun},
		{"GET " + runs + "/{run}/lanes/{lane}/log", scopeRead, s.apiLog},
		{"POST " + runs + "/{run}/cancel", scopeRun, s.apiCancel},
		{"POST " + runs + "/{run}/rerun", scopeRun, s.apiRerun},
		{"/api/", scopeNone, func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errNotHere) }},
	}
}

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(api.Description)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (s *site) answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

func (s *site) apiRepositories(w http.ResponseWriter, r *http.Request) {
	all, err := s.repositories(r.Context())
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

func (s *site) apiRuns(w http.ResponseWriter, r *http.Request) {
	list := []api.Run{}
	repo, err := s.repository(r)
	var runs []store.Run
	if err == nil {
		runs, err = s.Store.Runs(r.Context(), filterOf(repo.Key, r.URL.Query()))
	}
	for _, v := range s.views(r.Context(), repo, runs) {
		list = append(list, runJSON(v))
	}
	s.answer(w, r, list, err)
}

func (s *site) apiRun(w http.ResponseWriter, r *http.Request) {
	repo, v, err := s.run(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	run, err := s.wholeRun(r, repo, v)
	s.answer(w, r, run, err)
}

func (s *site) wholeRun(r *http.Request, repo repository, v runView) (api.Run, error) {
	run := runJSON(v)
	run.Rerunnable = s.rerunnable(r.Context(), v)
	events, err := s.events(r.Context(), repo, v.ID)
	if err != nil {
		return run, err
	}
	findings, err := s.Store.Findings(r.Context(), v.ID)
	for _, e := range events {
		run.Events = append(run.Events, api.Event{At: e.At.UTC(), Lane: e.Lane, Kind: e.Kind, Message: e.Message})
	}
	for _, l := range v.Lanes {
		run.LaneRuns = append(run.LaneRuns, laneJSON(l, findings))
	}
	return run, err
}

func runJSON(v runView) api.Run {
	run := api.Run{ID: v.ID, Number: v.Number, State: string(v.State), Exit: v.Exit, Gate: v.Gate, Pusher: v.Pusher,
		Message: v.Message,
		Skip:    v.Skip, RerunOf: v.RerunOf, CancelAsked: v.CancelBy, Queued: v.Queued.UTC(), Started: utc(v.Started),
		Ended:        utc(v.Ended),
		QueuedMillis: v.Waited().Milliseconds(), RanMillis: v.Ran().Milliseconds(), Passed: v.Passed, Total: v.Total,
		Updates: []api.Update{}}
	for _, u := range v.Updates {
		run.Updates = append(run.Updates, api.Update{Ref: u.Ref, Old: u.Old, New: u.New, Base: u.Base, Protected: u.Protected,
			LanesRev: u.LanesRev})
	}
	return run
}

func laneJSON(l store.LaneRun, findings []store.Finding) api.LaneRun {
	j := api.LaneRun{Lane: l.Lane, Title: l.Title, Update: max(0, l.Update), Attempt: l.Attempt, State: string(l.State),
		Required: l.Required,
		Reason:   l.Reason, Path: l.Path, Glob: l.Glob, Plugin: l.Plugin, Digest: l.Digest, Image: l.Image,
		Message: l.Message,
		Queued:  l.Queued.UTC(), Started: utc(l.Started), Ended: utc(l.Ended)}
	for _, f := range findings {
		if f.LaneRun == l.ID {
			j.Findings = append(j.Findings, api.Finding{Path: f.Path, Line: f.Line, Col: f.Col, Level: f.Level, Rule: f.Rule,
				Message: f.Message})
		}
	}
	return j
}

// utc leaves "not yet" as it is.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

func (s *site) apiLog(w http.ResponseWriter, r *http.Request) {
	d, err := s.lane(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.rawLog(w, r, d)
}

func (s *site) apiCancel(w http.ResponseWriter, r *http.Request) {
	_, v, err := s.run(r)
	if err == nil {
		err = s.Actions.Cancel(r.Context(), v.ID, visitorOf(r.Context()).Name)
	}
	if err == nil {
		_, v, err = s.run(r)
	}
	s.answer(w, r, runJSON(v), err)
}

func (s *site) apiRerun(w http.ResponseWriter, r *http.Request) {
	var wish struct {
		FailedOnly bool `json:"failed_only"`
	}
	repo, v, err := s.run(r)
	if err == nil && r.ContentLength != 0 {
		if json.NewDecoder(r.Body).Decode(&wish) != nil {
			s.problem(w, r, http.StatusBadRequest, "the body is not JSON")
			return
		}
	}
	var number int64
	if err == nil {
		number, err = s.Actions.Rerun(r.Context(), v.ID, wish.FailedOnly, visitorOf(r.Context()).Name)
	}
	var again store.Run
	if err == nil {
		again, err = s.Store.Run(r.Context(), repo.Key, number)
	}
	s.answer(w, r, runJSON(runView{Run: again, Slug: repo.Slug}), err)
}
