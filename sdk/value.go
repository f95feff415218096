package sdk

import (
	"errors"
	"iter"
	"slices"
	"strconv"
	"sync"
)

// Value is one value of a lane's settings. The zero Value is an absent one,
// and so is JSON's null. Reading a value as something it is not gives the
// default and makes the run broken: see Run.With.
type Value struct {
	kind   byte // 0 absent, or the first byte of JSON's spelling: { [ " t f 0
	text   string
	items  []Value
	keys   []string // of an object, besides items
	where  string
	faults *faults
}

// ParseValue reads any JSON value, as strictly as ParseRequest reads a
// request.
func ParseValue(b []byte) (Value, error) {
	d := decoder{s: string(b)}
	v := d.value()
	return v, d.end()
}

func (d *decoder) value() Value {
	c := d.peek()
	var v Value
	switch {
	case d.err != nil:
	case c == '{':
		v.kind = c
		d.object(func(key string) bool {
			v.keys = append(v.keys, key)
			v.items = append(v.items, d.value())
			return true
		})
	case c == '[':
		v.kind = c
		d.array(func() { v.items = append(v.items, d.value()) })
	case c == '"':
		v.kind, v.text = c, d.quoted(false)
	case kindOf(c) == "a number":
		v.kind = '0'
		v.text, _ = d.number()
	case c == 't' || c == 'f':
		var b bool
		d.bool(&b)
		v.kind = c
	default:
		d.skip()
	}
	return v
}

// at tells a value where it is, so that a fault can name it.
func (v Value) at(where string, faults *faults) Value {
	v.where, v.faults = where, faults
	return v
}

// Exists reports whether the value is there.
func (v Value) Exists() bool { return v.kind != 0 }

// Get returns the member of an object; an absent Value where there is none.
func (v Value) Get(key string) Value {
	where := key
	if v.where != "" {
		where = v.where + "." + key
	}
	if v.is("an object", '{') {
		if i := slices.Index(v.keys, key); i >= 0 {
			return v.items[i].at(where, v.faults)
		}
	}
	return Value{where: where, faults: v.faults}
}

// Members are an object's keys and values, in their order.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if !v.is("an object", '{') {
			return
		}
		for i, key := range v.keys {
			if !yield(key, v.items[i].at(v.where+"."+key, v.faults)) {
				return
			}
		}
	}
}

// Items are an array's elements, in their order.
func (v Value) Items() []Value {
	if !v.is("an array", '[') {
		return nil
	}
	items := make([]Value, len(v.items))
	for i, item := range v.items {
		items[i] = item.at(v.where+"["+strconv.Itoa(i)+"]", v.faults)
	}
	return items
}

// String returns a string, "" where it is absent.
func (v Value) String() string { return v.StringOr("") }

// StringOr returns a string, or byDefault where it is absent.
func (v Value) StringOr(byDefault string) string {
	if v.is("a string", '"') {
		return v.text
	}
	return byDefault
}

// Strings returns an array of strings, nil where it is absent.
func (v Value) Strings() []string {
	var all []string
	for _, item := range v.Items() {
		all = append(all, item.String())
	}
	return all
}

// Int returns an integer of 64 bits, 0 where it is absent.
func (v Value) Int() int64 { return v.IntOr(0) }

// IntOr returns an integer of 64 bits, or byDefault where it is absent.
func (v Value) IntOr(byDefault int64) int64 {
	if !v.is("an integer", '0') {
		return byDefault
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil {
		v.fault("want an integer of 64 bits, found " + v.text)
		return byDefault
	}
	return n
}

// Number returns a number as JSON spells it, of any size. Another kind of
// value is not a fault here: ok is false.
func (v Value) Number() (text string, ok bool) {
	if v.kind != '0' {
		return "", false
	}
	return v.text, true
}

// Bool returns a boolean, false where it is absent.
func (v Value) Bool() bool { return v.BoolOr(false) }

// BoolOr returns a boolean, or byDefault where it is absent.
func (v Value) BoolOr(byDefault bool) bool {
	if v.is("a boolean", 't', 'f') {
		return v.kind == 't'
	}
	return byDefault
}

// Map returns an object of strings, nil where it is absent.
func (v Value) Map() map[string]string {
	if !v.Exists() {
		return nil
	}
	all := map[string]string{}
	for key, item := range v.Members() {
		all[key] = item.String()
	}
	return all
}

// is reports whether the value is there and of one of the kinds; another kind
// is a fault.
func (v Value) is(what string, kinds ...byte) bool {
	if v.kind != 0 && !slices.Contains(kinds, v.kind) {
		v.fault("want " + what + ", found " + kindOf(v.kind))
		return false
	}
	return v.kind != 0
}

func (v Value) fault(msg string) {
	if v.faults != nil {
		v.faults.add(&SettingError{Key: v.where, Msg: msg})
	}
}

// SettingError is a setting of the lane that cannot be used.
type SettingError struct {
	Key string // "services[0].name"
	Msg string
}

func (e *SettingError) Error() string { return "setting " + e.Key + ": " + e.Msg }

// faults are the mistakes of the author and the lane that a check found. Each is
// listed once.
type faults struct {
	mu  sync.Mutex
	all []error
}

func (f *faults) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.ContainsFunc(f.all, func(have error) bool { return have.Error() == err.Error() }) {
		f.all = append(f.all, err)
	}
}

// err joins the faults; nil where there are none.
func (f *faults) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.all...)
}
