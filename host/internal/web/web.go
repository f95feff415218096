// Package web shows runs to people, and to programs: pages made on the server,
// live over server-sent events, and a JSON API.
//
// Everything it shows of a push, a plugin or a log is untrusted text. Pages are
// escaped by html/template, logs by a mapper that allows only colours, and the
// page's content security policy blocks what would pass both.
package web

import (
	"context"
	"embed"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"time"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed static
var static embed.FS

// site answers requests.
type site struct {
	Options
	out      *renderer
	auth     *auth
	programs *programs
	people   *people
}

func newSite(o Options, templates *template.Template) *site {
	out, found := &renderer{templates, o.Log}, &catalog{o}
	lines := &logs{found, out}
	return &site{Options: o, out: out, auth: &auth{o, newSessions(), out},
		programs: &programs{o, found, lines, out},
		people:   &people{Options: o, catalog: found, logs: lines, out: out}}
}

// New makes the handler of all pages and of the API.
func New(o Options) (http.Handler, error) {
	pages, err := template.New("").Funcs(functions()).ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, err
	}
	s := newSite(o, pages)
	return s.guard(s.mux(http.FileServerFS(files))), nil
}

func (s *site) mux(files http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes(files) {
		serve := r.serve
		if r.scope != scopeNone {
			serve = s.auth.needs(r.scope, serve)
		}
		mux.HandleFunc(r.pattern, serve)
	}
	return mux
}

func (s *site) routes(files http.Handler) []route {
	return slices.Concat([]route{
		{"GET /static/", scopeNone, http.StripPrefix("/static/", cached(files)).ServeHTTP},
		{"GET /login", scopeNone, s.auth.loginPage},
		{"POST /login", scopeNone, s.auth.login},
		{"POST /logout", scopeNone, s.auth.logout},
		{"GET /metrics", scopeRead, s.metrics},
		{"GET /healthz", scopeNone, s.health},
	}, s.people.routes(), s.programs.routes())
}

// metrics are of the whole host.
func (s *site) metrics(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.Metrics == nil:
		s.out.fail(w, r, errNotHere)
	case visitorOf(r.Context()).Repositories != nil:
		s.out.problem(w, r, http.StatusForbidden, "your token is limited to some repositories, and this shows all of them")
	default:
		s.Metrics.ServeHTTP(w, r)
	}
}

// healthTime is how long the store may take to answer before it counts as away.
const healthTime = 5 * time.Second

// health answers load balancers and monitors: 200 while this host can read its
// store, 503 otherwise. Anyone may ask, so it says no more.
func (s *site) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTime)
	defer cancel()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := s.Store.LastRun(ctx); err != nil {
		s.Log.WithError(err).Warn("health")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "the store does not respond\n")
		return
	}
	io.WriteString(w, "ok\n")
}

// cached lets browsers keep a file while this build answers.
func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		h.ServeHTTP(w, r)
	})
}
