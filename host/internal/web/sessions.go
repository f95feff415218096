package web

import (
	"context"
	"crypto/rand"
	"sync"
	"time"
)

const (
	cookieName  = "pushlane"
	sessionLife = 12 * time.Hour
	maxSessions = 10_000
)

// sessions are of the users who logged in. They end with the process, and each
// with the token that it began with.
type sessions struct {
	mu   sync.Mutex
	all  map[string]session
	slow time.Time // no log-in is answered before this: guessing takes time
}

// session holds no rights: those of its token are looked up at each request.
type session struct {
	token [32]byte // sha256
	form  string   // the value that its forms must return
	until time.Time
}

func newSessions() *sessions { return &sessions{all: map[string]session{}} }

func (s *sessions) find(id string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.all[id]
	return one, ok && time.Now().Before(one.until)
}

func (s *sessions) add(token [32]byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, one := range s.all {
		if now.After(one.until) || len(s.all) >= maxSessions {
			delete(s.all, id)
		}
	}
	id := rand.Text()
	s.all[id] = session{token, rand.Text(), now.Add(sessionLife)}
	return id
}

func (s *sessions) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, id)
}

// wrongEvery is the time between two answers to wrong tokens, over all who ask.
const wrongEvery = 500 * time.Millisecond

// afterWrong waits for this wrong token's turn.
func (s *sessions) afterWrong(ctx context.Context) {
	s.mu.Lock()
	now := time.Now()
	if s.slow.Before(now) {
		s.slow = now
	}
	s.slow = s.slow.Add(wrongEvery)
	wait := min(s.slow.Sub(now), 10*time.Second)
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}
