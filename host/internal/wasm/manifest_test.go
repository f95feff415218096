package wasm

import (
	"bytes"
	"errors"
	"testing"
)

const imageManifest = `name = "build"
version = "1.2.0"
abi = 1
output = "jsonl"

[[capabilities]]
name = "container"
why = "runs the build"
`

func TestPack(t *testing.T) {
	m := minimal()
	m.manifest = "-"
	m.customs = [][]byte{append(appendName(nil, "other"), "kept"...)}
	packed, err := Pack(m.bytes(), []byte(imageManifest))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Pack(packed, []byte(imageManifest))
	if err != nil || !bytes.Equal(packed, again) {
		t.Errorf("packing twice is not packing once: %v", err)
	}
	if !bytes.Contains(packed, []byte("\x05otherkept")) {
		t.Error("another custom section is lost")
	}
	man, err := ReadManifest(packed)
	if err != nil || man.Name != "build" || man.Version != "1.2.0" || man.ABI != 1 || man.Output != "jsonl" || len(man.Capabilities) != 1 || man.Capabilities[0].Why != "runs the build" {
		t.Errorf("read %+v, %v", man, err)
	}
	for text, want := range map[string]string{
		"":                              `cannot pack plugin: cannot read module: its manifest is wrong: name "" is not of the form [a-z0-9][a-z0-9_-]*, at most 63 long`,
		"name = \"x\"\noutput=\"text\"": "cannot pack plugin: cannot read module: its manifest is wrong: abi is missing; this host speaks 1",
	} {
		if _, err := Pack(m.bytes(), []byte(text)); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if _, err := Pack([]byte("no"), []byte(imageManifest)); err == nil {
		t.Error("packed what is no module")
	}
}

func TestHintOfAMissingManifest(t *testing.T) {
	m := minimal()
	m.manifest = "-"
	_, err := ReadManifest(m.bytes())
	var format *FormatError
	if !errors.As(err, &format) || format.Hint() != "put one in with: pushlane plugin pack IN.wasm OUT.wasm" {
		t.Errorf("got %v", err)
	}
}
