package lanes

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	tomlv2 "github.com/pelletier/go-toml/v2"

	"github.com/pushlane/pushlane/lanes/plaintext"
)

// MaxFile is the size limit of a lanes file, in bytes.
const MaxFile = 1 << 20

const (
	defaultTimeout = 10 * time.Minute
	maxTimeout     = 24 * time.Hour
	maxRetries     = 10
	maxLimit       = 1000
)

// Load reads a lanes file. Source is the name that its errors carry. All
// faults are found in one go: the error is an errors.Join of *FormatError in
// the order of their lines, and the set is nil.
func Load(source string, data []byte) (*Set, error) {
	l := &loader{
		source: source, noted: map[FormatError]bool{},
		set: &Set{Source: source, Groups: map[string]Group{}, Images: map[string]Recipe{}, globs: map[string]Glob{}},
	}
	root, ok := l.parse(data)
	if ok {
		l.file(root)
	}
	if len(l.faults) > 0 {
		return nil, l.err()
	}
	return l.set, nil
}

type loader struct {
	source string
	set    *Set
	tables []table // of the lanes, in step with set.Lanes
	faults []*fault
	noted  map[FormatError]bool
}

// fault is an error on its way: the name that may have been meant is looked
// for only when the error is one of those that are shown.
type fault struct {
	FormatError
	written string
	names   []string
}

// fault records an error once: some keys are checked twice.
func (l *loader) fault(line int, format string, args ...any) *fault {
	f := &fault{FormatError: FormatError{File: l.source, Line: line, Msg: fmt.Sprintf(format, args...)}}
	if !l.noted[f.FormatError] {
		l.noted[f.FormatError] = true
		l.faults = append(l.faults, f)
	}
	return f
}

// not says which names there are where another was written.
func (f *fault) not(written string, names []string) { f.written, f.names = written, names }

// maxFaults is how many faults one error lists.
const maxFaults = 50

func (l *loader) err() error {
	slices.SortStableFunc(l.faults, func(a, b *fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Msg, b.Msg))
	})
	all := make([]error, 0, maxFaults+1)
	for i, f := range l.faults {
		if i == maxFaults {
			more := fmt.Sprintf("and %d more errors", len(l.faults)-i)
			all = append(all, &FormatError{File: l.source, Msg: more})
			break
		}
		f.Suggestion = Nearest(f.written, f.names)
		all = append(all, &f.FormatError)
	}
	return errors.Join(all...)
}

// parse gives the document's values and the lines they are on.
func (l *loader) parse(data []byte) (table, bool) {
	if len(data) > MaxFile {
		l.fault(0, "the file has %d bytes, more than the %d allowed", len(data), MaxFile)
		return table{}, false
	}
	data, err := plaintext.Of(data)
	if err != nil {
		l.fault(0, "%s", err)
		return table{}, false
	}
	if bracketsTooDeep(data) {
		l.fault(0, "brackets are nested too deep")
		return table{}, false
	}
	doc := readPlaces(data)
	if doc.excess.Line > 0 {
		l.fault(doc.excess.Line, "%s", doc.excess.Msg)
		return table{}, false
	}
	values := map[string]any{}
	if err := tomlv2.Unmarshal(data, &values); err != nil {
		l.broken(err, doc, data)
		return table{}, false
	}
	return table{l: l, values: values, place: doc.root}, true
}

func (l *loader) broken(err error, doc *document, data []byte) {
	line := 0
	if de := (*tomlv2.DecodeError)(nil); errors.As(err, &de) {
		line, _ = de.Position()
	} else {
		line = doc.blame(data, func(part []byte) bool {
			return tomlv2.Unmarshal(part, &map[string]any{}) != nil
		})
	}
	l.fault(line, "broken TOML: %s", tomlCause(err))
}

func (l *loader) file(t table) {
	if !t.has("lane") && (t.has("branch") || t.has("nightly")) {
		l.fault(0, "this is a forge's lanes file; turn it into pushlane's with: pushlane import forge-lanes %s", l.source)
		return
	}
	t.known("version", "lane", "groups", "image")
	l.version(t)
	l.groups(t)
	l.recipes(t)
	for i, lane := range t.tables("lane") {
		l.lane(i, lane)
	}
	l.checkPatterns()
	l.checkIDs()
	l.checkNeeds()
	l.checkGroups(t)
}

// maxPatterns is how many patterns the lanes of a file have in all: each is
// held against every changed path of a push, before any lane runs.
const maxPatterns = 2000

func (l *loader) checkPatterns() {
	n := 0
	for _, lane := range l.set.Lanes {
		n += len(lane.Paths) + len(lane.Ignore) + len(lane.Branches) + len(lane.Grant.Files)
		if n > maxPatterns {
			l.fault(lane.Line, "the lanes up to this one have %d patterns, more than the %d allowed", n, maxPatterns)
			return
		}
	}
}

func (l *loader) version(t table) {
	v, given := t.integer("version", 1, 1<<31)
	switch {
	case !t.has("version"):
		l.fault(1, "no version; write `version = 1` first")
	case given && v != 1:
		l.fault(t.line("version"), "version %d is not known to this pushlane, which knows version 1", v)
	}
	l.set.Version = v
}

func (l *loader) groups(t table) {
	groups, ok := t.table("groups")
	if !ok {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(groups.values)) {
		g, ok := groups.table(name)
		if !ok {
			continue
		}
		if !validID(name) {
			l.fault(g.place.at(), "group %q: %s", name, idRule)
		}
		g.known("limit")
		limit, given := g.integer("limit", 1, maxLimit)
		if !g.has("limit") {
			l.fault(g.place.at(), "group %q has no limit", name)
		}
		if given {
			l.set.Groups[name] = Group{Limit: limit, Line: g.place.at()}
		}
	}
}

func (l *loader) lane(i int, t table) {
	t.known("id", "title", "plugin", "paths", "ignore", "on", "branches", "needs", "schedule", "required",
		"timeout", "retries", "concurrency_group", "supersede", "remember", "with", "grant")
	lane := Lane{
		ID: l.id(i, t), Plugin: l.plugin(t), Title: t.text("title", ""), Line: t.place.at(),
		Paths: l.patterns(t, "paths"), Ignore: l.patterns(t, "ignore"), Branches: l.patterns(t, "branches"),
		On: l.on(t), Needs: t.texts("needs"), Schedule: l.schedule(t),
		Required: t.boolean("required", true), Supersede: t.boolean("supersede", false), Remember: l.remember(t),
		Timeout: l.timeout(t), ConcurrencyGroup: t.text("concurrency_group", ""),
		With: map[string]any{}, Grant: l.grant(t),
	}
	lane.Retries, _ = t.integer("retries", 0, maxRetries)
	if with, ok := t.table("with"); ok {
		lane.With = with.plain()
	}
	if lane.Title == "" {
		lane.Title = lane.ID
	}
	l.checkSchedule(t, lane)
	l.set.Lanes, l.tables = append(l.set.Lanes, lane), append(l.tables, t)
}

func (l *loader) id(i int, t table) string {
	id := t.text("id", "")
	switch {
	case !t.has("id"):
		l.fault(t.place.at(), "lane %d has no id", i+1)
	case t.isText("id") && !validID(id):
		l.fault(t.line("id"), "bad id %q: %s", id, idRule)
	}
	return id
}

const idRule = "an id is made of a-z, 0-9, _ and -, at most 100 bytes, and begins with a letter or digit"

func validID(id string) bool {
	for i, c := range []byte(id) {
		word := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !word && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return id != "" && len(id) <= 100
}

func (l *loader) plugin(t table) string {
	name := t.text("plugin", "")
	switch {
	case !t.has("plugin"):
		l.fault(t.place.at(), "lane %q has no plugin", t.text("id", ""))
	case t.isText("plugin") && !validID(name):
		l.fault(t.line("plugin"), "bad plugin name %q: %s", name, idRule)
	}
	return name
}

// patterns reads a list of globs and keeps each one parsed.
func (l *loader) patterns(t table, key string) []string {
	list := t.texts(key)
	for i, p := range list {
		if _, done := l.set.globs[p]; done {
			continue
		}
		g, err := ParseGlob(p)
		if err != nil {
			l.fault(t.itemLine(key, i), "%s: %s", key, err)
			continue
		}
		l.set.globs[p] = g
	}
	return list
}

func (l *loader) on(t table) []string {
	if !t.has("on") {
		return []string{"pre-push", "pre-receive"}
	}
	list := t.texts("on")
	if t.emptyList("on") {
		l.fault(t.line("on"), "`on` is empty, so the lane never runs")
	}
	for i, gate := range list {
		if !slices.Contains(Gates(), gate) {
			l.fault(t.itemLine("on", i), "unknown gate %q", gate).not(gate, Gates())
		}
		if slices.Contains(list[:i], gate) {
			l.fault(t.itemLine("on", i), "gate %q appears twice", gate)
		}
	}
	return list
}

func (l *loader) timeout(t table) time.Duration {
	if !t.has("timeout") || !t.isText("timeout") {
		t.text("timeout", "")
		return defaultTimeout
	}
	text := t.text("timeout", "")
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		l.fault(t.line("timeout"), "bad timeout %q; write it like \"90s\", \"10m\" or \"1h30m\"", text)
	case d <= 0:
		l.fault(t.line("timeout"), "timeout %q is not above zero", text)
	case d > maxTimeout:
		l.fault(t.line("timeout"), "timeout %q is longer than 24h", text)
	}
	return d
}

func (l *loader) schedule(t table) string {
	text := t.text("schedule", "")
	if !t.isText("schedule") {
		return ""
	}
	if _, err := ParseSchedule(text); err != nil {
		l.fault(t.line("schedule"), "bad schedule %q: %s", text, err)
	}
	return text
}

func (l *loader) remember(t table) string {
	word, words := t.text("remember", RememberPlugin), []string{RememberPlugin, RememberContainers, RememberNever}
	if !slices.Contains(words, word) {
		l.fault(t.line("remember"), "remember is %q, want plugin, containers or never", word).not(word, words)
	}
	return word
}

func (l *loader) checkSchedule(t table, lane Lane) {
	scheduled := slices.Contains(lane.On, "schedule")
	switch {
	case t.has("schedule") && !scheduled:
		l.fault(t.line("schedule"), "a schedule without `on = [\"schedule\"]` never starts the lane")
	case scheduled && !t.has("schedule"):
		l.fault(t.line("on"), "the gate \"schedule\" needs a `schedule`, such as \"0 8 * * *\"")
	}
}

func (l *loader) grant(t table) Grant {
	g := Grant{Read: true, History: true}
	grant, ok := t.table("grant")
	if !ok {
		return g
	}
	grant.known("read", "history", "container", "network", "http", "secrets", "kv", "clock", "env")
	g = Grant{
		Read: true, History: grant.boolean("history", true),
		Container: grant.boolean("container", false),
		HTTP:      l.names(grant, "http", grantHost, "a host, such as \"api.example.org\""),
		Secrets:   l.names(grant, "secrets", grantName, "a name, such as \"TOKEN\""),
		KV:        grant.boolean("kv", false), Clock: grant.boolean("clock", false),
		Env: l.names(grant, "env", grantName, "a name, such as \"CI\""),
	}
	if _, list := grant.values["read"].([]any); list {
		g.Files = l.patterns(grant, "read")
	} else {
		g.Read = grant.boolean("read", true)
	}
	switch value := grant.values["network"].(type) {
	case nil, bool:
		g.Network = grant.boolean("network", false)
	case []any:
		g.Names = l.names(grant, "network", grantNetwork,
			"a name, such as \"registry.example.org\", \"*.example.org\" or \"example.org:8443\"")
	default:
		grant.wrong("network", grant.line("network"), "true, false or a list of names", value)
	}
	return g
}

var (
	grantHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)
	// The last label begins with a letter: an address does not match.
	grantNetwork = regexp.MustCompile(`^(\*|(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*` +
		`[a-z]([a-z0-9-]{0,61}[a-z0-9])?)(:[1-9][0-9]{0,4})?$`)
	grantName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
)

// names reads a list of names that each have a form.
func (l *loader) names(t table, key string, form *regexp.Regexp, want string) []string {
	all := t.texts(key)
	for i, name := range all {
		if !form.MatchString(name) {
			l.fault(t.itemLine(key, i), "%s%s: %q is not %s", t.name, key, name, want)
		}
	}
	return all
}
