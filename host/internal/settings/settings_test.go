package settings

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/hostile"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

const manifestStart = "name = \"build\"\nversion = \"1.2.0\"\nabi = 1\noutput = \"jsonl\"\n"

const imageSchema = `schema = '''{"type":"object","additionalProperties":false,"required":["image"],
  "properties":{"image":{"type":"string"},
  "matchers":{"type":"array","items":{"enum":["gnu","go-test","eslint"]}},
  "size":{"enum":[1,"two"]},
  "count":{"type":"integer","minimum":1},
  "caches":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string","pattern":"^[a-z]+$"}}}}}}'''`

func read(t *testing.T, schema string) (*Schema, error) {
	t.Helper()
	packed, err := wasm.Pack(hostile.Plain(), []byte(manifestStart+schema))
	if err != nil {
		t.Fatal(err)
	}
	checked, err := wasm.Check("build", packed)
	if err != nil {
		t.Fatal(err)
	}
	return Of(checked)
}

func TestOf(t *testing.T) {
	tests := map[string]struct{ schema, want string }{
		"not JSON": {`schema = "{"`, "unexpected EOF"},
		"another draft": {`schema = '{"$schema":"http://json-schema.org/draft-07/schema#"}'`,
			`it is of "http://json-schema.org/draft-07/schema#", this host reads https://json-schema.org/draft/2020-12/schema`},
		"a type that is not a type": {`schema = '{"type":"text"}'`, "schema.type: "},
	}
	for name, test := range tests {
		_, err := read(t, test.schema)
		var format *wasm.FormatError
		if !errors.As(err, &format) || format.Hint() != "fix the manifest, then: pushlane plugin pack" {
			t.Fatalf("%s: got %v, want a FormatError with its hint", name, err)
		}
		want := `cannot load plugin "build": its manifest is wrong: schema: ` + test.want
		if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, err, want)
		}
	}
}

func TestCheckWith(t *testing.T) {
	mod, err := read(t, imageSchema)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := read(t, "")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		m          *Schema
		with, want string
	}{
		{mod, `{"image":"x"}`, ""},
		{mod, `{"image":"x","count":2,"caches":[{"name":"go"}]}`, ""},
		{mod, `{"image":5}`, "with.image: got number, want string"},
		{mod, `{}`, `with: missing "image"`},
		{mod, ``, `with: missing "image"`},
		{mod, `[]`, "with: got array, want object"},
		{mod, `{"image":"x","imgae":1}`, `with: unknown key "imgae"`},
		{mod, `{"image":"x","count":0}`, "with.count: minimum: got 0, want 1"},
		{mod, `{"image":"x","count":1.5}`, "with.count: got number, want integer"},
		{mod, `{"image":1,"caches":[{},{"name":"A"}]}`,
			"with.caches[1].name: 'A' does not match pattern '^[a-z]+$'; with.image: got number, want string"},
		{mod, `{"image":`, "cannot read settings: unexpected EOF"},
		{mod, `{"image":"x","matchers":["gnu","eslnt"]}`, `with.matchers[1]: unknown "eslnt"; did you mean "eslint"?`},
		{mod, `{"image":"x","matchers":["cobol"]}`,
			`with.matchers[0]: unknown "cobol", want one of "gnu", "go-test", "eslint"`},
		{mod, `{"image":"x","matchers":[5]}`, "with.matchers[0]: value must be one of 'gnu', 'go-test', 'eslint'"},
		{mod, `{"image":"x","size":"tow"}`, "with.size: value must be one of 1, 'two'"},
		{bare, ``, ""}, {bare, `{}`, ""},
		{bare, `{"a":1}`, `with: unknown key "a"`},
	}
	for _, test := range tests {
		got := ""
		if err := test.m.CheckWith([]byte(test.with)); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.with, got, test.want)
		}
	}
	err = mod.CheckWith([]byte(`{}`))
	var settings *Error
	if !errors.As(err, &settings) || !strings.Contains(settings.Hint(), "pushlane plugin inspect build.wasm") ||
		!slices.Equal(settings.Faults, []string{`with: missing "image"`}) {
		t.Errorf("got %v", err)
	}
}
