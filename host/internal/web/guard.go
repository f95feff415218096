package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	bodyTime = 20 * time.Second // in which the body of a request must have come
	maxBody  = 64 << 10         // bytes
	pageTime = time.Minute      // in which a response must begin
)

const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard is what holds for every request, before anything is looked up: how
// long it may take, which site it comes from and what browsers may do with the
// response.
func (s *site) guard(next http.Handler) http.Handler {
	inner := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.Proxy.Alone && !s.Proxy.has(r.RemoteAddr) {
			h.Set("Connection", "close")
			http.Error(w, "this page answers only its proxy", http.StatusForbidden)
			return
		}
		if status, err := takeBody(w, r); err != nil {
			h.Set("Connection", "close")
			http.Error(w, err.Error(), status)
			return
		}
		if s.Loopback && !localName(r.Host) {
			// A name that was made to point here (DNS rebinding) is not us.
			http.Error(w, "this page answers only localhost", http.StatusMisdirectedRequest)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

var (
	errLargeBody = errors.New("the body of the request is too large")
	errNoBody    = errors.New("the body of the request cannot be read")
)

// takeBody reads the whole body, even if a handler does not use it, so that no
// request waits for it longer than bodyTime. After that reading has no limit, which
// would end event streams; the response must begin within pageTime.
func takeBody(w http.ResponseWriter, r *http.Request) (status int, err error) {
	ctl := http.NewResponseController(w)
	ctl.SetWriteDeadline(time.Now().Add(bodyTime + pageTime))
	if r.ContentLength == 0 {
		return 0, nil
	}
	ctl.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		panic(http.ErrAbortHandler) // closes the connection: its client is still to send, not to read
	case errors.As(err, new(*http.MaxBytesError)):
		return http.StatusRequestEntityTooLarge, errLargeBody
	case err != nil:
		return http.StatusBadRequest, errNoBody
	}
	ctl.SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(body))
	return 0, nil
}
