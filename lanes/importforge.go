package lanes

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// importForge reads a forge's own lanes file: TOML with [[branch.lanes]] and
// [[nightly.lanes]].
func importForge(d *draft, source string, data []byte) error {
	l := &loader{source: source, noted: map[FormatError]bool{}}
	root, ok := l.parse(data)
	if ok {
		f := forge{d: d, l: l, file: filepath.Base(source)}
		f.read(root)
	}
	if len(l.faults) > 0 {
		return l.err()
	}
	return nil
}

type forge struct {
	d        *draft
	l        *loader
	file     string
	schedule string
}

func (f *forge) read(root table) {
	if v, ok := root.integer("version", 1, 1<<31); ok && v != 1 {
		f.l.fault(root.line("version"), "version %d of a forge's lanes file is not known, only version 1 is", v)
	}
	f.schedule = f.nightly(root)
	f.d.notes = append(f.d.notes, strange("the file", root, "version", "nightly_schedule_utc", "branch", "nightly")...)
	for _, list := range []string{"branch", "nightly"} {
		t, ok := root.table(list)
		if !ok {
			continue
		}
		f.d.notes = append(f.d.notes, strange(list, t, "lanes")...)
		for _, lane := range t.tables("lanes") {
			f.lane(list, lane)
		}
	}
	f.selfNote()
}

// nightly turns "08:00" into the cron line for it.
func (f *forge) nightly(root table) string {
	text := root.text("nightly_schedule_utc", "")
	if text == "" {
		return ""
	}
	at, err := time.Parse("15:04", text)
	if err != nil {
		f.l.fault(root.line("nightly_schedule_utc"), "bad nightly_schedule_utc %q; write it like \"08:00\"", text)
		return ""
	}
	return fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour())
}

func (f *forge) lane(list string, t table) {
	id := t.text("id", "")
	if id == "" {
		f.l.fault(t.place.at(), "a lane of [[%s.lanes]] has no id", list)
	}
	lane := draftLane{id: id, title: t.text("title", ""), on: []string{"pre-push", "pre-receive"}}
	lane.notes = strange("the lane", t, "id", "title", "paths", "entrypoint", "command", "staged_linux_target",
		"concurrency_group")
	unknown := len(lane.notes) > 0
	lane.trigger(t.texts("paths"), globsetGlobs)
	if list == "nightly" {
		lane.on, lane.schedule = []string{"schedule"}, f.schedule
		if lane.schedule == "" {
			lane.schedule = "0 0 * * *"
			lane.note("The file has no nightly_schedule_utc, so the hour here is a guess.")
		}
	}
	f.work(&lane, t)
	f.group(&lane, t)
	if unknown {
		lane.note("Its command was %q.", lane.command)
		lane.refuse(fmt.Sprintf("lane %q has a key that pushlane does not know", lane.id))
	}
	f.d.add(lane, "-nightly")
}

// stagedScript builds and runs a staged target. The forge runs it instead of the
// lane's command, in a separate group.
const stagedScript = "./scripts/pikaci-staged-linux-remote.sh"

// work says what the lane runs.
func (f *forge) work(lane *draftLane, t table) {
	if entry := t.text("entrypoint", ""); entry != "" {
		lane.note("entrypoint: %s", entry)
	}
	lane.command = t.texts("command")
	target := strings.TrimSpace(t.text("staged_linux_target", ""))
	switch {
	case target != "":
		lane.note("staged_linux_target = %s, for which the forge runs this command. It needs what that script needs: see "+
			"its image and network.", Quoted(target))
		if len(lane.command) > 0 {
			lane.note("The forge does not run its command %q.", lane.command)
		}
		lane.command = []string{stagedScript, "run", target}
	case len(lane.command) == 0 || lane.command[0] == "":
		lane.refuse(fmt.Sprintf("lane %q has no command", lane.id))
	}
}

func (f *forge) group(lane *draftLane, t table) {
	name := strings.TrimSpace(t.text("concurrency_group", ""))
	if target := strings.TrimSpace(t.text("staged_linux_target", "")); name == "" && target != "" {
		name = "staged-linux:" + target
	}
	if name == "" {
		return
	}
	lane.group = slug(name)
	if lane.group != name {
		lane.note("The concurrency_group was %s.", Quoted(name))
	}
	f.d.groups[lane.group] = true
}

// selfNote reminds of the lanes file that lanes list, so that a change there
// runs them.
func (f *forge) selfNote() {
	for _, lane := range f.d.lanes {
		for _, p := range lane.paths {
			if p == f.file || strings.HasSuffix(p, "/"+f.file) {
				f.d.note("Lanes list %s, so that a change there runs them; list this file as well once it has taken over.",
					Quoted(p))
				return
			}
		}
	}
}

// strange makes a note of every key that is not one of names.
func strange(what string, t table, names ...string) []string {
	var notes []string
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if !slices.Contains(names, key) {
			notes = append(notes, fmt.Sprintf("No equivalent for the key %s of %s: %v", Quoted(key), what, t.values[key]))
		}
	}
	return notes
}
