package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxy is the reverse proxy that authenticates users. Its zero value is none.
type Proxy struct {
	Header    string         // in which it names the user; "" none
	Addresses []netip.Prefix // from which the header is believed
	Socket    bool           // the page listens on a unix socket: its mode says who may connect, and all are believed
	Scope     string         // of users whom Access does not name: none, read or run
	Access    []Access       // what single users may do
	Alone     bool           // no one else is answered: the page listens beyond this machine without TLS
}

// maxUser is the most bytes of a user's name.
const maxUser = 255

// user is whom the proxy names. A header that comes from elsewhere, twice,
// empty or as a list does not name anyone: a client of the proxy may
// have written a part of it.
func (p Proxy) user(r *http.Request) (string, bool) {
	if p.Header == "" || !p.Socket && !p.has(r.RemoteAddr) {
		return "", false
	}
	values := r.Header.Values(p.Header)
	if len(values) != 1 {
		return "", false
	}
	name := strings.TrimSpace(values[0])
	return name, name != "" && len(name) <= maxUser && !strings.Contains(name, ",")
}

// has reports whether a connection comes from the proxy. The address is that
// of the connection: headers such as X-Forwarded-For are anyone's.
func (p Proxy) has(remote string) bool {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, prefix := range p.Addresses {
		if prefix.Contains(from.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}
