package lanes

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const everyKey = `version = 1

[groups.db]
limit = 2

[[lane]]
id = "lint"
plugin = "files"

[[lane]]
id = "go-test"
title = "check-go"
plugin = "shell"
paths = ["**/*.go", "go.mod"]
ignore = ["docs/**"]
on = ["pre-push", "schedule"]
branches = ["main", "release/*"]
schedule = "0 8 * * *"
needs = ["lint"]
required = false
timeout = "1h30m"
retries = 2
concurrency_group = "db"
supersede = true
remember = "containers"
[lane.with]
image = "default"
count = 3
share = 0.5
day = 2026-01-02
at = 2026-01-02T03:04:05Z
clock = [07:08:09, 2026-01-02T03:04:05]
"a.b" = { c = [true] }
[lane.grant]
read = ["src/**", "*.md"]
container = true
network = true
http = ["api.example.org", "example.org:8443"]
secrets = ["TOKEN"]
kv = true
clock = true
env = ["CI"]
`

func TestLoadReadsEveryKey(t *testing.T) {
	set, err := Load("lanes.toml", []byte(everyKey))
	if err != nil {
		t.Fatal(err)
	}
	want := []Lane{
		{ID: "lint", Title: "lint", Plugin: "files", On: []string{"pre-push", "pre-receive"}, Required: true,
			Timeout: 10 * time.Minute, Remember: "plugin", With: map[string]any{}, Grant: Grant{Read: true, History: true},
			Line: 6},
		{ID: "go-test", Title: "check-go", Plugin: "shell", Paths: []string{"**/*.go", "go.mod"}, Ignore: []string{"docs/**"},
			On: []string{"pre-push", "schedule"}, Branches: []string{"main", "release/*"}, Schedule: "0 8 * * *",
			Needs: []string{"lint"}, Timeout: 90 * time.Minute, Retries: 2, ConcurrencyGroup: "db", Supersede: true,
			Remember: "containers",
			With: map[string]any{
				"image": "default", "count": int64(3), "share": 0.5, "day": "2026-01-02", "at": "2026-01-02T03:04:05Z",
				"clock": []any{"07:08:09", "2026-01-02T03:04:05"}, "a.b": map[string]any{"c": []any{true}},
			},
			Grant: Grant{Read: true, Files: []string{"src/**", "*.md"}, History: true, Container: true, Network: true,
				HTTP: []string{"api.example.org", "example.org:8443"}, Secrets: []string{"TOKEN"}, KV: true, Clock: true,
				Env: []string{"CI"}}, Line: 10},
	}
	if !reflect.DeepEqual(set.Lanes, want) {
		t.Errorf("lanes\n got %+v\nwant %+v", set.Lanes, want)
	}
	if set.Version != 1 || set.Source != "lanes.toml" ||
		!reflect.DeepEqual(set.Groups, map[string]Group{"db": {Limit: 2, Line: 3}}) {
		t.Errorf("set: %+v", set)
	}
}

// lane is a file of one good lane with more lines at its end; they begin at
// line 5.
func lane(more string) string {
	return "version = 1\n[[lane]]\nid = \"a\"\nplugin = \"shell\"\n" + more
}

// two is a second lane below lane(more).
const two = "[[lane]]\nid = \"b\"\nplugin = \"shell\"\n"

func TestLoadRefuses(t *testing.T) {
	tests := map[string]struct {
		file string
		want string // all messages, one a line; a hint follows after " => "
	}{
		"an empty file":     {"", "f:1: no version; write `version = 1` first"},
		"a later version":   {"version = 2\n", "f:1: version 2 is not known to this pushlane, which knows version 1"},
		"a version as text": {"version = \"1\"\n", "f:1: version must be a whole number, not a string"},
		"TOML that is cut short": {"version = 1\n[[lane]\n",
			"f:2: broken TOML: expected ']]' to close array table name"},
		"a text without its end": {lane("title = \"x\n"), "f:5: broken TOML: basic strings cannot have new lines"},
		"a key that appears twice": {lane("title = \"x\"\n\ntitle = \"y\"\n"),
			"f:7: broken TOML: key title is already defined"},
		"a table that appears twice": {
			lane("[lane.with]\na = \"\"\"\n[lane.with]\n\"\"\"\n[lane.grant]\n[lane.with]\nb = 1\n"),
			"f:10: broken TOML: table with already exists"},
		"[lane] for [[lane]]": {"version = 1\n[lane]\nid = \"a\"\n", "f:2: lane must be written as [[lane]], not a table"},
		"an unknown key":      {lane("timout = \"1m\"\n"), "f:5: unknown key \"timout\" => did you mean \"timeout\"?"},
		"an unknown key at the top": {"version = 1\n[[lanes]]\nid = \"a\"\n",
			"f:2: unknown key \"lanes\" => did you mean \"lane\"?"},
		"an unknown key far from any": {lane("colour = 1\n"), "f:5: unknown key \"colour\""},
		"a host that is none": {lane("[lane.grant]\nhttp = [\"a.org\", \"https://a.org/x\"]\n"),
			"f:6: grant.http: \"https://a.org/x\" is not a host, such as \"api.example.org\""},
		"a secret that is a path": {lane("[lane.grant]\nsecrets = [\"../x\"]\n"),
			"f:6: grant.secrets: \"../x\" is not a name, such as \"TOKEN\""},
		"a read that is neither": {lane("[lane.grant]\nread = \"all\"\n"),
			"f:6: grant.read must be true or false, not a string"},
		"a memory of nothing": {lane("remember = \"container\"\n"),
			"f:5: remember is \"container\", want plugin, containers or never => did you mean \"containers\"?"},
		"an unknown grant": {lane("[lane.grant]\ncontainers = true\n"),
			"f:6: unknown key \"grant.containers\" => did you mean \"container\"?"},
		"wrong types": {lane("title = 1\npaths = \"x\"\nrequired = \"no\"\nretries = 1.5\nwith = 1\n"),
			"f:5: title must be a string, not a whole number\nf:6: paths must be a list of strings, not a string\n" +
				"f:7: required must be true or false, not a string\nf:8: retries must be a whole number, not a fraction\n" +
				"f:9: with must be a table, not a whole number"},
		"a wrong type in a list, on its own line": {lane("paths = [\n  \"a\", # one\n  7,\n]\n"),
			"f:7: paths[1] must be a string, not a whole number"},
		"no id":       {"version = 1\n[[lane]]\nplugin = \"x\"\n", "f:2: lane 1 has no id"},
		"a bad id":    {"version = 1\n[[lane]]\nid = \"Go\"\nplugin = \"x\"\n", "f:3: bad id \"Go\": " + idRule},
		"an empty id": {"version = 1\n[[lane]]\nid = \"\"\nplugin = \"x\"\n", "f:3: bad id \"\": " + idRule},
		"an id that appears twice": {lane("") + "[[lane]]\nid = \"a\"\nplugin = \"x\"\n",
			"f:6: id \"a\" appears twice, first at line 3"},
		"no plugin": {"version = 1\n[[lane]]\nid = \"a\"\n", "f:2: lane \"a\" has no plugin"},
		"a plugin's path": {"version = 1\n[[lane]]\nid = \"a\"\nplugin = \"../x\"\n",
			"f:4: bad plugin name \"../x\": " + idRule},
		"an unclosed class": {lane("paths = [\"a\", \"[b\"]\n"),
			"f:5: paths: bad pattern \"[b\": a [ has no ]; write \\[ to mean the character"},
		"a bad pattern in ignore": {lane("ignore = [\"/docs\"]\n"),
			"f:5: ignore: bad pattern \"/docs\": it begins with a slash; paths are relative to the repository's top folder"},
		"an unknown gate": {lane("on = [\"pre-psuh\"]\n"),
			"f:5: unknown gate \"pre-psuh\" => did you mean \"pre-push\"?"},
		"a gate twice":   {lane("on = [\"manual\", \"manual\"]\n"), "f:5: gate \"manual\" appears twice"},
		"no gate at all": {lane("on = []\n"), "f:5: `on` is empty, so the lane never runs"},
		"a timeout of words": {lane("timeout = \"soon\"\n"),
			"f:5: bad timeout \"soon\"; write it like \"90s\", \"10m\" or \"1h30m\""},
		"a timeout as number": {lane("timeout = 600\n"), "f:5: timeout must be a string, not a whole number"},
		"a negative timeout":  {lane("timeout = \"-1m\"\n"), "f:5: timeout \"-1m\" is not above zero"},
		"a timeout of weeks":  {lane("timeout = \"500h\"\n"), "f:5: timeout \"500h\" is longer than 24h"},
		"negative retries":    {lane("retries = -1\n"), "f:5: retries must be from 0 to 10, not -1"},
		"a million retries":   {lane("retries = 1000001\n"), "f:5: retries must be from 0 to 10, not 1000001"},
		"a schedule of four fields": {lane("on = [\"schedule\"]\nschedule = \"0 8 * *\"\n"),
			"f:6: bad schedule \"0 8 * *\": it has 4 fields, not the 5 of cron (minute hour day month weekday)"},
		"a schedule without its gate": {lane("schedule = \"0 8 * * *\"\n"),
			"f:5: a schedule without `on = [\"schedule\"]` never starts the lane"},
		"the gate schedule without one": {lane("on = [\"schedule\"]\n"),
			"f:5: the gate \"schedule\" needs a `schedule`, such as \"0 8 * * *\""},
		"a need of no one": {lane("needs = [\n\"bb\"]\n") + two,
			"f:6: lane \"a\" needs \"bb\", and there is no such lane => did you mean \"b\"?"},
		"a need of itself": {lane("needs = [\"a\"]\n"), "f:5: lanes wait for each other: a -> a"},
		"a cycle": {lane("needs = [\"b\"]\n") + two +
			"needs = [\"c\"]\n[[lane]]\nid = \"c\"\nplugin = \"x\"\nneeds = [\"b\"]\n",
			"f:9: lanes wait for each other: b -> c -> b"},
		"a need twice": {lane("needs = [\"b\", \"b\"]\n") + two, "f:5: lane \"a\" needs \"b\" twice"},
		"a need that never meets": {lane("needs = [\"b\"]\n") + two + "on = [\"manual\"]\n",
			"f:5: lane \"a\" needs \"b\", but they never run at the same gate (pre-push, pre-receive; manual)"},
		"an unknown group": {lane("concurrency_group = \"dd\"\n[groups.db]\nlimit = 1\n"),
			"f:5: lane \"a\" is in concurrency_group \"dd\", and there is no [groups.dd] => did you mean \"db\"?"},
		"a group's limit of zero": {lane("[groups.db]\nlimit = 0\n"), "f:6: groups.db.limit must be from 1 to 1000, not 0"},
		"a group without a limit": {lane("[groups.db]\n"), "f:5: group \"db\" has no limit"},
		"a group that is not a table": {lane("groups = 1\n[groups]\ndb = 1\n"),
			"f:5: unknown key \"groups\"\nf:7: groups.db must be a table, not a whole number"},
		"settings that JSON cannot say": {lane("[lane.with]\na = [1,\n inf]\n"),
			"f:7: a is +Inf, and JSON has no such number"},
		"a thousand nested lists": {lane("with.a = " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "\n"),
			"f:5: tables or lists are nested more than 64 deep"},
		"a thousand nested tables": {lane("with" + strings.Repeat(".a", 1000) + " = 1\n"),
			"f:5: tables or lists are nested more than 64 deep"},
		"a megabyte of brackets":   {lane("with.a = " + strings.Repeat("[", 1<<19)), "f: brackets are nested too deep"},
		"a table of too many keys": {lane("[lane.with]\n" + manyKeys(1001)), "f:1006: a table has more than 1000 keys"},
		"a forge's file": {"version = 1\n[[branch.lanes]]\nid = \"a\"\n",
			"f: this is a forge's lanes file; turn it into pushlane's with: pushlane import forge-lanes f"},
		"a file that is too large": {lane("#" + strings.Repeat("x", 1<<20)),
			"f: the file has 1048624 bytes, more than the 1048576 allowed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set, err := Load("f", []byte(test.file))
			if set != nil || words(err) != test.want {
				t.Errorf("set %v, got\n%s\nwant\n%s", set, words(err), test.want)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d = 1\n", i)
	}
	return b.String()
}

// words writes all faults of an error, one a line, with their hints.
func words(err error) string {
	if err == nil {
		return ""
	}
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return "not joined: " + err.Error()
	}
	var lines []string
	for _, e := range list.Unwrap() {
		f := (*FormatError)(nil)
		if !errors.As(e, &f) {
			return "not a FormatError: " + e.Error()
		}
		line := f.Error()
		if hint := f.Hint(); hint != "" {
			line += " => " + hint
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestLoadTells(t *testing.T) {
	t.Run("no more than fifty faults", func(t *testing.T) {
		_, err := Load("f", []byte("version = 1\n"+strings.Repeat("[[lane]]\n", 60)))
		lines := strings.Split(words(err), "\n")
		if len(lines) != 51 || lines[50] != "f: and 70 more errors" {
			t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
		}
	})
	t.Run("nothing of a byte order mark and of CRLF", func(t *testing.T) {
		set, err := Load("f", []byte("\ufeff"+strings.ReplaceAll(lane(""), "\n", "\r\n")))
		if err != nil || set.Lanes[0].Line != 2 {
			t.Errorf("%v %v", set, err)
		}
	})
	t.Run("a file without lanes as it is", func(t *testing.T) {
		if set, err := Load("f", []byte("version = 1\n")); err != nil || len(set.Lanes) != 0 {
			t.Errorf("%v %v", set, err)
		}
	})
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{everyKey, lane("needs = [\"a\"]\n"), "version = 1\n[[lane]\n",
		"a.b.c = {d = [1, {e = 2}]}", "\"\\u0000\" = 1",
		"[[a]]\n[a.b]\n[[a]]\n[[a.c]]\n", "a = [[[]]]\n# c\nb = 07:00:00\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Load("f", data)
		if (set == nil) == (err == nil) {
			t.Fatalf("set %v and error %v", set, err)
		}
		last, lines := 0, strings.Count(string(data), "\n")+1
		for _, line := range strings.Split(words(err), "\n") {
			if strings.HasPrefix(line, "not ") {
				t.Fatal(line)
			}
		}
		if list, ok := err.(interface{ Unwrap() []error }); ok {
			for i, e := range list.Unwrap() {
				at := e.(*FormatError).Line
				if i < maxFaults && (at < last || at > lines) {
					t.Fatalf("line %d after %d in a file of %d lines: %v", at, last, lines, err)
				}
				last = at
			}
		}
		if set != nil {
			pick(t, set, Event{Gate: "pre-push", Ref: "refs/heads/main", Paths: []string{"a", "b/c"}})
		}
	})
}
