package web

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// pingEvery is how long a stream is silent at most.
const pingEvery = 15 * time.Second

// events is one connection of server-sent events. A client that does not read
// is dropped: it holds nothing but its own connection.
type events struct {
	w    http.ResponseWriter
	ctl  *http.ResponseController
	last time.Time
}

func newEvents(w http.ResponseWriter) *events {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	return &events{w, http.NewResponseController(w), time.Now()}
}

// send writes one event; an empty text is a ping. In between there is no
// deadline: over HTTP/2 it would end a stream without news.
func (e *events) send(text string) error {
	if text == "" {
		text = ": still here\n\n"
	}
	e.last = time.Now()
	if _, err := io.WriteString(e.w, text); err != nil {
		return err
	}
	if err := e.ctl.Flush(); err != nil {
		return err
	}
	if err := e.ctl.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
