package lanes

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

func (d *draft) render() []byte {
	w := &tomlWriter{}
	w.comments(d.notes)
	w.line("version = 1")
	for _, name := range slices.Sorted(maps.Keys(d.groups)) {
		w.line("")
		w.line("[groups.%s]", name)
		w.line("limit = 1")
	}
	for _, l := range d.lanes {
		w.line("")
		w.lane(l)
	}
	return []byte(w.b.String())
}

type tomlWriter struct{ b strings.Builder }

func (w *tomlWriter) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

func (w *tomlWriter) comments(notes []string) {
	for _, n := range notes {
		w.line("# %s", Comment(n))
	}
}

func (w *tomlWriter) text(key, value string) {
	if value != "" {
		w.line("%s = %s", key, Quoted(value))
	}
}

// list writes short lists on one line and long ones with a line for each.
func (w *tomlWriter) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = Quoted(v)
	}
	if one := strings.Join(all, ", "); len(one) <= 90 {
		w.line("%s = [%s]", key, one)
		return
	}
	w.line("%s = [", key)
	for _, v := range all {
		w.line("    %s,", v)
	}
	w.line("]")
}

func (w *tomlWriter) lane(l draftLane) {
	w.comments(l.notes)
	w.line("[[lane]]")
	w.text("id", l.id)
	w.text("title", l.title)
	w.line(`plugin = "shell"`)
	w.list("paths", l.paths)
	w.list("ignore", l.ignore)
	w.list("on", l.on)
	w.text("schedule", l.schedule)
	w.text("concurrency_group", l.group)
	w.line("[lane.with]")
	w.list("command", l.command)
	w.text("run", l.run)
	w.line("[lane.grant]")
	w.line("container = true")
}

// Quoted writes a TOML string. TOML cannot contain text that is not UTF-8: invalid
// bytes become U+FFFD.
func Quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			if r > 0xffff {
				fmt.Fprintf(&b, `\U%08X`, r)
			} else {
				fmt.Fprintf(&b, `\u%04X`, r)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Comment is a text as one line, so that a comment stays one.
func Comment(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
