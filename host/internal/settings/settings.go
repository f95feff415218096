// Package settings validates the settings of a lane, the table `with`, against the
// JSON Schema of the plugin's manifest. It is a separate package because the
// processes that run plugins do not need it, or the schema library.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
)

// schemaURL is where a manifest's schema seems to lie; nothing is read there.
const schemaURL = "lane:///with"

// noLoading refuses a $ref that leaves the schema.
type noLoading struct{}

func (noLoading) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s; a schema must not refer to other documents", url)
}

// Schema is a plugin's schema of `with`. It is safe for concurrent use.
type Schema struct {
	plugin   string
	compiled *jsonschema.Schema
}

// Of reads the schema in a module's manifest. A manifest without one allows no
// settings. The error is a *wasm.FormatError.
func Of(module *wasm.Checked) (*Schema, error) {
	compiled, err := compile(module.Manifest().Schema)
	if err != nil {
		return nil, &wasm.FormatError{Plugin: module.Name(), Msg: fmt.Sprintf("its manifest is wrong: schema: %v", err),
			Help: wasm.ManifestHint}
	}
	return &Schema{module.Name(), compiled}, nil
}

func compile(text string) (*jsonschema.Schema, error) {
	if strings.TrimSpace(text) == "" {
		text = `{"type":"object","additionalProperties":false}`
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if err := (&unfolding{root: doc}).walk(doc, 0); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoading{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	s, err := c.Compile(schemaURL)
	return s, schemaFault(err)
}

// schemaFault makes one line of what is wrong with a schema.
func schemaFault(err error) error {
	var invalid *jsonschema.SchemaValidationError
	if err == nil || !errors.As(err, &invalid) {
		return err
	}
	var faults *jsonschema.ValidationError
	if errors.As(invalid.Err, &faults) {
		return errors.New(strings.Join(describe(faults, "schema"), "; "))
	}
	return invalid.Err
}

// Error is a lane's `with` that the plugin's schema refuses.
type Error struct {
	Plugin string
	Faults []string // "with.image: got number, want string", in order
}

func (e *Error) Error() string { return strings.Join(e.Faults, "; ") }

// Hint says where to look.
func (e *Error) Hint() string {
	return fmt.Sprintf("see which settings plugin %q knows: pushlane plugin inspect %s.wasm", e.Plugin, e.Plugin)
}

// CheckWith holds a lane's settings, JSON, against the schema. No settings at
// all are an empty object. The error is an *Error when the settings are wrong.
func (s *Schema) CheckWith(with []byte) error {
	if len(bytes.TrimSpace(with)) == 0 {
		with = []byte("{}")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(with))
	if err != nil {
		return fmt.Errorf("cannot read settings: %w", err)
	}
	err = s.compiled.Validate(doc)
	var faults *jsonschema.ValidationError
	if errors.As(err, &faults) {
		return &Error{Plugin: s.plugin, Faults: describe(faults, "with")}
	}
	return err
}

// describe lists the innermost faults, each with the place it is at.
func describe(e *jsonschema.ValidationError, root string) []string {
	p := message.NewPrinter(language.English)
	var all []string
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if len(e.Causes) == 0 {
			all = append(all, place(root, e.InstanceLocation)+": "+phrase(e.ErrorKind, p))
		}
	}
	walk(e)
	slices.Sort(all)
	return slices.Compact(all)
}

// place writes a location as a person would: with.caches[0].name.
func place(root string, at []string) string {
	var b strings.Builder
	b.WriteString(root)
	for _, key := range at {
		if strings.Trim(key, "0123456789") == "" && key != "" {
			b.WriteString("[" + key + "]")
		} else {
			b.WriteString("." + key)
		}
	}
	return b.String()
}

func phrase(k jsonschema.ErrorKind, p *message.Printer) string {
	switch k := k.(type) {
	case *kind.AdditionalProperties:
		return "unknown key " + quoteAll(k.Properties)
	case *kind.Required:
		return "missing " + quoteAll(k.Missing)
	case *kind.Type:
		return fmt.Sprintf("got %s, want %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		if phrase := unknownName(k); phrase != "" {
			return phrase
		}
	}
	return k.LocalizedString(p)
}

// unknownName says which name may have been meant where another was written,
// or which there are; "" where not all are names.
func unknownName(k *kind.Enum) string {
	got, text := k.Got.(string)
	var names []string
	for _, want := range k.Want {
		name, ok := want.(string)
		text = text && ok
		names = append(names, name)
	}
	if !text {
		return ""
	}
	if near := lanes.Nearest(got, names); near != "" {
		return fmt.Sprintf("unknown %q; did you mean %q?", got, near)
	}
	return fmt.Sprintf("unknown %q, want one of %s", got, quoteAll(names))
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(quoted, ", ")
}
