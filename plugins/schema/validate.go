package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// document is one value of a file and the positions of its parts.
type document struct {
	value  any
	places map[string]place // by pointer
}

// place is the position of a member, as offsets into the file.
type place struct {
	key   int // of a member of an object, else that of value
	value int
}

// fault is what is wrong at a place.
type fault struct {
	offset    int
	line, col int // instead of offset, where line is not 0
	rule      string
	message   string
}

// pointer spells a path into a value as JSON Pointer does.
func pointer(parts []string) string {
	if len(parts) == 0 {
		return "the top"
	}
	return key(parts)
}

func key(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		if strings.ContainsAny(p, "~/") {
			p = strings.ReplaceAll(strings.ReplaceAll(p, "~", "~0"), "/", "~1")
		}
		b.WriteString("/" + p)
	}
	return b.String()
}

// validate returns what does not fit the schema, in the file's order.
func (d document) validate(schema *jsonschema.Schema) []fault {
	var wrong *jsonschema.ValidationError
	err := schema.Validate(d.value)
	if err == nil {
		return nil
	}
	if !errors.As(err, &wrong) {
		return []fault{{rule: "schema", message: err.Error()}}
	}
	var all []fault
	for _, leaf := range closest(wrong) {
		all = append(all, d.faults(leaf)...)
	}
	slices.SortStableFunc(all, func(a, b fault) int { return a.offset - b.offset })
	return slices.Compact(all)
}

// faults says what one leaf means: unknown keys are named one by one, where
// they are.
func (d document) faults(leaf *jsonschema.ValidationError) []fault {
	extra, ok := leaf.ErrorKind.(*kind.AdditionalProperties)
	if !ok {
		return []fault{{offset: d.place(leaf.InstanceLocation).value, rule: "schema",
			message: pointer(leaf.InstanceLocation) + ": " + words(leaf)}}
	}
	var all []fault
	for _, name := range extra.Properties {
		at := append(slices.Clone(leaf.InstanceLocation), name)
		if key(at) == "/$schema" {
			continue // names the schema, and is not a part of what it describes
		}
		all = append(all, fault{offset: d.place(at).key, rule: "schema", message: pointer(at) + ": unknown key"})
	}
	return all
}

// place is the position of a value, or of the nearest one around it.
func (d document) place(parts []string) place {
	for n := len(parts); n >= 0; n-- {
		if p, ok := d.places[key(parts[:n])]; ok {
			return p
		}
	}
	return place{}
}

// closest are the leaves of a tree of errors that tell an author most: of
// alternatives that all fail, those of the one that got deepest into the
// value.
func closest(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all, best []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		leaves := closest(cause)
		all = append(all, leaves...)
		if best == nil || deepest(leaves) > deepest(best) {
			best = leaves
		}
	}
	if !alternative(e) {
		return all
	}
	if deepest(best) > len(e.InstanceLocation) {
		return best
	}
	return []*jsonschema.ValidationError{e}
}

func alternative(e *jsonschema.ValidationError) bool {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Contains:
		return true
	}
	return false
}

func deepest(leaves []*jsonschema.ValidationError) int {
	n := 0
	for _, leaf := range leaves {
		n = max(n, len(leaf.InstanceLocation))
	}
	return n
}

// words is what an error says, in one line.
func words(e *jsonschema.ValidationError) string {
	text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if alternative(e) {
		var why []string
		for _, cause := range e.Causes {
			why = append(why, words(closest(cause)[0]))
		}
		if len(why) > 0 {
			text = "fits none of the alternatives: " + strings.Join(slices.Compact(why), "; ")
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
