package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/host/internal/store"
)

// renderer answers requests: with a page, with an error, or with JSON.
type renderer struct {
	templates *template.Template
	log       logrus.FieldLogger
}

// show renders a page whole before any of it is sent.
func (s *renderer) show(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Visitor = visitorOf(r.Context())
	var b bytes.Buffer
	if err := s.templates.ExecuteTemplate(&b, name+".html", p); err != nil {
		s.log.WithError(err).Error("page")
		http.Error(w, "cannot render this page", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// problem answers with an error, as a page or for a program.
func (s *renderer) problem(w http.ResponseWriter, r *http.Request, status int, text string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		writeJSON(w, status, map[string]string{"error": text})
		return
	}
	s.show(w, r, status, "problem", page{Title: http.StatusText(status), Data: text})
}

// fail answers an error of ours: what is not there is 404, all else 500.
func (s *renderer) fail(w http.ResponseWriter, r *http.Request, err error) {
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
		s.log.WithError(err).Warn(r.URL.Path)
		s.problem(w, r, http.StatusInternalServerError, "This page is unavailable now; see the host's log.")
	}
}

var errNotHere = errors.New("not here")

// stream sends a page whose template is made first, and in its middle what
// write gives. Nothing of that is in memory as a whole.
func (s *renderer) stream(w http.ResponseWriter, r *http.Request, p page, write func(io.Writer) error) {
	p.Visitor = visitorOf(r.Context())
	var b bytes.Buffer
	if err := s.templates.ExecuteTemplate(&b, "lane.html", p); err != nil {
		s.log.WithError(err).Error("page")
		http.Error(w, "cannot render this page", http.StatusInternalServerError)
		return
	}
	head, foot, _ := bytes.Cut(b.Bytes(), []byte(streamed))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	out := bufio.NewWriterSize(w, 64<<10)
	out.Write(head)
	if err := write(out); err != nil && r.Context().Err() == nil {
		s.log.WithError(err).Warn(r.URL.Path)
		return // the page ends in the middle, as it should look
	}
	out.Write(foot)
	out.Flush()
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
