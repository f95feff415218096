package web

import (
	"context"
	"net/http"
	"time"
)

// lookEvery is the time between two looks at whether the sender of a request
// that is still being served may still send it.
const lookEvery = time.Second

// hold serves a request for as long as its sender keeps the rights that it
// came with: an event stream or a download ends soon after its token is
// revoked or its session is over.
func (s *auth) hold(w http.ResponseWriter, r *http.Request, v visitor, next http.HandlerFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go s.endWith(ctx, cancel, r, v)
	next(&heldWriter{w, ctx}, r.WithContext(context.WithValue(ctx, visitorKey{}, v)))
}

// endWith cancels a request whose sender lost the rights of v.
func (s *auth) endWith(ctx context.Context, cancel context.CancelFunc, r *http.Request, v visitor) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now, ok := s.visitor(r); !ok || !now.same(v) {
			cancel()
			return
		}
	}
}

// sendTime is how long a client may take for what was written.
const sendTime = 10 * time.Second

// sendPart is how many bytes of a response are a part of it.
const sendPart = 64 << 10

// heldWriter sends nothing more once its request is over, also where the
// handler does not look at the context. A client has sendTime to take each
// part of a response, however long the whole is.
type heldWriter struct {
	http.ResponseWriter
	ctx context.Context
}

func (w *heldWriter) Write(p []byte) (n int, err error) {
	ctl := http.NewResponseController(w.ResponseWriter)
	for n < len(p) && err == nil {
		if err = w.ctx.Err(); err != nil {
			break
		}
		ctl.SetWriteDeadline(time.Now().Add(sendTime))
		var sent int
		sent, err = w.ResponseWriter.Write(p[n:min(len(p), n+sendPart)])
		n += sent
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *heldWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
