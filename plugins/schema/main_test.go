package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/plugins/internal/wasmtest"
	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

const server = `{
  "type": "object",
  "required": ["name"],
  "additionalProperties": false,
  "properties": {
    "name": {"type": "string"},
    "port": {"type": "integer", "maximum": 65535},
    "list": {"type": "array", "items": {"type": "string"}},
    "sub": {"type": "object", "additionalProperties": {"type": "integer"}},
    "when": {"type": "string", "format": "date"},
    "kind": {"oneOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}, {"type": "string"}]}
  }
}
`

const ruled = `{"schemas":[{"files":["conf/**"],"schema":"server.json"}]}`

func wrong(file string, line, col int, message string) sdk.Finding {
	return sdk.Finding{Path: file, Line: line, Col: col, Rule: "schema", Message: message}
}

func broken(file string, line, col int, message string) sdk.Finding {
	return sdk.Finding{Path: file, Line: line, Col: col, Rule: "syntax", Message: message}
}

// Each case is one file against the schema above.
func valueCases() []sdktest.Case {
	var all []sdktest.Case
	for _, c := range []struct {
		name, file, text string
		want             []sdk.Finding
	}{
		{"JSON that fits", "conf/a.json", `{"name":"x","port":80}`, nil},
		{"a wrong type in JSON", "conf/a.json", "{\n  \"name\": 7\n}\n",
			[]sdk.Finding{wrong("conf/a.json", 2, 11, "/name: got number, want string")}},
		{"several in order", "conf/a.json", "{\n \"port\": 70000, \"prot\": 1,\n \"list\": [\"a\",\n  2]\n}", []sdk.Finding{
			wrong("conf/a.json", 1, 1, "the top: missing property 'name'"),
			wrong("conf/a.json", 2, 10, "/port: maximum: got 70,000, want 65,535"),
			wrong("conf/a.json", 2, 17, "/prot: unknown key"),
			wrong("conf/a.json", 4, 3, "/list/1: got number, want string")}},
		{"JSON that ends early", "conf/a.json", "{\n \"name\": ",
			[]sdk.Finding{broken("conf/a.json", 2, 10, "the file ends within a value")}},
		{"JSON that goes on", "conf/a.json", "{\"name\":\"x\"}\n{}",
			[]sdk.Finding{broken("conf/a.json", 2, 1, "more after the end of the value")}},
		{"a comma too many", "conf/a.json", "{\"name\":\"x\",\n}",
			[]sdk.Finding{broken("conf/a.json", 1, 13, "invalid character '}' looking for beginning of object key string")}},
		{"a key twice in JSON", "conf/a.json", "{\"name\":\"x\",\n\"name\":\"y\"}",
			[]sdk.Finding{broken("conf/a.json", 2, 1, `the key "name" comes twice`)}},
		{"an empty JSON file", "conf/a.json", "", []sdk.Finding{broken("conf/a.json", 1, 1, "the file ends within a value")}},
		{"JSON too deep", "conf/a.json", strings.Repeat("[", 600),
			[]sdk.Finding{broken("conf/a.json", 1, 502, "values nest deeper than 500")}},
		{"a byte that is not UTF-8", "conf/a.json", "{\"name\":\n\"\xff\"}",
			[]sdk.Finding{broken("conf/a.json", 2, 2, "the text is not UTF-8")}},
		{"YAML that fits", "conf/a.yaml", "name: x\nport: 0x50\nwhen: 2024-01-02\n", nil},
		{"a wrong value in YAML", "conf/a.yml", "name: x\nlist:\n  - a\n  - 2\nport: many\n", []sdk.Finding{
			wrong("conf/a.yml", 4, 5, "/list/1: got number, want string"),
			wrong("conf/a.yml", 5, 7, "/port: got string, want integer")}},
		{"columns are bytes", "conf/a.yaml", "{name: äö, port: x}",
			[]sdk.Finding{wrong("conf/a.yaml", 1, 20, "/port: got string, want integer")}},
		{"two documents", "conf/a.yaml", "name: x\n---\nname: 1\n",
			[]sdk.Finding{wrong("conf/a.yaml", 3, 7, "/name: got number, want string")}},
		{"a merge key", "conf/a.yaml", "name: x\nsub: &s {a: 1}\nkind: {<<: *s}\n", nil},
		{"an anchor in itself", "conf/a.yaml", "name: x\nlist: &l [*l]\n",
			[]sdk.Finding{broken("conf/a.yaml", 2, 11, `the anchor "l" contains itself`)}},
		{"a bomb of aliases", "conf/a.yaml", bomb(), []sdk.Finding{
			broken("conf/a.yaml", 4, 5, "aliases make more than 100000 values")}},
		{"broken YAML", "conf/a.yaml", "name: x\nport: [1\n",
			[]sdk.Finding{broken("conf/a.yaml", 2, 0, "did not find expected ',' or ']'")}},
		{"a key twice in YAML", "conf/a.yaml", "name: x\nname: y\n",
			[]sdk.Finding{broken("conf/a.yaml", 2, 1, `the key "name" comes twice`)}},
		{"a number that is none", "conf/a.yaml", "name: x\nport: .nan\n",
			[]sdk.Finding{broken("conf/a.yaml", 2, 7, "infinity and not-a-number are not values that a schema can describe")}},
		{"TOML that fits", "conf/a.toml", "name = \"x\"\nwhen = 2024-01-02\n[sub]\na = 1\n", nil},
		{"wrong values in TOML", "conf/a.toml",
			"name = 'x'\nport = \"80\"\nlist = [\n  'a',\n  2,\n]\n[sub]\nb = 'c'\n[more]\n", []sdk.Finding{
				wrong("conf/a.toml", 2, 8, "/port: got string, want integer"),
				wrong("conf/a.toml", 5, 3, "/list/1: got number, want string"),
				wrong("conf/a.toml", 8, 5, "/sub/b: got string, want integer"), wrong("conf/a.toml", 9, 2, "/more: unknown key")}},
		{"broken TOML", "conf/a.toml", "name = 'x'\nport = \n",
			[]sdk.Finding{broken("conf/a.toml", 2, 8, "toml: unexpected character U+000A at start of value")}},
		{"of alternatives the one that got farthest", "conf/a.json", `{"name":"x","kind":{"a":2}}`,
			[]sdk.Finding{wrong("conf/a.json", 1, 25, "/kind/a: value must be 1")}},
		{"none of the alternatives", "conf/a.json", `{"name":"x","kind":2}`,
			[]sdk.Finding{
				wrong("conf/a.json", 1, 20,
					"/kind: fits none of the alternatives: got number, want object; got number, want string")}},
		{"another kind of file", "conf/a.txt", "x", []sdk.Finding{
			wrong("conf/a.txt", 1, 1, "neither .json nor .yaml, .yml or .toml: narrow the globs in the lane's settings")}},
	} {
		verdict := "pass: 1 file checked against a schema"
		if c.want != nil {
			verdict = "fail"
		}
		all = append(all, sdktest.Case{Name: c.name, Files: map[string]string{c.file: c.text, "server.json": server},
			Base: map[string]string{"server.json": server},
			With: ruled, WantFindings: c.want, WantVerdict: verdict})
	}
	return all
}

// bomb is a list of lists of aliases that would be 10^9 values.
func bomb() string {
	text := "l0: &l0 [a,b,c,d,e,f,g,h,i,j]\n"
	for i := 1; i < 9; i++ {
		text += "l" + string(rune('0'+i)) + ": &l" + string(rune('0'+i)) + " [" +
			strings.Repeat("*l"+string(rune('0'+i-1))+",", 10) + "]\n"
	}
	return text
}

// encodedCases are files that are not plain UTF-8, or too large.
func encodedCases() []sdktest.Case {
	base := map[string]string{"server.json": server}
	with := func(name, text string) map[string]string { return map[string]string{"server.json": server, name: text} }
	large := "{\"name\":\"" + strings.Repeat("x", maxFile) + "\"}"
	tooLarge := sdk.Finding{Rule: "too-large",
		Message: "the file is larger than 4 MiB, it is not checked: split it, or leave it out of the lane's settings"}
	at := func(name string) []sdk.Finding { f := tooLarge; f.Path = name; return []sdk.Finding{f} }
	return []sdktest.Case{
		{Name: "a byte order mark", With: ruled, Base: base, Files: with("conf/a.json", "\xef\xbb\xbf{\"name\":1}"),
			WantVerdict: "fail", WantFindings: []sdk.Finding{wrong("conf/a.json", 1, 9, "/name: got number, want string")}},
		{Name: "UTF-16", With: ruled, Base: base, Files: with("conf/a.json", "\xff\xfe{\x00}\x00"), WantVerdict: "fail",
			WantFindings: []sdk.Finding{wrong("conf/a.json", 1, 1, "the top: missing property 'name'")}},
		{Name: "CR LF", With: ruled, Base: base, Files: with("conf/a.yaml", "name: x\r\nport: y\r\n"), WantVerdict: "fail",
			WantFindings: []sdk.Finding{wrong("conf/a.yaml", 2, 7, "/port: got string, want integer")}},
		{Name: "a file that is too large", With: ruled, Base: base, Files: with("conf/a.json", large), WantVerdict: "fail",
			WantFindings: at("conf/a.json")},
		{Name: "a large file that no schema is for", With: ruled, Base: base, Files: with("a.json", large),
			WantVerdict: "pass: 0 files checked against a schema"},
		{Name: "a large file that names a schema", Base: base,
			Files: with("a.json", large[:len(large)-1]+`,"$schema":"server.json"}`), WantVerdict: "fail",
			WantFindings: at("a.json")},
	}
}

// declaredCases are files that name schemas which are not the repository's.
func declaredCases() []sdktest.Case {
	fine := "pass: 0 files checked against a schema"
	file := func(schema string) map[string]string {
		return map[string]string{"sub/tool.json": `{"$schema": "` + schema + `"}`}
	}
	with := func(all map[string]string, name, text string) map[string]string { all[name] = text; return all }
	return []sdktest.Case{
		{Name: "in a folder of packages", Files: file("./node_modules/tool/schema.json"), WantVerdict: fine},
		{Name: "in one further up", Files: file("../node_modules/tool/schema.json"), WantVerdict: fine},
		{Name: "in a folder that git ignores", Files: with(file("../deps/tool/schema.json"), ".gitignore",
			"# packages\r\n/deps/\r\n"), WantVerdict: fine},
		{Name: "in one that a nested file ignores", Files: with(file("gen/s.json"), "sub/.gitignore",
			"*.json\n!gen\ngen/*.json\n"), WantVerdict: fine},
		{Name: "one that is ignored no more", Files: with(file("gen/s.json"), "sub/.gitignore", "gen/*\n!gen/s.json\n"),
			WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "sub/gen/s.json", Rule: "schema",
				Message: "cannot use the schema: sub/gen/s.json: there is no such file in the pushed tree"}}},
		{Name: "an address", Files: file("https://example.org/s.json"), WantVerdict: fine},
		{Name: "a key of a value within", Files: map[string]string{"a.json": `{"x": {"$schema": "./s.json"}}`},
			WantVerdict: fine},
	}
}

// addressCases are schemas that have addresses.
func addressCases() []sdktest.Case {
	const one = `{"schemas":[{"files":["c/*.json"],"schema":"s/a.json"},{"files":["none"],"schema":"other/d.json"}]}`
	tree := func(a, b string) map[string]string {
		return map[string]string{"c/x.json": `{"port":"x"}`, "s/a.json": a, "s/b.json": b,
			"other/d.json": `{"$id":"https://example.org/far/d.json","type":"integer"}`}
	}
	ref := func(to string) string {
		return `{"$id":"https://example.org/s/a.json","properties":{"port":{"$ref":"` + to + `"}}}`
	}
	bad := []sdk.Finding{wrong("c/x.json", 1, 9, "/port: got string, want integer")}
	remote := func(address string) []sdk.Finding {
		return []sdk.Finding{{Path: "s/a.json", Rule: "schema",
			Message: "cannot use the schema: " + address +
				": remote schemas are not fetched: copy it into the repository and refer to it by a relative path"}}
	}
	return []sdktest.Case{
		{Name: "a relative reference", With: one, Files: tree(ref("b.json"),
			`{"$id":"https://example.org/s/b.json","type":"integer"}`), WantVerdict: "fail", WantFindings: bad},
		{Name: "to a file without an id", With: one, Files: tree(ref("./b.json#/$defs/p"),
			`{"$defs":{"p":{"type":"integer"}}}`), WantVerdict: "fail", WantFindings: bad},
		{Name: "by the whole address", With: one, Files: tree(ref("https://example.org/s/b.json"), `{"type":"integer"}`),
			WantVerdict: "fail", WantFindings: bad},
		{Name: "to a schema of the settings in another folder", With: one, Files: tree(ref("/far/d.json"), `true`),
			WantVerdict: "fail", WantFindings: bad},
		{Name: "a file that says it is another", With: one,
			Files: tree(ref("b.json"), `{"$id":"https://example.org/else.json"}`), WantVerdict: "fail",
			WantFindings: remote("https://example.org/s/b.json")},
		{Name: "another host", With: one, Files: tree(ref("https://example.com/s/b.json"), `true`), WantVerdict: "fail",
			WantFindings: remote("https://example.com/s/b.json")},
		{Name: "out of the tree", With: one, Files: tree(ref("../../../b.json"), `true`), WantVerdict: "fail",
			WantFindings: remote("https://example.org/b.json")},
	}
}

func schemaCases() []sdktest.Case {
	fits, bad := `{"name":"x"}`, `{"name":1}`
	return []sdktest.Case{
		{Name: "what no schema is for", Files: map[string]string{"x.json": "{", "server.json": server}, With: ruled,
			WantVerdict: "pass: 0 files checked against a schema"},
		{Name: "a changed schema meets files that did not change",
			Files: map[string]string{"server.json": server, "conf/a/b.json": bad, "conf/c.json": fits},
			Base:  map[string]string{"server.json": "{}", "conf/a/b.json": bad, "conf/c.json": fits},
			With:  ruled, WantVerdict: "fail", WantFindings: []sdk.Finding{
				wrong("conf/a/b.json", 1, 9, "/name: got number, want string")}},
		{Name: "so does one that it refers to", Files: map[string]string{"server.json": `{"$ref":"lib/s.json#/$defs/s"}`,
			"lib/s.json": `{"$defs":{"s":{"type":"string"}}}`, "conf/c.json": "1"},
			Base: map[string]string{"server.json": `{"$ref":"lib/s.json#/$defs/s"}`, "lib/s.json": `{"$defs":{"s":true}}`,
				"conf/c.json": "1"},
			With: ruled, WantVerdict: "fail", WantFindings: []sdk.Finding{
				wrong("conf/c.json", 1, 1, "the top: got number, want string")}},
		{Name: "a remote reference", Files: map[string]string{"server.json": `{"$ref":"https://example.org/s.json"}`,
			"conf/c.json": fits}, With: ruled, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "server.json", Rule: "schema",
				Message: "cannot use the schema: https://example.org/s.json: remote schemas are not fetched: copy it into the " +
					"repository and refer to it by a relative path"}}},
		{Name: "a reference out of the repository", Files: map[string]string{"server.json": `{"$ref":"../../etc/passwd"}`,
			"conf/c.json": fits}, With: ruled, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "server.json", Rule: "schema",
				Message: "cannot use the schema: etc/passwd: there is no such file in the pushed tree"}}},
		{Name: "a schema that is not there", Files: map[string]string{"conf/c.json": fits}, With: ruled, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "server.json", Rule: "schema",
				Message: "cannot use the schema: server.json: there is no such file in the pushed tree"}}},
		{Name: "a schema that is none", Files: map[string]string{"server.json": `{"type":"strnig"}`, "conf/c.json": fits},
			With: ruled, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "server.json", Rule: "schema",
				Message: "cannot use the schema: at /type: fits none of the alternatives: value must be one of 'array', " +
					"'boolean', 'integer', 'null', 'number', 'object', 'string'; got string, want array"}}},
		{Name: "a schema in YAML", Files: map[string]string{"s.yaml": "type: string\n", "a.json": "1"},
			With: `{"schemas":[{"files":["a.json"],"schema":"s.yaml"}]}`, WantVerdict: "fail",
			WantFindings: []sdk.Finding{wrong("a.json", 1, 1, "the top: got number, want string")}},
		{Name: "a schema that does not parse", Files: map[string]string{"server.json": "{\n\"a\" 1}", "conf/c.json": fits},
			With: ruled, WantVerdict: "fail",
			WantFindings: []sdk.Finding{{Path: "server.json", Rule: "schema",
				Message: "cannot use the schema: server.json: line 2: invalid character '1' after object key"}}},
		{Name: "formats are checked when asked for", Files: map[string]string{"server.json": server,
			"conf/a.json": `{"name":"x","when":"soon"}`}, With: `{"formats":true,` + ruled[1:], WantVerdict: "fail",
			WantFindings: []sdk.Finding{wrong("conf/a.json", 1, 20,
				"/when: 'soon' is not valid date: parsing time \"soon\" as \"2006-01-02\": cannot parse \"soon\" as \"2006\"")}},
		{Name: "a declared schema", Files: map[string]string{"server.json": server,
			"a/x.json": `{"$schema":"../server.json","name":1}`}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{wrong("a/x.json", 1, 36, "/name: got number, want string")}},
		{Name: "a declared schema in an editor's comment",
			Files: map[string]string{"server.json": server,
				"x.yaml": "# yaml-language-server: $schema=./server.json\nname: 1\n"}, WantVerdict: "fail",
			WantFindings: []sdk.Finding{wrong("x.yaml", 2, 7, "/name: got number, want string")}},
		{Name: "a declared schema elsewhere", Files: map[string]string{
			"x.json": `{"$schema":"https://example.org/s.json","name":1} // and more`},
			WantVerdict: "pass: 0 files checked against a schema"},
		{Name: "a declared schema outside", Files: map[string]string{"x.json": `{"$schema":"../s.json"}`},
			WantVerdict:  "fail",
			WantFindings: []sdk.Finding{wrong("x.json", 1, 13, `$schema "../s.json" is outside the repository`)}},
		{Name: "declared schemas may be left out", Files: map[string]string{"x.json": `{"$schema":"../s.json"}`},
			With: `{"declared":false}`, WantVerdict: "pass: 0 files checked against a schema"},
		{Name: "a link is not read", Files: map[string]string{"conf/l.json": "x", "server.json": server},
			Base: map[string]string{"server.json": server}, Modes: map[string]string{"conf/l.json": "120000"}, With: ruled,
			WantVerdict: "pass: 0 files checked against a schema"},
		{Name: "a glob that is none", With: `{"schemas":[{"files":["["],"schema":"x"}]}`,
			WantVerdict: `broken: setting schemas: cannot match "[": syntax error in pattern`},
		{Name: "a schema outside", With: `{"schemas":[{"files":["x"],"schema":"../x"}]}`,
			WantVerdict: `broken: setting schemas: "../x" is not a path from the repository's top`},
	}
}

func TestSchema(t *testing.T) {
	for _, c := range slices.Concat(valueCases(), schemaCases(), encodedCases(), declaredCases(), addressCases()) {
		c.Run(t, check)
	}
}

func TestSchemaAsWasm(t *testing.T) {
	guest := wasmtest.Build(t)
	for _, c := range slices.Concat(valueCases(), schemaCases(), encodedCases(), declaredCases(), addressCases()) {
		c.Serve = guest.Serve
		c.Run(t, nil)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.json", `{"a":[1,{"b":null}]}`)
	f.Add("a.yaml", "a: &x [1]\nb: *x\n<<: {c: 1}\n")
	f.Add("a.toml", "a.b = [{c=1}]\n[[d.e]]\nf='x'\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		docs, fault := parse(name, []byte(text))
		if fault != nil && fault.message == "" {
			t.Error("a fault without words")
		}
		for _, d := range docs {
			for at, p := range d.places {
				if p.key < 0 || p.value < 0 || p.key > len(text) || p.value > len(text) {
					t.Errorf("%s is at %v of %d bytes", at, p, len(text))
				}
			}
		}
	})
}
