package hostile

import (
	"fmt"
	"slices"
	"strings"
)

// shapes are files that are not a plugin, or a plugin put together wrongly.
func shapes() []Attack {
	fixed := func(b string) func() []byte { return func() []byte { return []byte(b) } }
	imports := func(i []byte) func() []byte { return changed(func(m *module) { m.imports = [][]byte{i} }) }
	return []Attack{
		{ID: "empty", About: "nothing at all", Module: fixed(""), Want: `it is empty`, Kind: Refused},
		{ID: "script", About: "a shell script", Module: fixed("#!/bin/sh\nrm -rf ~\n"),
			Want: `it is not a WebAssembly module`, Kind: Refused},
		{ID: "half-header", About: "half a header", Module: fixed("\x00asm\x01"), Want: `it is not a WebAssembly module`,
			Kind: Refused},
		{ID: "component", About: "a component, which is another format behind the same magic",
			Module: func() []byte { return header(0x0d, 1) }, Want: `it is a WebAssembly component, a plugin is a core module`,
			Kind: Refused},
		{ID: "version-2", About: "a version that does not exist", Module: func() []byte { return header(2, 0) },
			Want: `it is WebAssembly of version 02 00 00 00, this host reads version 1`, Kind: Refused},
		{ID: "no-memory", About: "no memory", Module: changed(func(m *module) { m.memories, m.exports = nil, m.exports[:1] }),
			Want: `it has no memory`, Kind: Refused},
		{ID: "two-memories", About: "two memories", Module: changed(
			func(m *module) { m.memories = [][]byte{{0, 1}, {0, 1}} }),
			Want: `it has 2 memories, at most 1 are allowed`, Kind: Refused},
		{ID: "shared-memory", About: "a memory shared between threads",
			Module: changed(func(m *module) { m.memories = [][]byte{{3, 1, 1}} }),
			Want:   `a memory of kind 3: shared and 64-bit ones are not supported`, Kind: Refused},
		{ID: "memory64", About: "a memory with 64-bit addresses",
			Module: changed(func(m *module) { m.memories = [][]byte{{4, 1}} }),
			Want:   `a memory of kind 4: shared and 64-bit ones are not supported`, Kind: Refused},
		{ID: "no-start", About: "no _start", Module: changed(func(m *module) { m.exports = m.exports[1:] }),
			Want: `it exports no function _start without parameters and results`, Kind: Refused},
		{ID: "start-with-result", About: "a _start that returns something", Module: changed(func(m *module) {
			m.types[0] = funcType("", "i")
			*m = m.with(i32(0))
		}), Want: `it exports no function _start without parameters and results`, Kind: Refused},
		{ID: "start-is-a-memory", About: "an export _start that is not a function", Module: changed(func(m *module) {
			m.exports[0] = export("_start", 2, 0)
		}), Want: `it exports no function _start without parameters and results`, Kind: Refused},
		{ID: "start-twice", About: "two exports _start", Module: changed(func(m *module) {
			m.exports = append(m.exports, export("_start", 0, 0))
		}), Want: `"?_start"?`, Kind: Refused},
		{ID: "hidden-memory", About: "a memory that is not exported",
			Module: changed(func(m *module) { m.exports = m.exports[:1] }),
			Want:   `it does not export its memory as "memory"`, Kind: Refused},
		{ID: "imported-memory", About: "a memory from the host",
			Module: imports(imported("wasi_snapshot_preview1", "memory", 2, 0, 1)),
			Want:   `it imports "memory" from module "wasi_snapshot_preview1", which has no such function`, Kind: Refused},
		{ID: "imported-global", About: "a global from the host", Module: imports(imported("lane1", "fuel", 3, 0x7e, 1)),
			Want: `it imports "fuel" from module "lane1", which has no such function`, Kind: Refused},
		{ID: "import-env", About: "a function from elsewhere", Module: imports(imported("env", "system", 0, 0)),
			Want: `it imports "system" from module "env"; a plugin may import from wasi_snapshot_preview1 and lane1 only`,
			Kind: Refused},
		{ID: "import-other-plugin", About: "the memory of another plugin by its name",
			Module: imports(imported("files", "memory", 2, 0, 1)),
			Want:   `it imports "memory" from module "files"; a plugin may import from`, Kind: Refused},
		{ID: "import-unknown", About: "an operation of lane1 that does not exist",
			Module: imports(imported("lane1", "exec", 0, 0)),
			Want:   `it imports "exec" from module "lane1", which has no such function`, Kind: Refused},
		{ID: "import-signature", About: "lane1.call with fewer parameters than the host reads",
			Module: imports(imported("lane1", "call", 0, 0)),
			Want:   `another signature than that function has`, Kind: Refused},
		{ID: "name-not-utf8", About: "an export whose name is not UTF-8", Module: changed(func(m *module) {
			m.exports = append(m.exports, export("\xff\xfe", 0, 0))
		}), Want: `is not UTF-8`, Kind: Refused},
		{ID: "leb-six-bytes", About: "a number of six bytes", Module: raw(op(1, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0)),
			Want: `is too long`, Kind: Refused},
		{ID: "leb-33-bits", About: "a number of 33 bits", Module: raw(op(1, 5, 0xff, 0xff, 0xff, 0xff, 0x1f)),
			Want: `is too long`, Kind: Refused},
		{ID: "leb-endless", About: "a section size that never ends", Module: raw(op(1), slices.Repeat(op(0x80), 1<<20)),
			Want: `is too long`, Kind: Refused},
		{ID: "section-too-short", About: "a section that ends in the middle of a type",
			Module: raw(section(nil, 1, op(1, 0x60, 1))), Want: `in 0 bytes|in the middle`, Kind: Refused},
		{ID: "section-too-long", About: "a section with bytes that no one counts", Module: raw(section(nil, 1, op(0, 0xff))),
			Want: `section 1 has 1 bytes too many`, Kind: Refused},
		{ID: "section-truncated", About: "a file that ends in a section", Module: raw(op(1, 100, 0)),
			Want: `section 1 claims 100 bytes of 1`, Kind: Refused},
		{ID: "section-order", About: "sections out of order", Module: raw(op(3, 1, 0, 1, 1, 0)),
			Want: `section 1 is out of order`, Kind: Refused},
		{ID: "section-twice", About: "two type sections: readers differ on which one counts",
			Module: raw(op(1, 1, 0, 1, 1, 0)), Want: `it has section 1 twice`, Kind: Refused},
		{ID: "section-unknown", About: "a section of a kind that does not exist", Module: raw(op(14, 0)),
			Want: `a section of unknown kind 14`, Kind: Refused},
		{ID: "code-missing", About: "functions without code", Module: changed(func(m *module) { m.bodies = nil }),
			Want: `it has 1 functions and no code`, Kind: Refused},
		{ID: "code-too-much", About: "more code than functions", Module: changed(func(m *module) {
			m.bodies = append(m.bodies, body(nil))
		}), Want: `it has 1 functions and code for 2`, Kind: Refused},
	}
}

// manifests are wrong in what they say of themselves.
func manifests() []Attack {
	says := func(text string) func() []byte { return changed(func(m *module) { m.manifest = text }) }
	more := func(text string) func() []byte { return says(manifest("text") + text) }
	schema := func(text string) func() []byte { return more("schema = '" + text + "'\n") }
	return []Attack{
		{ID: "manifest-missing", About: "no manifest", Module: says(""),
			Want: `it has no manifest \(custom section lane.manifest\)`, Kind: Refused},
		{ID: "manifest-twice", About: "two manifests: one to read, one to obey", Module: changed(func(m *module) {
			m.customs = [][]byte{custom("lane.manifest", []byte(manifest("text")))}
		}), Want: `it has 2 manifests`, Kind: Refused},
		{ID: "manifest-unknown-key", About: "a key that the host does not know", Module: more("trusted = true\n"),
			Want: `unknown key "trusted"`, Kind: Refused},
		{ID: "manifest-capability", About: "a capability that does not exist",
			Module: more("[[capabilities]]\nname = \"shell\"\n"), Want: `capability "shell" is not one of`, Kind: Refused},
		{ID: "manifest-abi", About: "another contract's number",
			Module: says(strings.Replace(manifest("text"), "abi = 1", "abi = 2", 1)), Want: `speaks ABI 2, this host speaks 1`,
			Kind: Refused},
		{ID: "manifest-name", About: "a name that leads out of the plugins' folder",
			Module: says(strings.Replace(manifest("text"), "hostile", "../../x", 1)), Want: `name "../../x" is not of the form`,
			Kind: Refused},
		{ID: "manifest-deep", About: "arrays nested eight million deep", Module: says("name = " + strings.Repeat("[", 8<<20)),
			Want: `its manifest is wrong: it is 8388615 bytes long, at most 65536 are allowed`, Kind: Refused},
		{ID: "manifest-nested", About: "arrays nested as deep as a manifest may be long",
			Module: says("name = " + strings.Repeat("[", 65_000)), Want: `its manifest is wrong: line 1`, Kind: Refused},
		{ID: "manifest-not-text", About: "a manifest of bytes that are not text", Module: says("name = \"\xff\xfe\x00\"\n"),
			Want: `its manifest is wrong: line 1`, Kind: Refused},
		{ID: "schema-network", About: "a schema that would have the host fetch something",
			Module: schema(`{"$ref":"https://example.org/s.json"}`),
			Want:   `it refers to https://example.org/s.json; a schema must not refer to other documents`, Kind: Refused},
		{ID: "schema-file", About: "a schema that would have the host read a file",
			Module: schema(`{"$ref":"file:///etc/passwd"}`),
			Want:   `it refers to file:///etc/passwd; a schema must not refer to other documents`, Kind: Refused},
		{ID: "schema-own-address", About: "a schema that refers to itself by an address",
			Module: schema(`{"$ref":"lane:///with"}`),
			Want:   `it refers to lane:///with; a schema must not refer to other documents`, Kind: Refused},
		{ID: "schema-anchor", About: "references that a reader may overlook",
			Module: schema(`{"$dynamicRef":"#x","$defs":{"a":{"$dynamicAnchor":"x"}}}`),
			Want:   `it uses \$dynamic(Ref|Anchor); a schema may refer to its parts only by \$ref and a path`, Kind: Refused},
		{ID: "schema-circle", About: "a schema that refers to itself", Module: schema(`{"$ref":"#"}`),
			Want: `schema: it is nested deeper than 64, references included`, Kind: Refused},
		{ID: "schema-deep", About: "a schema nested 3,000 deep: minutes to read",
			Module: schema(strings.Repeat(`{"not":`, 3000) + "{}" + strings.Repeat("}", 3000)),
			Want:   `schema: it is nested deeper than 64, references included`, Kind: Refused},
		{ID: "schema-doubling", About: "40 definitions that each refer twice to the next: years to hold settings against",
			Module: schema(doubling(40)),
			Want:   `schema: it (has more than 10000 parts with its references|is nested deeper than 64)`, Kind: Refused},
		{ID: "schema-pattern", About: "a pattern that doubles with every letter",
			Module: schema(
				`{"type":"object","properties":{"a":{"pattern":"((((((((a{99}){99}){99}){99}){99}){99}){99}){99})"}}}`),
			Want: `its manifest is`, Kind: Refused},
	}
}

// doubling is a schema of n definitions, each of which is the next one twice.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	fmt.Fprintf(&b, `"d%d":{}}}`, n)
	return b.String()
}
