// Package web shows runs to people, and to programs: pages made on the server,
// live over server-sent events, and a JSON API.
//
// Everything it shows of a push, a plugin or a log is hostile text. Pages go
// through html/template, logs through a mapper that knows colours and nothing
// else, and a policy of the page itself keeps out whatever would get past both.
package web

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net/http"

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
}

// Options are what the pages are made of.
type Options struct {
	Store    *store.Store
	Repo     func(ctx context.Context, key string) (*hooks.Repo, func(), error)
	Actions  Actions
	Patches  func(run int64) (map[string]hooks.FilePatch, error) // what was kept of a push that left nothing; by path
	Loopback bool                                                // it listens on this machine alone: nobody needs to log in
	HTTPS    bool                                                // users reach it over TLS, its own or a proxy's: cookies are for TLS alone
	Proxy    Proxy
	Metrics  http.Handler // at /metrics, for Prometheus; may be nil
	Log      logrus.FieldLogger
}

// site answers requests.
type site struct {
	Options
	pages    *template.Template
	sessions *sessions
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
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/static/", cached(http.FileServerFS(files))))
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	if o.Metrics != nil {
		mux.HandleFunc("GET /metrics", s.needs(scopeRead, o.Metrics.ServeHTTP))
	}
	s.routes(mux)
	s.apiRoutes(mux)
	return s.guard(mux), nil
}

func (s *site) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.needs(scopeRead, s.index))
	mux.HandleFunc("GET /changes", s.needs(scopeRead, s.changes))
	mux.HandleFunc("GET /r/{repo}", s.needs(scopeRead, s.repoPage))
	mux.HandleFunc("GET /r/{repo}/branches/{ref...}", s.needs(scopeRead, s.branchPage))
	mux.HandleFunc("GET /r/{repo}/runs/{run}", s.needs(scopeRead, s.runPage))
	mux.HandleFunc("POST /r/{repo}/runs/{run}/cancel", s.needs(scopeRun, s.cancel))
	mux.HandleFunc("POST /r/{repo}/runs/{run}/rerun", s.needs(scopeRun, s.rerun))
	mux.HandleFunc("GET /r/{repo}/runs/{run}/artifacts/{lane}/{name...}", s.needs(scopeRead, s.artifact))
	mux.HandleFunc("GET /r/{repo}/runs/{run}/{lane}", s.needs(scopeRead, s.lanePage))
	mux.HandleFunc("GET /r/{repo}/runs/{run}/{lane}/events", s.needs(scopeRead, s.logEvents))
}

// cached lets browsers keep a file while this build answers.
func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		h.ServeHTTP(w, r)
	})
}
