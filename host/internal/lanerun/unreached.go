package lanerun

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/egress"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// unresolved are the words in which programs say that they could not find a name, with the name: curl, git, apt and
// cargo, then node, go, busybox, wget, python.
func unresolved() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`[Cc]ould not resolve (?:host(?:name)?:? |['"])([A-Za-z0-9._-]+)`),
		regexp.MustCompile(`getaddrinfo (?:EAI_AGAIN|ENOTFOUND) ([A-Za-z0-9._-]+)`),
		regexp.MustCompile(`lookup ([A-Za-z0-9._-]+)(?: on [^ ]+)?: `),
		regexp.MustCompile(`bad address '([A-Za-z0-9._-]+)`),
		regexp.MustCompile(`resolve host address [‘'"]([A-Za-z0-9._-]+)`),
		regexp.MustCompile(`[Ff]ailed to (?:resolve|lookup address)[^'"\n]{0,40}['"]([A-Za-z0-9._-]+)`),
	}
}

// noRoute are the words for the same without a name.
func noRoute() *regexp.Regexp {
	return regexp.MustCompile(`(?i)temporary failure in name resolution|name or service not known|EAI_AGAIN|` +
		`network is unreachable|ENETUNREACH`)
}

// maxUnreached is how many names a hint lists.
const maxUnreached = 8

// unreachedIn finds the names that a command's output says it did not find, in their order; hit is true also where the
// output names none.
func unreachedIn(output string) (names []string, hit bool) {
	for line := range strings.Lines(output) {
		for _, form := range unresolved() {
			m := form.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			hit = true
			name := strings.ToLower(strings.Trim(m[1], "."))
			if _, err := egress.ParseName(name); err == nil && !slices.Contains(names, name) && len(names) < maxUnreached {
				names = append(names, name)
			}
		}
	}
	return names, hit || noRoute().MatchString(output)
}

// networkWord says, after a command that failed, what of its network had a part in that: one line, "" for nothing.
func (l *Lane) networkWord(c sdk.Container, use *networkUse, output string) string {
	granted := l.lane().Grant.Names
	if c.Network && len(granted) > 0 {
		missing := use.notGranted()
		if len(missing) > 0 {
			missing = missing[:min(len(missing), maxUnreached)]
			return fmt.Sprintf("the lane does not grant %s; to allow it, write in [lane.grant]: %s",
				strings.Join(missing, ", "), lanes.GrantLine("container.network", append(slices.Clone(granted), missing...)...))
		}
		if _, hit := unreachedIn(output); hit {
			return "names are found by the host's proxy alone: the program has to use it (HTTPS_PROXY, HTTP_PROXY)"
		}
		return ""
	}
	if c.Network {
		return ""
	}
	names, hit := unreachedIn(output)
	switch {
	case !hit:
		return ""
	case l.can("container.network"):
		return "this container has no network: the lane grants one, and its settings do not use it"
	case len(names) == 0:
		return "this lane has no network; to allow it, name in [lane.grant] what it needs: " +
			lanes.GrantHint("container.network")
	}
	return fmt.Sprintf("this lane has no network; to let it reach %s, write in [lane.grant]: %s",
		strings.Join(names, ", "), lanes.GrantLine("container.network", names...))
}
