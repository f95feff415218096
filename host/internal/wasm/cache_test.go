package wasm

import (
	"os"
	"regexp"
	"testing"
)

// TestCodeVersion: other code of the same module has another version, else an
// update of pushlane would find code in its cache that it cannot use.
func TestCodeVersion(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	wazero := regexp.MustCompile(`tetratelabs/wazero (v\S+)`).FindSubmatch(mod)
	if wazero == nil {
		t.Fatal("go.mod does not name wazero")
	}
	code := wazero[1]
	for _, name := range []string{"a sum in a loop", "a recursion", "memory.fill", "table work", "segments"} {
		data := programs[name]
		f, err := check(data)
		if err != nil {
			t.Fatal(err)
		}
		metered, err := meter(data, f)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, metered...)
	}
	const want = "3 492310120136aada9b056928708da1a2b0dbe0b8e579c42b044744e89f896bff"
	if got := codeVersion + " " + Digest(append(code, oneRow()...)); got != want {
		t.Errorf("got %s\nwant %s\nthe meter or wazero has changed: raise codeVersion, and put both here", got, want)
	}
}
