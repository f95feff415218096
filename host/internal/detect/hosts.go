package detect

import (
	"net/url"
	"strings"
)

// Question is a command that prints what a package manager is set to on this
// machine.
type Question struct{ Command []string }

// Questions are asked where the tool is installed: it knows from where it has its
// packages, an organisation's mirror too, which is in no file of the repository.
func Questions(manager string) []Question {
	switch manager {
	case "npm":
		return []Question{{[]string{"npm", "config", "get", "registry"}}}
	case "go":
		return []Question{{[]string{"go", "env", "GOPROXY"}}, {[]string{"go", "env", "GOSUMDB"}}}
	case "pip":
		return []Question{{[]string{"pip", "config", "get", "global.index-url"}}}
	}
	return nil
}

// HostsOf reads hosts out of what a tool answered: URLs, or a name with a space and a
// URL, or a host alone, separated by commas.
func HostsOf(answer string) []string {
	var hosts []string
	for _, word := range strings.FieldsFunc(answer, func(r rune) bool { return strings.ContainsRune(", |\n", r) }) {
		u, err := url.Parse(word)
		switch {
		case err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
			hosts = append(hosts, u.Host)
		case err == nil && u.Scheme == "" && strings.Contains(word, ".") && !strings.ContainsAny(word, "/+"):
			hosts = append(hosts, word)
		}
	}
	return hosts
}
