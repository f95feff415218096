package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestHealth: a monitor learns whether this host can read its store, and no
// more.
func TestHealth(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.handler()
	ask := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "http://localhost/healthz", nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if got := ask(); got.Code != http.StatusOK || got.Body.String() != "ok\n" {
		t.Errorf("got %d %q", got.Code, got.Body)
	}
	if err := f.st.Close(); err != nil {
		t.Fatal(err)
	}
	got := ask()
	if got.Code != http.StatusServiceUnavailable || got.Body.String() != "the store does not respond\n" {
		t.Errorf("without a store: got %d %q", got.Code, got.Body)
	}
}
