package lanes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tomlv2 "github.com/pelletier/go-toml/v2"
)

// table reads one TOML table strictly: each method notes a fault with its
// line and goes on, so that one load finds them all.
type table struct {
	l      *loader
	values map[string]any
	place  *place
}

func (t table) has(key string) bool { _, ok := t.values[key]; return ok }

func (t table) line(key string) int { return t.place.key(key).at() }

func (t table) itemLine(key string, i int) int { return t.place.key(key).item(i).at() }

func (t table) isText(key string) bool { _, ok := t.values[key].(string); return ok }

func (t table) isList(key string) bool { _, ok := t.values[key].([]any); return ok }

// known notes every key that is not one of names.
func (t table) known(names ...string) {
	for key := range t.values {
		if !slices.Contains(names, key) {
			f := t.l.fault(t.line(key), "unknown key %q", key)
			f.Suggestion = nearest(key, names)
		}
	}
}

func (t table) wrong(key string, line int, want string, got any) {
	t.l.fault(line, "%s must be %s, not %s", key, want, kindOf(got))
}

func (t table) text(key, missing string) string {
	v, ok := t.values[key]
	if !ok {
		return missing
	}
	s, ok := v.(string)
	if !ok {
		t.once(key, "a string", v)
	}
	return s
}

// once notes a wrong type a single time, for keys that are looked at twice.
func (t table) once(key, want string, got any) {
	line, msg := t.line(key), fmt.Sprintf("%s must be %s, not %s", key, want, kindOf(got))
	for _, f := range t.l.faults {
		if f.Line == line && f.Msg == msg {
			return
		}
	}
	t.l.fault(line, "%s", msg)
}

func (t table) texts(key string) []string {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		t.wrong(key, t.line(key), "a list of strings", v)
		return nil
	}
	texts := make([]string, 0, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			t.wrong(fmt.Sprintf("%s[%d]", key, i), t.itemLine(key, i), "a string", item)
		}
		texts = append(texts, s)
	}
	return texts
}

func (t table) boolean(key string, missing bool) bool {
	v, ok := t.values[key]
	if !ok {
		return missing
	}
	b, ok := v.(bool)
	if !ok {
		t.wrong(key, t.line(key), "true or false", v)
	}
	return b
}

// integer reads a whole number from low to high; false means that there is
// none, or that it was refused.
func (t table) integer(key string, low, high int64) (int, bool) {
	v, ok := t.values[key]
	if !ok {
		return 0, false
	}
	n, ok := v.(int64)
	if !ok {
		t.wrong(key, t.line(key), "a whole number", v)
		return 0, false
	}
	if n < low || n > high {
		t.l.fault(t.line(key), "%s must be from %d to %d, not %d", key, low, high, n)
		return 0, false
	}
	return int(n), true
}

func (t table) table(key string) (table, bool) {
	v, ok := t.values[key]
	if !ok {
		return table{}, false
	}
	values, ok := v.(map[string]any)
	if !ok {
		t.wrong(key, t.line(key), "a table", v)
		return table{}, false
	}
	return table{l: t.l, values: values, place: t.place.key(key)}, true
}

// tables reads an array of tables.
func (t table) tables(key string) []table {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		t.wrong(key, t.line(key), "written as [["+key+"]]", v)
		return nil
	}
	var all []table
	for i, item := range list {
		values, ok := item.(map[string]any)
		if !ok {
			t.wrong(key, t.itemLine(key, i), "written as [["+key+"]]", item)
			continue
		}
		all = append(all, table{l: t.l, values: values, place: t.place.key(key).item(i)})
	}
	return all
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "a whole number"
	case float64:
		return "a fraction"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

// plainTable makes the settings of a lane ready for JSON: dates and times
// become the text that stands in the file.
func plainTable(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for key, v := range values {
		out[key] = plainValue(v)
	}
	return out
}

func plainValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return plainTable(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plainValue(item)
		}
		return out
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case tomlv2.LocalDate:
		return v.String()
	case tomlv2.LocalTime:
		return v.String()
	case tomlv2.LocalDateTime:
		return v.String()
	}
	return v
}

// tomlCause is the parser's message without its own name in front.
func tomlCause(err error) string {
	return strings.TrimPrefix(err.Error(), "toml: ")
}
