package plugins

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// setting is one setting of a plugin, as its JSON Schema describes it.
type setting struct {
	Type        any      `json:"type"`
	Description string   `json:"description"`
	Enum        []any    `json:"enum"`
	Pattern     string   `json:"pattern"`
	Items       *setting `json:"items"`
	Properties  *fields  `json:"properties"`
	Required    []string `json:"required"`
}

// fields are in the order of the schema.
type fields struct {
	names []string
	by    map[string]setting
}

func (s *fields) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &s.by); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		s.names = append(s.names, fmt.Sprint(name))
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return nil
}

// Docs prints what a lane's author needs of a plugin: its settings, what it asks for,
// and a lane to copy. The module is read and not run.
func Docs(w io.Writer, module []byte) error {
	m, err := wasm.ReadManifest(module)
	if err != nil {
		return err
	}
	var schema setting
	if m.Schema != "" {
		if err := json.Unmarshal([]byte(m.Schema), &schema); err != nil {
			return fmt.Errorf("cannot read the settings of plugin %q: %w", m.Name, err)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n\nSettings, below [lane.with]:\n", m.Name, printable.Clean(m.Version))
	writeSettings(&b, schema, "  ")
	b.WriteString("\nWhat it asks for; grant it below [lane.grant]:\n")
	for _, c := range m.Capabilities {
		fmt.Fprintf(&b, "  %-18s %s%s\n", c.Name, printable.Clean(c.Why), grantWord(c))
	}
	b.WriteString("\nA lane to begin with:\n\n")
	writeExample(&b, m)
	_, err = io.WriteString(w, b.String())
	return err
}

func writeSettings(b *strings.Builder, of setting, indent string) {
	if of.Properties == nil || len(of.Properties.names) == 0 {
		b.WriteString(indent + "none\n")
		return
	}
	for _, name := range of.Properties.names {
		s := of.Properties.by[name]
		needed := ""
		if slices.Contains(of.Required, name) {
			needed = ", required"
		}
		fmt.Fprintf(b, "%s%s (%s%s)\n", indent, printable.Clean(name), s.typeWord(), needed)
		if s.Description != "" {
			fmt.Fprintf(b, "%s    %s\n", indent, printable.Clean(s.Description))
		}
		if s.Items != nil && s.Items.Properties != nil {
			writeSettings(b, *s.Items, indent+"    ")
		}
	}
}

// typeWord is the setting's type as a lanes file has it.
func (s setting) typeWord() string {
	if len(s.Enum) > 0 {
		words := make([]string, 0, len(s.Enum))
		for _, one := range s.Enum[:min(8, len(s.Enum))] {
			words = append(words, printable.Clean(fmt.Sprint(one)))
		}
		if more := len(s.Enum) - len(words); more > 0 {
			words = append(words, fmt.Sprintf("%d more", more))
		}
		return "one of " + strings.Join(words, ", ")
	}
	word := "any"
	switch t := s.Type.(type) {
	case string:
		word = t
	case []any:
		all := make([]string, len(t))
		for i, one := range t {
			all[i] = fmt.Sprint(one)
		}
		word = strings.Join(all, " or ")
	}
	if word == "array" && s.Items != nil {
		return "list of " + s.Items.typeWord()
	}
	return printable.Clean(strings.Replace(word, "object", "table", 1))
}

// grantWord says of a capability how it is granted.
func grantWord(c sdk.Capability) string {
	switch c.Name {
	case "repo.read", "repo.history":
		return " (granted unless the lane says no)"
	}
	return ""
}

func writeExample(b *strings.Builder, m sdk.Manifest) {
	fmt.Fprintf(b, "[[lane]]\nid = %[1]q\nplugin = %[1]q\n", m.Name)
	if m.Name == "shell" {
		b.WriteString("[lane.with]\nrun = \"make test\"\n")
	}
	var grants []string
	for _, c := range m.Capabilities {
		if c.Name == "container" {
			grants = append(grants, lanes.GrantHint(c.Name))
		}
	}
	if len(grants) > 0 {
		fmt.Fprintf(b, "[lane.grant]\n%s\n", strings.Join(grants, "\n"))
	}
}
