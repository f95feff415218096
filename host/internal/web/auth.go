package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// What a token may do; each includes those before it.
const (
	scopeRead = iota + 1
	scopeRun
	scopeAdmin
)

// Scopes are the names of the scopes, from the least.
func Scopes() []string { return []string{"read", "run", "admin"} }

func scopeOf(name string) int {
	for i, s := range Scopes() {
		if s == name {
			return i + 1
		}
	}
	return 0
}

// visitor is who sent a request.
type visitor struct {
	Name  string
	Scope int
	form  string // what a form must bring back; "" where no session stands behind it
}

type visitorKey struct{}

func visitorOf(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}

// guard is what holds for every request, before anything is looked up.
func (s *site) guard(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	return sameOrigin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.Loopback && !localName(r.Host) {
			// A name that was made to point here (DNS rebinding) is not us.
			http.Error(w, "this page answers to localhost alone", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	}))
}

func localName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// needs lets a request through whose sender has the scope.
func (s *site) needs(scope int, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, ok := s.visitor(r)
		switch {
		case !ok && strings.HasPrefix(r.URL.Path, "/api/"):
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.problem(w, r, http.StatusUnauthorized, "a token is needed")
		case !ok:
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		case v.Scope < scope:
			s.problem(w, r, http.StatusForbidden, "your token has not the scope for this: "+Scopes()[scope-1])
		case r.Method == http.MethodPost && v.form != "" && subtle.ConstantTimeCompare([]byte(v.form), []byte(r.PostFormValue("form"))) != 1:
			s.problem(w, r, http.StatusForbidden, "this form is not of your session: load the page again")
		default:
			next(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, v)))
		}
	}
}

// visitor finds out who sent a request.
func (s *site) visitor(r *http.Request) (visitor, bool) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return s.byToken(r.Context(), token)
	}
	if s.ProxyHeader != "" {
		if name := r.Header.Get(s.ProxyHeader); name != "" {
			return visitor{Name: name, Scope: scopeRun}, true
		}
	}
	if cookie, err := r.Cookie(cookieName); err == nil {
		if v, ok := s.sessions.find(cookie.Value); ok {
			return v, true
		}
	}
	if s.Loopback {
		return visitor{Name: "localhost", Scope: scopeAdmin}, true
	}
	return visitor{}, false
}

// byToken compares with every token, each in constant time.
func (s *site) byToken(ctx context.Context, token string) (visitor, bool) {
	hash := HashToken(token)
	all, err := s.Store.Tokens(ctx)
	if err != nil {
		s.Log.WithError(err).Warn("tokens")
		return visitor{}, false
	}
	var found store.Token
	ok := false
	for _, t := range all {
		if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 {
			found, ok = t, true
		}
	}
	return visitor{Name: found.Name, Scope: scopeOf(found.Scope)}, ok
}

// NewToken makes a token: "pl_" and 128 bits at random.
func NewToken() string { return "pl_" + strings.ToLower(rand.Text()) }

// HashToken is the form in which tokens are kept.
func HashToken(token string) [32]byte { return sha256.Sum256([]byte(token)) }

const (
	cookieName  = "pushlane"
	sessionLife = 12 * time.Hour
	maxSessions = 10_000
)

// sessions are the people who logged in; they are gone with the process.
type sessions struct {
	mu   sync.Mutex
	all  map[string]session
	slow time.Time // no log-in is answered before this: guessing takes time
}

type session struct {
	visitor
	until time.Time
}

func newSessions() *sessions { return &sessions{all: map[string]session{}} }

func (s *sessions) find(id string) (visitor, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.all[id]
	return one.visitor, ok && time.Now().Before(one.until)
}

func (s *sessions) add(v visitor) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, one := range s.all {
		if now.After(one.until) || len(s.all) >= maxSessions {
			delete(s.all, id)
		}
	}
	id := rand.Text()
	v.form = rand.Text()
	s.all[id] = session{v, now.Add(sessionLife)}
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

func (s *site) loginPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "login", page{Title: "Log in"})
}

func (s *site) login(w http.ResponseWriter, r *http.Request) {
	v, ok := s.byToken(r.Context(), strings.TrimSpace(r.PostFormValue("token")))
	if !ok {
		s.sessions.afterWrong(r.Context())
		s.show(w, r, http.StatusUnauthorized, "login", page{Title: "Log in", Data: "This token is not known."})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: s.sessions.add(v), Path: "/", HttpOnly: true, Secure: s.TLS,
		SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife.Seconds())})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		s.sessions.drop(cookie.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
