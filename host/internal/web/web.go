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

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/store"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed static
var static embed.FS

// Actions are what a page may ask the host to do. By names who asked.
type Actions interface {
	Cancel(ctx context.Context, run int64, by string) error
	Rerun(ctx context.Context, run int64, failedOnly bool, by string) (number int64, err error)
	Rerunnable(ctx context.Context, run store.Run) error // why Rerun would refuse; nil: it would not
}

// Options are what the pages are made of.
type Options struct {
	Store    *store.Store
	Repo     func(ctx context.Context, key string) (*hooks.Repo, func(), error)
	Actions  Actions
	Patches  func(run int64) (map[string]hooks.FilePatch, error) // of a push that left no objects; by path
	Loopback bool                                                // it listens on this machine alone and needs no login
	HTTPS    bool                                                // users reach it over TLS: cookies are for TLS alone
	Proxy    Proxy
	Private  []string     // folders of this machine, shown to scope admin alone
	Metrics  http.Handler // at /metrics, for Prometheus; may be nil
	Log      logrus.FieldLogger
}

// site answers requests.
type site struct {
	Options
	pages    *template.Template
	sessions *sessions
	pulses   pulses
}

// New makes the handler of all pages and of the API.
func New(o Options) (http.Handler, error) {
	s := &site{Options: o, sessions: newSessions()}
	var err error
	if s.pages, err = template.New("").Funcs(functions()).ParseFS(templates, "templates/*.html"); err != nil {
		return nil, err
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, err
	}
	return s.guard(s.mux(http.FileServerFS(files))), nil
}

// route is one address of the site. There is no other way to add one, so that
// none is without a scope.
type route struct {
	pattern string
	scope   int // scopeNone: anyone, without a look at who it is
	serve   http.HandlerFunc
}

func (s *site) mux(files http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes(files) {
		serve := r.serve
		if r.scope != scopeNone {
			serve = s.needs(r.scope, serve)
		}
		mux.HandleFunc(r.pattern, serve)
	}
	return mux
}

func (s *site) routes(files http.Handler) []route {
	return slices.Concat([]route{
		{"GET /static/", scopeNone, http.StripPrefix("/static/", cached(files)).ServeHTTP},
		{"GET /login", scopeNone, s.loginPage},
		{"POST /login", scopeNone, s.login},
		{"POST /logout", scopeNone, s.logout},
		{"GET /metrics", scopeRead, s.metrics},
		{"GET /healthz", scopeNone, s.health},
	}, s.pageRoutes(), s.apiRoutes())
}

func (s *site) pageRoutes() []route {
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
		{"GET " + runs + "/{lane}", scopeRead, s.lanePage},
		{"GET " + runs + "/{lane}/events", scopeRead, s.logEvents},
	}
}

// metrics are of the whole host.
func (s *site) metrics(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.Metrics == nil:
		s.fail(w, r, errNotHere)
	case visitorOf(r.Context()).Repositories != nil:
		s.problem(w, r, http.StatusForbidden, "your token is limited to some repositories, and this shows all of them")
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
