package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/store"
)

func localName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// route is one address of the site. There is no other way to add one, so that
// none is without a scope.
type route struct {
	pattern string
	scope   int // scopeNone: anyone, without a look at who it is
	serve   http.HandlerFunc
}

// auth finds out who sent a request, and lets it through or not.
type auth struct {
	Options
	sessions *sessions
	out      *renderer
}

// needs lets a request through whose sender has the scope.
func (s *auth) needs(scope int, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, ok := s.visitor(r)
		switch {
		case !ok && strings.HasPrefix(r.URL.Path, "/api/"):
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.out.problem(w, r, http.StatusUnauthorized, "a token is required")
		case !ok:
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		case v.Scope < scope:
			s.out.problem(w, r, http.StatusForbidden, "your token does not have the scope for this: "+Scopes()[scope-1])
		case r.Method == http.MethodPost && v.form != "" && !sameText(v.form, r.PostFormValue("form")):
			s.out.problem(w, r, http.StatusForbidden, "this form is from another session: reload the page")
		default:
			s.hold(w, r, v, next)
		}
	}
}

func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// visitor finds out who sent a request.
func (s *auth) visitor(r *http.Request) (visitor, bool) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return s.byToken(r.Context(), token)
	}
	if name, ok := s.Proxy.user(r); ok {
		if v, ok := s.proxied(r.Context(), name); ok {
			return v, true
		}
	}
	if v, ok := s.byCookie(r); ok {
		return v, true
	}
	if s.Loopback && !forwarded(r) {
		return visitor{Name: "localhost", Scope: scopeAdmin}, true
	}
	return visitor{}, false
}

// forwarded reports whether a proxy sent a request: then its user may be
// anywhere, though the connection comes from this machine.
func forwarded(r *http.Request) bool {
	names := []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}
	return slices.ContainsFunc(names, func(name string) bool { return r.Header.Get(name) != "" })
}

// byToken finds the visitor of a token.
func (s *auth) byToken(ctx context.Context, token string) (visitor, bool) {
	return s.byHash(ctx, HashToken(token))
}

// byHash looks a token up in the store, which alone knows what it may do now:
// another process may have changed or revoked it. A lookup that fails refuses.
func (s *auth) byHash(ctx context.Context, hash [32]byte) (visitor, bool) {
	t, err := s.Store.Tokens().ByHash(ctx, hash)
	if err != nil {
		if !errors.Is(err, store.ErrNoToken) && ctx.Err() == nil {
			s.Log.WithError(err).Warn("tokens")
		}
		return visitor{}, false
	}
	return visitor{Name: t.Name, Scope: scopeOf(t.Scope), Repositories: t.Repositories}, true
}

// byCookie finds the visitor of a session, by the token that it began with.
func (s *auth) byCookie(r *http.Request) (visitor, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return visitor{}, false
	}
	one, ok := s.sessions.find(cookie.Value)
	if !ok {
		return visitor{}, false
	}
	v, ok := s.byHash(r.Context(), one.token)
	v.form = one.form
	return v, ok
}

// NewToken makes a token: "pl_" and 128 bits at random.
func NewToken() string { return "pl_" + strings.ToLower(rand.Text()) }

// HashToken is the form in which tokens are stored.
func HashToken(token string) [32]byte { return sha256.Sum256([]byte(token)) }

func (s *auth) loginPage(w http.ResponseWriter, r *http.Request) {
	s.out.show(w, r, http.StatusOK, "login", page{Title: "Log in"})
}

func (s *auth) login(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimSpace(r.PostFormValue("token"))
	if _, ok := s.byToken(r.Context(), token); !ok {
		s.sessions.afterWrong(r.Context())
		s.out.show(w, r, http.StatusUnauthorized, "login", page{Title: "Log in", Data: "Unknown token."})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: s.sessions.add(HashToken(token)), Path: "/", HttpOnly: true,
		Secure: s.HTTPS, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife.Seconds())})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *auth) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		s.sessions.drop(cookie.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", HttpOnly: true,
		Secure: s.HTTPS, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// proxied is the visitor whom the proxy names; ok is false where the user may
// do nothing.
func (s *auth) proxied(ctx context.Context, user string) (v visitor, ok bool) {
	v = visitor{Name: user, Scope: scopeOf(s.Proxy.Scope)}
	i := slices.IndexFunc(s.Proxy.Access, func(a Access) bool { return a.User == user })
	if i < 0 {
		return v, v.Scope > scopeNone
	}
	a := s.Proxy.Access[i]
	v.Scope = scopeOf(a.Scope)
	if len(a.Repositories) > 0 {
		all, err := s.Store.Repositories().Known(ctx)
		if err != nil {
			s.Log.WithError(err).Warn("rights of a user")
			return visitor{}, false
		}
		v.Repositories = keysOf(all, a.Repositories)
	}
	return v, v.Scope > scopeNone
}
