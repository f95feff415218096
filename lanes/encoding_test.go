package lanes

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
)

// A lanes file and a lock file mean the same in every encoding that editors
// write.
func TestEncodingsOfConfiguration(t *testing.T) {
	lanesFile := "version = 1\n[[lane]]\nid = \"t\"\nplugin = \"shell\"\n[lane.with]\nrun = \"\"\"\nset -e\nmake 'é'\n" +
		"\"\"\"\nother = '''\na\nb'''\n"
	lockFile := "version = 1\n[[plugin]]\nname = \"x\"\nsource = \"x.wasm\"\nsha256 = \"" + strings.Repeat("a", 64) +
		"\"\n"
	want, lock := load(t, lanesFile), mustLock(t, lockFile)
	for name, write := range map[string]func(string) string{
		"byte order mark": func(s string) string { return "\ufeff" + s },
		"CR LF":           crlf,
		"UTF-16 and CR LF": func(s string) string {
			b := []byte{0xff, 0xfe}
			for _, u := range utf16.Encode([]rune(crlf(s))) {
				b = append(b, byte(u), byte(u>>8))
			}
			return string(b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := load(t, write(lanesFile)); !reflect.DeepEqual(got.Lanes, want.Lanes) {
				t.Errorf("lanes are %+v, want %+v", got.Lanes, want.Lanes)
			}
			if got := mustLock(t, write(lockFile)); !reflect.DeepEqual(got, lock) {
				t.Errorf("the lock is %+v, want %+v", got, lock)
			}
		})
	}
	if run := want.Lanes[0].With["run"]; run != "set -e\nmake 'é'\n" {
		t.Errorf("the script is %q", run)
	}
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func mustLock(t *testing.T, text string) *Lock {
	t.Helper()
	lock, err := ReadLock("lanes.lock", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// A file that lies about its order, or is cut in half, is refused as a whole.
func TestEncodingsThatLie(t *testing.T) {
	for text, want := range map[string]string{
		"\xff\xfe\x00v\x00e\x00r": "f:1: broken TOML: ",
		"\xff\xfev":               "f: the file begins as UTF-16 and is not; save it as UTF-8",
	} {
		if _, err := Load("f", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A folder that is called like a pattern is not ignored for its name.
func TestIgnoreTakesNoNamesakes(t *testing.T) {
	set := load(t, "version = 1\n[[lane]]\nid = \"t\"\nplugin = \"x\"\nignore = [\"**/*.md\", \"docs\", \"[a]b\"]\n")
	for path, want := range map[string]bool{"**/*.md/evil.go": true, "**/*.md": false, "a/b.md": false, "docs/x.go": false,
		"[a]b": true, "[a]b/x": true, "ab": false} {
		got, err := set.Pick(t.Context(), Event{Paths: []string{path}})
		if err != nil || got[0].Picked != want {
			t.Errorf("%s: picked %v, want %v, %v", path, got[0].Picked, want, err)
		}
	}
}
