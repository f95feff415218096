package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/store"
)

// behind is a proxy at 127.0.0.1 that names users in X-User.
func behind(scope string, access ...Access) Proxy {
	return Proxy{Header: "X-User", Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Scope: scope,
		Access: access}
}

// asUser requests something as the user whom a proxy at an address names.
func asUser(h http.Handler, from, method, path, user string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = from
	r.Header.Set("X-User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Tables of the policy say what single users may do; the scope of the proxy is
// for all others.
func TestAccessOfUsers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin("pre-receive")
	bob := filepath.Join(f.dir, "bob", "app.git")
	f.elsewhere(bob, "app")
	f.elsewhere("/srv/web.git", "web")
	f.opts.Loopback = false
	own := filepath.Base(f.dir) + "%2Fapp"
	tests := map[string]struct {
		proxy             Proxy
		read, other, stop int // status of our app's page, of web's, and of cancelling in our app
	}{
		"no one is named":     {behind("run"), 200, 200, 303},
		"others may nothing":  {behind("none"), 303, 303, 303},
		"no scope at all":     {behind(""), 303, 303, 303},
		"a reader":            {behind("run", Access{"ann", "read", nil}), 200, 200, 403},
		"who may nothing":     {behind("run", Access{"ann", "none", nil}), 303, 303, 303},
		"an odd scope":        {behind("run", Access{"ann", "most", nil}), 303, 303, 303},
		"of one, by its path": {behind("run", Access{"ann", "run", []string{f.key}}), 200, 404, 303},
		"of one, by its name": {behind("run", Access{"ann", "run", []string{filepath.Base(f.dir) + "/app"}}), 200,
			404, 303},
		"of the other":     {behind("run", Access{"ann", "run", []string{"web"}}), 404, 200, 404},
		"a name of two":    {behind("run", Access{"ann", "run", []string{"app"}}), 404, 404, 404},
		"of none that is":  {behind("run", Access{"ann", "admin", []string{"/srv/none.git"}}), 404, 404, 404},
		"another is named": {behind("read", Access{"bob", "admin", nil}), 200, 200, 403},
		"in other letters": {behind("none", Access{"ANN", "admin", nil}), 303, 303, 303},
	}
	for name, test := range tests {
		f.opts.Proxy = test.proxy
		h := f.handler()
		const proxy = "127.0.0.1:1"
		if got := asUser(h, proxy, http.MethodGet, "/r/"+own, "ann"); got.Code != test.read {
			t.Errorf("%s: app: %d, want %d", name, got.Code, test.read)
		}
		if got := asUser(h, proxy, http.MethodGet, "/r/web", "ann"); got.Code != test.other {
			t.Errorf("%s: web: %d, want %d", name, got.Code, test.other)
		}
		run := f.begin("pre-receive")
		got := asUser(h, proxy, http.MethodPost, fmt.Sprintf("/r/%s/runs/%d/cancel", own, run.Number), "ann")
		stopped := got.Code == http.StatusSeeOther && got.Header().Get("Location") != "/login"
		if r, err := f.st.RunByID(t.Context(), run.ID); err != nil || got.Code != test.stop ||
			stopped != (r.CancelBy == "ann") {
			t.Errorf("%s: cancel: %d, want %d; by %q, %v", name, got.Code, test.stop, r.CancelBy, err)
		}
		f.end(run, store.Passed)
	}
}

// A page without TLS that listens beyond this machine answers to its proxy
// alone: others would send their tokens in the clear.
func TestOnlyTheProxyIsAnswered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.opts.Loopback, f.opts.Proxy = false, behind("read")
	f.opts.Proxy.Alone = true
	h := f.handler()
	for from, want := range map[string]int{"127.0.0.1:1": 200, "127.0.0.2:1": 403, "10.0.0.1:1": 403, "@": 403} {
		for _, path := range []string{"/login", "/r/app"} {
			if got := asUser(h, from, http.MethodGet, path, "ann"); got.Code != want {
				t.Errorf("%s from %s: %d, want %d", path, from, got.Code, want)
			}
		}
	}
}

// Who is not of scope admin reads nothing of where things are on the machine.
func TestFoldersAreHidden(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.begin("pre-receive")
	state := filepath.Join(f.dir, "state")
	why := "cannot open " + state + "/runs/1 of " + f.key
	f.say(run, "built")
	f.sayAs(run, 'h', why)
	log := store.File{Path: f.logPath(run)}
	f.record(run, store.Result{LaneRun: run.Lanes[0].ID, State: store.Broken, Message: why, Log: log},
		store.Event{Kind: "note", Message: why}, store.End{State: store.Broken, Exit: 1, Message: why})
	f.opts.Loopback, f.opts.Private = false, []string{state, "/", ""}
	h := f.handler()
	read := []string{"Authorization", "Bearer " + f.token(store.Token{Name: "read", Scope: "run"})}
	admin := []string{"Authorization", "Bearer " + f.token(store.Token{Name: "admin", Scope: "admin"})}
	const api = "/api/v1/repositories"
	const lane = "/r/app/runs/1/test"
	for _, path := range []string{lane, lane + "?raw=1", lane + "?all=1", lane + "/events",
		api + "/app/runs/1/lanes/test/log"} {
		if text := get(t, h, path, read...).Body.String(); !strings.Contains(text, "…/runs/1 of app") {
			t.Errorf("%s does not show a reader the log:\n%s", path, text)
		}
	}
	for _, path := range []string{lane, lane + "?raw=1", lane + "?all=1", lane + "/events", "/", "/r/app", "/r/app/runs/1",
		api, api + "/app/runs",
		api + "/app/runs/1"} {
		if text := get(t, h, path, read...).Body.String(); strings.Contains(text, f.dir) {
			t.Errorf("%s tells a reader of %s:\n%s", path, f.dir, text)
		}
	}
	for path, want := range map[string]string{"/r/app/runs/1": why, api: `"path":"` + f.key + `"`} {
		if text := get(t, h, path, admin...).Body.String(); !strings.Contains(text, want) {
			t.Errorf("%s does not tell an administrator %s:\n%s", path, want, text)
		}
	}
	if text := get(t, h, "/r/app/runs/1", read...).Body.String(); !strings.Contains(text,
		"cannot open …/runs/1 of app") {
		t.Errorf("a reader does not see why:\n%s", text)
	}
}

// pieces is a response that takes note of what is written at once.
type pieces struct {
	*httptest.ResponseRecorder
	sizes []int
}

func (p *pieces) Write(data []byte) (int, error) {
	p.sizes = append(p.sizes, len(data))
	return p.ResponseRecorder.Write(data)
}

// A client has the time of a part for each part, however much a handler writes
// at once.
func TestLongPagesAreSentInParts(t *testing.T) {
	t.Parallel()
	p := &pieces{ResponseRecorder: httptest.NewRecorder()}
	text := strings.Repeat("x", 3*sendPart+1)
	n, err := (&heldWriter{p, t.Context()}).Write([]byte(text))
	if err != nil || n != len(text) || p.Body.String() != text || len(p.sizes) != 4 || p.sizes[3] != 1 {
		t.Errorf("%d bytes in %d, %v", n, p.sizes, err)
	}
}
