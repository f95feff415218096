package web

import (
	"context"
	"net/http"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/store"
)

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
