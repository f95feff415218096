package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/host/internal/store"
)

// people serves the pages.
type people struct {
	Options
	catalog *catalog
	logs    *logs
	out     *renderer
	pulses  pulses
}

func (s *people) routes() []route {
	const runs = "/r/{repo}/runs/{run}"
	return []route{
		{"GET /{$}", scopeRead, s.index},
		{"GET /changes", scopeRead, s.changes},
		{"GET /r/{repo}", scopeRead, s.repoPage},
		{"GET /r/{repo}/branches/{ref...}", scopeRead, s.branchPage},
		{"GET " + runs, scopeRead, s.runPage},
		{"POST " + runs + "/cancel", scopeRun, s.cancel},
		{"POST " + runs + "/rerun", scopeRun, s.rerun},
		{"GET " + runs + "/artifacts/{lane}/{name...}", scopeRead, s.artifact},
		{"GET " + runs + "/{lane}", scopeRead, s.logs.page},
		{"GET " + runs + "/{lane}/events", scopeRead, s.logs.events},
	}
}

func (s *people) index(w http.ResponseWriter, r *http.Request) {
	all, err := s.catalog.repositories(r.Context())
	for i := range all {
		if all[i].Newest != nil {
			all[i].Run = &runView{Run: *all[i].Newest, Slug: all[i].Slug}
		}
	}
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	s.out.show(w, r, http.StatusOK, "index", page{Title: "Repositories", Live: true, Data: all})
}

const perPage = 50

// runList is a page of runs.
type runList struct {
	Repo   repository
	Runs   []runView
	Branch string
	State  string
	Older  string // address of the page after this one; "" none
	States []store.State
}

func (s *people) repoPage(w http.ResponseWriter, r *http.Request) {
	repo, err := s.catalog.repository(r)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	q := r.URL.Query()
	list := runList{Repo: repo, Branch: q.Get("branch"), State: q.Get("state"), States: store.States()}
	runs, err := s.Store.Runs(r.Context(), filterOf(repo.Key, q))
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	list.Runs = s.catalog.views(r.Context(), repo, runs)
	if len(runs) == perPage {
		q.Set("before", strconv.FormatInt(runs[perPage-1].ID, 10))
		list.Older = "?" + q.Encode()
	}
	s.out.show(w, r, http.StatusOK, "repo", page{Title: repo.Slug, Live: q.Get("before") == "", Data: list})
}

// filterOf reads what a list is asked for.
func filterOf(key string, q url.Values) store.Filter {
	f := store.Filter{RepoKey: key, State: q.Get("state"), Limit: perPage}
	f.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	if branch := q.Get("branch"); branch != "" {
		f.Ref = fullRef(branch)
	}
	return f
}

func fullRef(name string) string {
	if strings.HasPrefix(name, "refs/") {
		return name
	}
	return "refs/heads/" + name
}

// runPageData is all of one run.
type runPageData struct {
	Repo   repository
	Run    runView
	Lanes  []laneView
	Not    []store.Event // lanes that were not picked, and why
	Events []store.Event
	Files  []fileView // findings on the lines of the diff
	Cut    bool
	Again  bool // it can be repeated
}

func (s *people) runPage(w http.ResponseWriter, r *http.Request) {
	repo, run, err := s.catalog.run(r)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	d := runPageData{Repo: repo, Run: run, Again: s.catalog.rerunnable(r.Context(), run)}
	if d.Events, err = s.catalog.events(r.Context(), repo, run.ID); err == nil {
		d.Lanes, err = s.catalog.lanes(r.Context(), run, d.Events)
	}
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	for _, e := range d.Events {
		if e.Kind == "not picked" {
			d.Not = append(d.Not, e)
		}
	}
	d.Files, d.Cut = s.findingsInDiff(r.Context(), run, d.Lanes)
	s.out.show(w, r, http.StatusOK, "run", page{Title: fmt.Sprintf("%s run #%d %s", repo.Slug, run.Number, run.State),
		Live: !run.State.Final(), Data: d})
}

func (s *people) cancel(w http.ResponseWriter, r *http.Request) {
	_, run, err := s.catalog.run(r)
	if err == nil {
		err = s.Actions.Cancel(r.Context(), run.ID, visitorOf(r.Context()).Name)
	}
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	http.Redirect(w, r, run.Link(), http.StatusSeeOther)
}

func (s *people) rerun(w http.ResponseWriter, r *http.Request) {
	repo, run, err := s.catalog.run(r)
	var number int64
	if err == nil {
		number, err = s.Actions.Rerun(r.Context(), run.ID, r.PostFormValue("what") == "failed", visitorOf(r.Context()).Name)
	}
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/r/%s/runs/%d", url.PathEscape(repo.Slug), number), http.StatusSeeOther)
}

// artifact hands a file of a lane out as bytes and nothing else: a browser
// shows none of it.
func (s *people) artifact(w http.ResponseWriter, r *http.Request) {
	_, run, err := s.catalog.run(r)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	for _, l := range run.Lanes {
		if strconv.FormatInt(l.ID, 10) != r.PathValue("lane") {
			continue
		}
		files, err := s.Store.Artifacts(r.Context(), l.ID)
		if err != nil {
			s.out.fail(w, r, err)
			return
		}
		for _, f := range files {
			if f.Name == r.PathValue("name") {
				s.out.sendFile(w, r, f)
				return
			}
		}
	}
	s.out.fail(w, r, errNotHere)
}

func (s *renderer) sendFile(w http.ResponseWriter, r *http.Request, f store.File) {
	in, err := os.Open(f.Path)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil || !info.Mode().IsRegular() {
		s.fail(w, r, errors.Join(err, errNotHere))
		return
	}
	name := f.Name[strings.LastIndexByte(f.Name, '/')+1:]
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(name))
	h.Set("Content-Security-Policy", "sandbox")
	http.ServeContent(w, r, "", info.ModTime(), in)
}
