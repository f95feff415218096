package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/host/internal/store"
)

// show renders a page whole before any of it is sent.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Visitor = visitorOf(r.Context())
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name+".html", p); err != nil {
		s.Log.WithError(err).Error("page")
		http.Error(w, "cannot render this page", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// problem answers with an error, as a page or for a program.
func (s *site) problem(w http.ResponseWriter, r *http.Request, status int, text string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		writeJSON(w, status, map[string]string{"error": text})
		return
	}
	s.show(w, r, status, "problem", page{Title: http.StatusText(status), Data: text})
}

// fail answers an error of ours: what is not there is 404, all else 500.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	var conflict *store.ConflictError
	var hint interface{ Hint() string }
	switch {
	case errors.Is(err, store.ErrNoRun), errors.Is(err, errNotHere), errors.Is(err, os.ErrNotExist):
		s.problem(w, r, http.StatusNotFound, "Not found.")
	case errors.As(err, new(ambiguousError)):
		s.problem(w, r, http.StatusNotFound, err.Error())
	case errors.As(err, &conflict):
		s.problem(w, r, http.StatusConflict, err.Error())
	case errors.As(err, &hint):
		s.problem(w, r, http.StatusUnprocessableEntity, err.Error())
	case r.Context().Err() != nil:
	default:
		s.Log.WithError(err).Warn(r.URL.Path)
		s.problem(w, r, http.StatusInternalServerError, "This page is unavailable now; see the host's log.")
	}
}

var errNotHere = errors.New("not here")

// repository is one of them with the name it has in addresses.
type repository struct {
	store.Repository
	Slug string
	Run  *runView
}

// repositories lists those that the visitor may see, each with an address that is
// unique among them: the addresses reveal nothing about the others.
func (s *site) repositories(ctx context.Context) ([]repository, error) {
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
func (s *site) repository(r *http.Request) (repository, error) {
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
func (s *site) views(ctx context.Context, repo repository, runs []store.Run) []runView {
	h := s.hider(ctx, repo.Key, repo.Slug)
	list := make([]runView, len(runs))
	for i, r := range runs {
		hideInRun(h, &r)
		list[i] = runView{Run: r, Slug: repo.Slug}
	}
	return list
}

func (s *site) index(w http.ResponseWriter, r *http.Request) {
	all, err := s.repositories(r.Context())
	for i := range all {
		if all[i].Newest != nil {
			all[i].Run = &runView{Run: *all[i].Newest, Slug: all[i].Slug}
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "index", page{Title: "Repositories", Live: true, Data: all})
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

func (s *site) repoPage(w http.ResponseWriter, r *http.Request) {
	repo, err := s.repository(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	q := r.URL.Query()
	list := runList{Repo: repo, Branch: q.Get("branch"), State: q.Get("state"), States: store.States()}
	runs, err := s.Store.Runs(r.Context(), filterOf(repo.Key, q))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	list.Runs = s.views(r.Context(), repo, runs)
	if len(runs) == perPage {
		q.Set("before", strconv.FormatInt(runs[perPage-1].ID, 10))
		list.Older = "?" + q.Encode()
	}
	s.show(w, r, http.StatusOK, "repo", page{Title: repo.Slug, Live: q.Get("before") == "", Data: list})
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

// run finds the run that a request's path names.
func (s *site) run(r *http.Request) (repository, runView, error) {
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

func (s *site) runPage(w http.ResponseWriter, r *http.Request) {
	repo, run, err := s.run(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d := runPageData{Repo: repo, Run: run, Again: s.rerunnable(r.Context(), run)}
	if d.Events, err = s.events(r.Context(), repo, run.ID); err == nil {
		d.Lanes, err = s.lanes(r.Context(), run, d.Events)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for _, e := range d.Events {
		if e.Kind == "not picked" {
			d.Not = append(d.Not, e)
		}
	}
	d.Files, d.Cut = s.findingsInDiff(r.Context(), run, d.Lanes)
	s.show(w, r, http.StatusOK, "run", page{Title: fmt.Sprintf("%s run #%d %s", repo.Slug, run.Number, run.State),
		Live: !run.State.Final(), Data: d})
}

// rerunnable tells whether the visitor may repeat a run, and it would work.
func (s *site) rerunnable(ctx context.Context, run runView) bool {
	return run.State.Final() && visitorOf(ctx).Scope >= scopeRun && s.Actions.Rerunnable(ctx, run.Run) == nil
}

// lanes puts together what is known of each lane run.
func (s *site) lanes(ctx context.Context, run runView, events []store.Event) ([]laneView, error) {
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

func (s *site) cancel(w http.ResponseWriter, r *http.Request) {
	_, run, err := s.run(r)
	if err == nil {
		err = s.Actions.Cancel(r.Context(), run.ID, visitorOf(r.Context()).Name)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, run.Link(), http.StatusSeeOther)
}

func (s *site) rerun(w http.ResponseWriter, r *http.Request) {
	repo, run, err := s.run(r)
	var number int64
	if err == nil {
		number, err = s.Actions.Rerun(r.Context(), run.ID, r.PostFormValue("what") == "failed", visitorOf(r.Context()).Name)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/r/%s/runs/%d", url.PathEscape(repo.Slug), number), http.StatusSeeOther)
}

// artifact hands a file of a lane out as bytes and nothing else: a browser
// shows none of it.
func (s *site) artifact(w http.ResponseWriter, r *http.Request) {
	_, run, err := s.run(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for _, l := range run.Lanes {
		if strconv.FormatInt(l.ID, 10) != r.PathValue("lane") {
			continue
		}
		files, err := s.Store.Artifacts(r.Context(), l.ID)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		for _, f := range files {
			if f.Name == r.PathValue("name") {
				s.sendFile(w, r, f)
				return
			}
		}
	}
	s.fail(w, r, errNotHere)
}

func (s *site) sendFile(w http.ResponseWriter, r *http.Request, f store.File) {
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
