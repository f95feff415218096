package plugins

import (
	"strings"
	"testing"
)

// TestDocs: a plugin's settings in the order of its schema, with types a lane's author can write, its capabilities and a lane.
func TestDocs(t *testing.T) {
	t.Parallel()
	module := []byte("\x00asm\x01\x00\x00\x00")
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
