// Package plugins_test checks what the plugins say of themselves: that each
// manifest is one, and that the lane in each README would be taken.
package plugins_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pushlane/pushlane/sdk"
)

func TestManifestsAndReadmes(t *testing.T) {
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if folder.IsDir() && folder.Name() != "internal" {
			t.Run(folder.Name(), func(t *testing.T) { checkPlugin(t, folder.Name()) })
		}
	}
}

func checkPlugin(t *testing.T, name string) {
	m := manifest(t, name)
	if m.Name != name || m.ABI != sdk.ABI || m.Output != "jsonl" || m.Version == "" {
		t.Errorf("manifest: name %q, version %q, abi %d, output %q", m.Name, m.Version, m.ABI, m.Output)
	}
	for _, c := range m.Capabilities {
		if c.Why == "" {
			t.Errorf("capability %s: why is empty", c.Name)
		}
	}
	text, err := jsonschema.UnmarshalJSON(strings.NewReader(m.Schema))
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("manifest.json", text); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("manifest.json")
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	with := readmeLane(t, name)
	if err := schema.Validate(with); err != nil {
		t.Errorf("the lane in README.md: %v", err)
	}
	with["nonsense"] = true
	if schema.Validate(with) == nil {
		t.Error("an unknown setting is taken")
	}
}

func manifest(t *testing.T, name string) sdk.Manifest {
	t.Helper()
	data, err := os.ReadFile(name + "/manifest.toml")
	if err != nil {
		t.Fatal(err)
	}
	var m sdk.Manifest
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&m); err != nil {
		t.Fatalf("manifest.toml: %v", err)
	}
	return m
}

// readmeLane reads the settings of the lane to copy: the indented lines from
// [[lane]] to the first line that is not.
func readmeLane(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(name + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), "    [[lane]]\n")
	if !ok {
		t.Fatal("README.md: no lane to copy")
	}
	var lane strings.Builder
	for line := range strings.Lines(rest) {
		text, indented := strings.CutPrefix(line, "    ")
		if !indented {
			break
		}
		lane.WriteString(text)
	}
	var l struct {
		Plugin string
		With   map[string]any
	}
	// [lane.with] is relative to the lane, which is the top here.
	if err := toml.Unmarshal([]byte(strings.ReplaceAll(lane.String(), "[lane.", "[")), &l); err != nil {
		t.Fatalf("README.md: %v\n%s", err, lane.String())
	}
	if l.Plugin != name || l.With == nil {
		t.Errorf("README.md: plugin = %q, with = %v", l.Plugin, l.With)
	}
	return l.With
}
