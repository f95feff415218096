package plugins

import (
	"strings"
	"testing"
)

// TestDocs: settings in the order of the schema, with types as a lane has them, capabilities, a lane to copy.
func TestDocs(t *testing.T) {
	t.Parallel()
	module := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01" +
		"\x07\x13\x02\x06memory\x02\x00\x06_start\x00\x00\x0a\x04\x01\x02\x00\x0b")
	packed, err := Pack(module, []byte(`name = "look"
version = "1.2.3"
abi = 1
output = "jsonl"
input = []
schema = '''{"type":"object","required":["where"],"properties":{
 "where":{"type":"string","description":"a \u001b[1mplace"},
 "also":{"type":"array","items":{"enum":["a","b"]}},
 "size":{"type":["number","string"]},
 "more":{"type":"array","items":{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}}}}}'''
[[capabilities]]
name = "container"
why = "runs things"
[[capabilities]]
name = "repo.read"
why = "reads things"
`))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := Docs(&b, packed); err != nil {
		t.Fatal(err)
	}
	const want = `look 1.2.3

Settings, below [lane.with]:
  where (string, required)
      a place
  also (list of one of a, b)
  size (number or string)
  more (list of table)
      name (string, required)

What it asks for; grant it below [lane.grant]:
  container          runs things
  repo.read          reads things (granted unless the lane says no)

A lane to begin with:

[[lane]]
id = "look"
plugin = "look"
[lane.grant]
container = true
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if err := Docs(&b, module); err == nil {
		t.Error("a module without a manifest")
	}
}
