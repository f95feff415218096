package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// token adds a token to the store.
func (f *fixture) token(t store.Token) string {
	f.t.Helper()
	text := NewToken()
	t.Hash = HashToken(text)
	if err := f.st.Tokens().Add(f.t.Context(), t); err != nil {
		f.t.Fatal(err)
	}
	return text
}

func (f *fixture) dropToken(name string) {
	f.t.Helper()
	if err := f.st.Tokens().Drop(f.t.Context(), name); err != nil {
		f.t.Fatal(err)
	}
}

// logIn returns the headers of a session.
func logIn(t *testing.T, h http.Handler, token string) []string {
	t.Helper()
	in := ask(h, http.MethodPost, "/login", "token="+url.QueryEscape(token))
	if len(in.Result().Cookies()) != 1 {
		t.Fatalf("log-in: %d %s", in.Code, in.Body)
	}
	return []string{"Cookie", cookieName + "=" + in.Result().Cookies()[0].Value}
}

// A session may do what its token may do at that moment, and no other token of
// the same name takes its place.
func TestASessionIsItsToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin("post-receive")
	f.opts.Loopback = false
	h := f.handler()
	token := f.token(store.Token{Name: "ann", Scope: "run"})
	session := logIn(t, h, token)
	if got := get(t, h, "/r/app", session...); got.Code != http.StatusOK {
		t.Fatalf("with its token: %d", got.Code)
	}
	f.dropToken("ann")
	if err := f.st.Tokens().Add(t.Context(), store.Token{Name: "ann", Scope: "read", Hash: HashToken(token)}); err != nil {
		t.Fatal(err)
	}
	if got := ask(h, http.MethodPost, "/r/app/runs/1/cancel", "x=1", session...); got.Code != http.StatusForbidden {
		t.Errorf("with a smaller scope: %d", got.Code)
	}
	f.dropToken("ann")
	f.token(store.Token{Name: "ann", Scope: "run"})
	for path, want := range map[string]int{"/r/app": http.StatusSeeOther, "/changes": http.StatusSeeOther,
		"/metrics":             http.StatusSeeOther,
		"/api/v1/repositories": http.StatusUnauthorized} {
		if got := get(t, h, path, session...); got.Code != want {
			t.Errorf("%s with a revoked token: %d", path, got.Code)
		}
	}
	got := ask(h, http.MethodPost, "/r/app/runs/1/cancel", "x=1", session...)
	if got.Header().Get("Location") != "/login" {
		t.Errorf("cancel with a revoked token: %d", got.Code)
	}
}

// A session outlives neither its own time nor a store that cannot answer.
func TestASessionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.opts.Loopback = false
		h := f.handler()
		session := logIn(t, h, f.token(store.Token{Name: "ann", Scope: "read"}))
		time.Sleep(sessionLife - time.Second)
		if got := get(t, h, "/r/app", session...); got.Code != http.StatusOK {
			t.Errorf("within its time: %d", got.Code)
		}
		time.Sleep(time.Second)
		if got := get(t, h, "/r/app", session...); got.Code != http.StatusSeeOther {
			t.Errorf("after its time: %d", got.Code)
		}
		session = logIn(t, h, f.token(store.Token{Name: "bob", Scope: "read"}))
		f.st.Close()
		if got := get(t, h, "/r/app", session...); got.Code != http.StatusSeeOther {
			t.Errorf("the store is closed: %d", got.Code)
		}
	})
}

// lines is a response that is read while it is written.
type lines struct {
	*httptest.ResponseRecorder
	sent chan string
}

func (l lines) Write(p []byte) (int, error) {
	l.sent <- string(p)
	return len(p), nil
}

// Streams end when their right to be is gone, also those that have no news.
func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(f *fixture, h http.Handler, session []string){
		"revoked": func(f *fixture, _ http.Handler, _ []string) { f.dropToken("ann") },
		"changed": func(f *fixture, _ http.Handler, _ []string) {
			all, _ := f.st.Tokens().List(f.t.Context())
			f.dropToken("ann")
			if err := f.st.Tokens().Add(f.t.Context(), store.Token{Name: "ann", Scope: "admin", Hash: all[0].Hash}); err != nil {
				f.t.Error(err)
			}
		},
		"logged out": func(_ *fixture, h http.Handler, session []string) {
			ask(h, http.MethodPost, "/logout", "x=1", session...)
		},
	} {
		for _, path := range []string{"/changes", "/r/app/runs/1/test/events"} {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t)
					run := f.begin("post-receive")
					f.opts.Loopback = false
					h := f.handler()
					session := logIn(t, h, f.token(store.Token{Name: "ann", Scope: "read"}))
					out := lines{httptest.NewRecorder(), make(chan string, 1000)}
					done := make(chan struct{})
					go func() {
						defer close(done)
						r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
						r.Header.Set(session[0], session[1])
						h.ServeHTTP(out, r)
					}()
					time.Sleep(2 * time.Minute)
					f.say(run, "news")
					time.Sleep(2 * lookEvery)
					if len(done) > 0 || len(out.sent) < 8 { // a ping every 15 seconds
						t.Fatalf("%d events in two minutes", len(out.sent))
					}
					end(f, h, session)
					time.Sleep(2 * lookEvery)
					before := len(out.sent)
					f.say(run, "not for ann")
					f.end(run, store.Passed)
					<-done
					if len(out.sent) != before {
						t.Errorf("%d events after the end", len(out.sent)-before)
					}
				})
			})
		}
	}
}
