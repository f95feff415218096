package lanes

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// table reads one TOML table strictly: each method notes a fault with its
// line and goes on, so that one load finds them all.
type table struct {
	l      *loader
	values map[string]any
	place  *place
	name   string // in front of its keys, such as "grant."
}

func (t table) has(key string) bool { _, ok := t.values[key]; return ok }

func (t table) line(key string) int { return t.place.key(key).at() }

func (t table) itemLine(key string, i int) int { return t.place.key(key).item(i).at() }

func (t table) isText(key string) bool { _, ok := t.values[key].(string); return ok }

func (t table) emptyList(key string) bool {
	list, ok := t.values[key].([]any)
	return ok && len(list) == 0
}

// known notes every key that is not one of names.
func (t table) known(names ...string) {
	for key := range t.values {
		if !slices.Contains(names, key) {
			t.l.fault(t.line(key), "unknown key %q", t.name+key).not(key, names)
		}
	}
}

func (t table) wrong(key string, line int, want string, got any) {
	t.l.fault(line, "%s must be %s, not %s", t.name+key, want, kindOf(got))
}

func (t table) text(key, missing string) string {
	v, ok := t.values[key]
	if !ok {
		return missing
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(key, t.line(key), "a string", v)
	}
	return s
}

// texts reads a list of strings; a list with anything else in it counts as
// none.
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
	texts, good := make([]string, 0, len(list)), true
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			t.wrong(fmt.Sprintf("%s[%d]", key, i), t.itemLine(key, i), "a string", item)
			good = false
		}
		texts = append(texts, s)
	}
	if !good {
		return nil
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
		t.l.fault(t.line(key), "%s must be from %d to %d, not %d", t.name+key, low, high, n)
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
	return table{l: t.l, values: values, place: t.place.key(key), name: t.name + key + "."}, true
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

// plain makes the settings of a lane ready for JSON: dates and times become
// the text that is in the file, and what JSON cannot say is a fault.
func (t table) plain() map[string]any {
	out := make(map[string]any, len(t.values))
	for key, v := range t.values {
		out[key] = t.plainValue(v, key, t.place.key(key))
	}
	return out
}

func (t table) plainValue(v any, key string, at *place) any {
	switch v := v.(type) {
	case map[string]any:
		return table{l: t.l, values: v, place: at}.plain()
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = t.plainValue(item, key, at.item(i))
		}
		return out
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.l.fault(at.at(), "%s is %v, and JSON has no such number", key, v)
		}
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case fmt.Stringer: // the dates and times without a zone
		return v.String()
	}
	return v
}

// tomlCause is the parser's message without its own name in front.
func tomlCause(err error) string {
	return strings.TrimPrefix(err.Error(), "toml: ")
}
