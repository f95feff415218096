// Package runjsontest checks in tests that something is a run as its published
// JSON Schema describes it.
package runjsontest

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pushlane/pushlane/host/internal/runjson"
)

// Check reports whether data is one run, with no property that the schema does
// not describe, and returns it.
func Check(t testing.TB, data []byte) (run runjson.Run) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err == nil {
		err = strict(t).Validate(value)
	}
	if err == nil {
		err = json.Unmarshal(data, &run)
	}
	if err != nil {
		t.Fatalf("not a run: %v\n%s", err, data)
	}
	return run
}

// CheckList is Check of each run of an array.
func CheckList(t testing.TB, data []byte) []runjson.Run {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatalf("not a list of runs: %v\n%s", err, data)
	}
	var runs []runjson.Run
	for _, one := range list {
		runs = append(runs, Check(t, one))
	}
	return runs
}

// strict is the schema that allows only what it describes, with formats.
func strict(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(runjson.Schema))
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("run.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("run.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func closeObjects(v any) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	if object["type"] == "object" {
		object["additionalProperties"] = false
	}
	for _, part := range object {
		closeObjects(part)
	}
}
