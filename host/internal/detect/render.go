package detect

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/lanes"
)

// Lanes is the text of a lanes file for what was found. Hosts says from where a
// package manager has its packages; none: it is not known.
func Lanes(f Found, hosts func(manager string) []string) []byte {
	var b strings.Builder
	b.WriteString(head)
	ids := map[string]int{"files": 1, "commits": 1}
	for _, p := range f.Projects {
		b.WriteString("\n")
		writeLane(&b, p, laneID(p, ids), hosts)
	}
	return []byte(b.String())
}

const head = `# The lanes of this repository: checks that run when a push changes their paths.
# To see which lanes a push would run, and why: pushlane lanes --explain
version = 1

[[lane]]
id = "files"            # conflict markers and private keys
plugin = "files"

[[lane]]
id = "commits"          # no fixup! or empty messages
plugin = "commits"
`

// literal are the characters that mean something in a glob.
var literal = regexp.MustCompile(`[*?\[\]\\{}]`)

var notID = regexp.MustCompile(`[^a-z0-9]+`)

// laneID is the folder's name and the language's, "test" for the only one at the
// top.
func laneID(p Project, taken map[string]int) string {
	id := "test"
	if p.Dir != "" {
		id = strings.Trim(notID.ReplaceAllString(strings.ToLower(p.Dir), "-"), "-")
	}
	if id == "" || taken[id] > 0 {
		id = strings.Trim(id+"-"+p.Lang, "-")
	}
	if taken[id]++; taken[id] > 1 {
		id = fmt.Sprintf("%s-%d", id, taken[id])
	}
	return id
}

func writeLane(b *strings.Builder, p Project, id string, hosts func(string) []string) {
	fmt.Fprintf(b, "# %s\n[[lane]]\nid = %q\nplugin = %q\n", lanes.Comment(strings.Join(p.Why, "; ")), id, p.Plugin)
	if p.Dir != "" {
		fmt.Fprintf(b, "paths = [%s]\n", lanes.Quoted(path.Join(literal.ReplaceAllString(p.Dir, `\$0`), "**")))
	} else {
		b.WriteString("ignore = [\"**/*.md\"]\n")
	}
	if p.Plugin != "nix" {
		writeWith(b, p)
	}
	b.WriteString("[lane.grant]\ncontainer = true\n")
	if p.Fetches == "" {
		return
	}
	all := slices.Clone(p.Hosts)
	for _, host := range hosts(p.Fetches) {
		if !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	if len(all) == 0 {
		fmt.Fprintf(b, "# network = [\"HOST\"]    # from where %s has its packages\n", p.Fetches)
		return
	}
	fmt.Fprintf(b, "network = %s\n", list(all))
}

func writeWith(b *strings.Builder, p Project) {
	b.WriteString("[lane.with]\n")
	if p.Image != "" {
		fmt.Fprintf(b, "image = %s\n", lanes.Quoted(p.Image))
	}
	if p.Dir != "" {
		fmt.Fprintf(b, "workdir = %s\n", lanes.Quoted(p.Dir))
	}
	if len(p.Run) == 1 {
		fmt.Fprintf(b, "run = %s\n", lanes.Quoted(p.Run[0]))
	} else {
		fmt.Fprintf(b, "run = '''\n%s\n'''\n", strings.Join(p.Run, "\n"))
	}
	if len(p.Matchers) > 0 {
		fmt.Fprintf(b, "matchers = %s\n", list(p.Matchers))
	}
	if len(p.Caches) > 0 {
		fmt.Fprintf(b, "cache = %s\n", list(p.Caches))
	}
}

func list(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = lanes.Quoted(word)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
