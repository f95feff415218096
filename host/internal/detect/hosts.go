package detect

import (
	"net/url"
	"strings"
)

// PublicHosts are where a package manager has its packages that was told nothing
// else, as its documentation says.
func PublicHosts(manager string) []string {
	switch manager {
	case "npm":
		return []string{"registry.npmjs.org"}
	case "go":
		return []string{"proxy.golang.org", "sum.golang.org"}
	case "pip":
		return []string{"pypi.org", "files.pythonhosted.org"}
	case "cargo":
		return []string{"index.crates.io", "static.crates.io"}
	case "maven":
		return []string{"repo.maven.apache.org"}
	case "gradle":
		return []string{"services.gradle.org", "*.gradle.org", "repo.maven.apache.org"}
	case "bundler":
		return []string{"rubygems.org", "index.rubygems.org"}
	}
	return nil
}

// Question is a command that prints what a package manager is set to on this
// machine.
type Question struct{ Command []string }

// Questions are asked where the tool is installed: an organisation's mirror is set
// there, and in no file of the repository.
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
