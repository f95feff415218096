package lanerun

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/sdk"
)

func (l *Lane) request(ctx context.Context) (sdk.Request, error) {
	p := l.Update()
	with, err := plugins.SettingsJSON(l.lane().With)
	if err != nil {
		return sdk.Request{}, err
	}
	r := sdk.Request{ABI: sdk.ABI, Run: l.address(), Lane: l.lane().ID, Repository: l.j.Repo, Gate: l.j.Gate,
		Update: sdk.Update{Ref: p.Ref, Old: p.Old, New: p.New, Base: p.Base, Forced: p.Forced},
		With:   with, Granted: l.granted, Ops: l.offered(), Results: l.results,
		Limits: config.PluginLimits(l.lane().Timeout, l.policy().MaxFuel)}
	m := l.module.Manifest().For(with)
	if Wants(m, "changes") {
		if r.Changes, err = l.visibleChanges(ctx); err != nil {
			return sdk.Request{}, err
		}
	}
	if l.seesPast() && slices.Contains(m.Input, "history") {
		if r.History, err = l.visiblePast(ctx); err != nil {
			return sdk.Request{}, err
		}
	}
	if l.can("repo.history") && Wants(m, "commits") {
		if r.Commits, err = l.commits(ctx); err != nil {
			return sdk.Request{}, err
		}
	}
	return r.Seen(m), nil
}

// Wants reports whether a plugin is handed a part of the request.
func Wants(m sdk.Manifest, key string) bool { return m.Wants(key) }

// offered are the operations a lane run has: those of the capabilities that
// were granted.
func (l *Lane) offered() []string { return OfferedTo(l.can) }

// maxRequest is how many bytes of JSON a plugin's request may have. What git
// stores in one byte, JSON may write with six.
const maxRequest = 64 << 20

// takeInput is input, or at the first call what was made already.
func (l *Lane) takeInput(ctx context.Context) (sdk.Request, []byte, error) {
	if in := l.first; in != nil {
		l.first = nil
		return in.request, in.text, nil
	}
	return l.input(ctx)
}

// input is what the plugin is asked, and the same as JSON. It is an error where
// that would be longer than a request may be.
func (l *Lane) input(ctx context.Context) (sdk.Request, []byte, error) {
	r, err := l.request(ctx)
	if err != nil {
		return r, nil, err
	}
	size := requestSize(r)
	if size > maxRequest {
		return r, nil, problem.WithHint(fmt.Errorf("cannot ask plugin %q: %d changed paths and %d commits "+
			"make a request of more than %d MiB",
			l.lane().Plugin, len(r.Changes)+len(r.History), len(r.Commits), maxRequest>>20),
			"push in smaller parts: git push origin main~100:refs/heads/main")
	}
	return r, r.AppendJSON(make([]byte, 0, size)), nil
}

// requestSize is at least how many bytes a request takes as JSON, and not much
// more.
func requestSize(r sdk.Request) int {
	size := 4096 + len(r.With)
	for _, list := range [][]sdk.Change{r.Changes, r.History} {
		for _, c := range list {
			size += 160 + jsonSize(c.Path) + len(c.Commit) + 43*len(c.Merged)
		}
	}
	for _, c := range r.Commits {
		size += 120 + 43*len(c.Parents) + jsonSize(c.Author) + jsonSize(c.Message)
	}
	for _, res := range r.Results {
		size += 200 + len(res.ID) + jsonSize(res.Tail)
		for _, name := range res.Artifacts {
			size += 1 + jsonSize(name)
		}
	}
	return size
}

// jsonSize is at least how many bytes a text takes as a JSON string.
func jsonSize(s string) int {
	size := len(s) + 2
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"', c == '\\':
			size++
		case c < 0x20:
			size += 5
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n <= 1 {
				size += 5
			}
			i += n - 1
		}
	}
	return size
}
