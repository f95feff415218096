package histories

import (
	"fmt"
	"slices"
	"strings"
)

// places are where a lanes file may be, the one that counts first.
var places = []string{".pushlane/lanes.toml", "lanes.toml", "ci/lanes.toml"}

// rules is what the lanes of a tree refuse, as far as the model knows.
type rules struct {
	name   string
	files  bool     // a file with a conflict in it
	below  string   // of paths below this folder alone
	guard  []string // lanes files at these places may not change
	refs   bool     // no frozen branch
	broken bool     // they cannot be read
}

const (
	filesLane = "[[lane]]\nid = \"files\"\nplugin = \"files\"\n"
	srcLane   = "[[lane]]\nid = \"files\"\nplugin = \"files\"\npaths = [\"src/**\"]\n"
	guardLane = "[[lane]]\nid = \"guard\"\nplugin = \"files\"\npaths = [%s]\n[lane.with]\nmax_size = \"1B\"\n"
	refsLane  = "[[lane]]\nid = \"refs\"\nplugin = \"refguard\"\n"
)

// catalogue is every lanes file that a history may hold.
func catalogue() map[string]rules {
	all := map[string]rules{
		"version = 1\n":                        {name: "open"},
		"version = 1\n" + filesLane:            {name: "files", files: true},
		"version = 1\n" + srcLane:              {name: "src", files: true, below: "src/"},
		"version = 1\n" + filesLane + refsLane: {name: "refs", files: true, refs: true},
		"version = \"one\"\n":                  {name: "broken", broken: true},
		"version = 1\n" + filesLane + fmt.Sprintf(guardLane, `"`+strings.Join(places, `", "`)+`"`): {
			name: "guard", files: true, guard: places},
	}
	for i, place := range places {
		text := "version = 1\n" + filesLane + fmt.Sprintf(guardLane, `"`+place+`"`)
		all[text] = rules{name: fmt.Sprint("guard", i), files: true, guard: places[i : i+1]}
	}
	return all
}

// lanesNamed is the text of the lanes that the script calls so.
func lanesNamed(name string) string {
	for text, r := range catalogue() {
		if r.name == name {
			return text
		}
	}
	panic("no lanes are called " + name)
}

// lanesOf lists the places of the lanes files of a tree.
func lanesOf(o *object) []string {
	return slices.DeleteFunc(slices.Clone(places), func(place string) bool { return o == nil || o.tree[place] == "" })
}

// rulesOf are the lanes of a tree; false: it has none.
func rulesOf(o *object) (rules, bool) {
	at := lanesOf(o)
	if len(at) == 0 {
		return rules{}, false
	}
	return catalogue()[o.tree[at[0]]], true
}

const conflict = "<<<<<<< "

func bad(text string) bool { return strings.Contains(text, conflict) }

// Lane is what Verdict needs of a lane and of the update that it judges.
type Lane struct {
	Plugin  string
	MaxSize string // of its settings
	Ref     string
	Forced  bool
	Changed []string // contents of the changed files
}

// Verdict says what the plugins files and refguard say in the histories of
// this package, for a gate in which no plugin runs; true is a pass.
func Verdict(l Lane) bool {
	if l.Plugin == "refguard" {
		return !l.Forced && !strings.Contains(l.Ref, "frozen")
	}
	return !slices.ContainsFunc(l.Changed, func(text string) bool {
		return bad(text) || l.MaxSize == "1B" &&
			len(text) > 1
	})
}
