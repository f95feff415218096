package wasm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
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
	if err != nil || man.Name != "build" || man.Version != "1.2.0" || man.ABI != 1 || man.Output != "jsonl" ||
		len(man.Capabilities) != 1 || man.Capabilities[0].Why != "runs the build" {
		t.Errorf("read %+v, %v", man, err)
	}
	for text, want := range map[string]string{
		"": `cannot pack plugin: cannot read module: its manifest is wrong: name "" is not ` +
			`of the form [a-z0-9][a-z0-9_-]*, at most 63 long`,
		"name = \"x\"\noutput=\"text\"": "cannot pack plugin: cannot read module: its manifest is wrong: abi is missing; " +
			"this host speaks 1",
	} {
		if _, err := Pack(m.bytes(), []byte(text)); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if _, err := Pack([]byte("no"), []byte(imageManifest)); err == nil {
		t.Error("packed what is not a module")
	}
}

func TestHintOfAMissingManifest(t *testing.T) {
	m := minimal()
	m.manifest = "-"
	_, err := ReadManifest(m.bytes())
	var format *FormatError
	if !errors.As(err, &format) || format.Hint() != "add one with: pushlane plugin pack IN.wasm OUT.wasm" {
		t.Errorf("got %v", err)
	}
}

// The manifest in the contract is one that pack takes: it is what authors copy.
func TestPackTakesTheContractsManifest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "sdk", "ABI.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n    name = \"todo\"\n")
	rest, _, found := strings.Cut(rest, "\n`input` lists")
	if !found {
		t.Fatal("the manifest is not where this test looks for it")
	}
	manifest := "name = \"todo\"\n" + strings.ReplaceAll(rest, "\n    ", "\n")
	module, err := Pack(minimal().bytes(), []byte(manifest))
	if err != nil {
		t.Fatalf("%v\n%s", err, manifest)
	}
	m, err := ReadManifest(module)
	if err != nil || m.Name != "todo" || len(m.Capabilities) != 1 || len(m.Input) != 1 || m.Schema == "" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestManifestInOtherEncodings(t *testing.T) {
	t.Parallel()
	text := "\ufeffname = \"a\"\r\nabi = 1\r\noutput = \"text\"\r\n"
	if m, err := parseManifest([]byte(text)); err != nil || m.Name != "a" {
		t.Errorf("got %+v, %v", m, err)
	}
	_, err := parseManifest([]byte("\xff\xfen"))
	want := "cannot read module: its manifest is wrong: the file begins as UTF-16 and is not; save it as UTF-8"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestExitStatusIsOfEightBits(t *testing.T) {
	t.Parallel()
	for code, want := range map[uint32]int{0: 0, 1: 1, 255: 255, 256: 256, 257: 1, 0xffffffff: 255,
		0xffffff00: 0xffffff00} {
		if got := exitStatus(code); got != want {
			t.Errorf("%d: got %d, want %d", code, got, want)
		}
	}
}
