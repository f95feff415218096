package egress

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Name is an entry of a list of names: "registry.example.org", "*.example.org:8443" or "*". The zero Name allows
// nothing.
type Name struct {
	host string // a host name in lower case
	wild bool   // every name that ends with "."+host; every name where host is empty
	port uint16 // 0: 443 and 80
}

// The last label of a name begins with a letter: nothing that a resolver takes for an address does.
var hostForm = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

const maxName = 253 // bytes of a host name

// ParseName reads an entry.
func ParseName(text string) (Name, error) {
	host, port, hasPort := strings.Cut(text, ":")
	n := Name{host: host}
	switch {
	case host == "*":
		n.host, n.wild = "", true
	case strings.HasPrefix(host, "*."):
		n.host, n.wild = host[2:], true
	}
	if len(host) > maxName || host != "*" && !hostForm.MatchString(n.host) {
		return Name{}, fmt.Errorf("%q is not a name such as registry.example.org, *.example.org or *.example.org:8443", text)
	}
	if !hasPort {
		return n, nil
	}
	number, ok := parsePort(port)
	if !ok {
		return Name{}, fmt.Errorf("%q: its port is not one of 1 to 65535", text)
	}
	n.port = number
	return n, nil
}

func parsePort(text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && n > 0 && text[0] != '0' && text[0] != '+'
}

// ParseNames reads a list of entries.
func ParseNames(texts []string) ([]Name, error) {
	var all []Name
	for _, text := range texts {
		n, err := ParseName(text)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// String is the entry as it is written.
func (n Name) String() string {
	text := n.host
	switch {
	case n.wild && n.host == "":
		text = "*"
	case n.wild:
		text = "*." + n.host
	}
	if n.port != 0 {
		text += ":" + strconv.Itoa(int(n.port))
	}
	return text
}

// allows reports whether the entry has a host name in lower case, at a port.
func (n Name) allows(host string, port uint16) bool {
	if n.port != port && (n.port != 0 || port != 443 && port != 80) {
		return false
	}
	return n.has(host)
}

func (n Name) has(host string) bool {
	if !n.wild {
		return host != "" && host == n.host
	}
	return n.host == "" || strings.HasSuffix(host, "."+n.host)
}

// Covers reports whether the entry has all that another one has.
func (n Name) Covers(m Name) bool {
	ports := []uint16{m.port}
	if m.port == 0 {
		ports = []uint16{443, 80}
	}
	if slices.ContainsFunc(ports, func(p uint16) bool { return n.port != p && (n.port != 0 || p != 443 && p != 80) }) {
		return false
	}
	if !m.wild {
		return n.has(m.host)
	}
	return n.wild && (n.host == "" || m.host == n.host || strings.HasSuffix(m.host, "."+n.host))
}

// Covered reports whether a list has all that an entry has.
func Covered(list []Name, n Name) bool {
	return slices.ContainsFunc(list, func(one Name) bool { return one.Covers(n) })
}
