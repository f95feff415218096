package secret

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// newStore is an empty one, as private as it must be.
func newStore(t *testing.T) Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return Store{Dir: dir, Key: dir + ".key"}
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestSetAndRead: what is stored comes back, and is not on the disk as it is.
func TestSetAndRead(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for value, want := range map[string]string{
		"hush-hush-hush\n": "hush-hush-hush", "two\nlines\r\n\n": "two\nlines", "\x00\xffbytes": "\x00\xffbytes",
		strings.Repeat("x", Max): strings.Repeat("x", Max),
	} {
		if err := s.Set("TOKEN", []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Read("TOKEN"); string(got) != want || err != nil {
			t.Errorf("%d bytes of %q, %v", len(got), want[:min(20, len(want))], err)
		}
		onDisk, err := os.ReadFile(filepath.Join(s.Dir, "TOKEN"))
		if err != nil || bytes.Contains(onDisk, []byte(want[:6])) || !bytes.HasPrefix(onDisk, []byte(header)) {
			t.Errorf("on the disk: %q, %v", onDisk[:min(60, len(onDisk))], err)
		}
	}
	for _, name := range []string{filepath.Join(s.Dir, "TOKEN"), s.Key} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestWhatIsNotStored: a value that cannot be masked or used, and a name that no lane can grant.
func TestWhatIsNotStored(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const form = " is not a name: it has letters, digits and _, at most 64, and does not begin with a digit"
	for _, c := range []struct{ name, value, want string }{
		{"TOKEN", "five5\n", "it has 5 bytes, want 6 to 65536"},
		{"TOKEN", "", "it has 0 bytes, want 6 to 65536"},
		{"TOKEN", strings.Repeat("x", Max+1), "it has 65537 bytes, want 6 to 65536"},
		{"../TOKEN", "a value", `"../TOKEN"` + form}, {"", "a value", `""` + form}, {"a-b", "a value", `"a-b"` + form},
		{"1A", "a value", `"1A"` + form}, {".key", "a value", `".key"` + form},
	} {
		if err := s.Set(c.name, []byte(c.value)); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.name, err, c.want)
		}
	}
	if all, err := s.List(); len(all) > 0 || err != nil {
		t.Errorf("stored %v, %v", all, err)
	}
}

// TestFilesThatWereMoved: an encrypted file counts under its own name, with its own key, unchanged, or not at all.
func TestFilesThatWereMoved(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, name := range []string{"TOKEN", "OTHER", "CUT", "FLIPPED"} {
		if err := s.Set(name, []byte("value of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string) string { return filepath.Join(s.Dir, name) }
	data, err := os.ReadFile(file("TOKEN"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, file("OTHER"), string(data), 0o600)
	put(t, file("CUT"), header+"x", 0o600)
	data[len(data)-1] ^= 1
	put(t, file("FLIPPED"), string(data), 0o600)
	changed := "it was not encrypted under this name with the key in " + s.Key + ", or was changed"
	for _, name := range []string{"OTHER", "CUT", "FLIPPED"} {
		if got, err := s.Read(name); err == nil || err.Error() != changed {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for text, want := range map[string]string{
		strings.Repeat("0", 64) + "\n": changed, "short": "the key " + s.Key + " is not 64 hexadecimal digits",
	} {
		put(t, s.Key, text, 0o600)
		if _, err := s.Read("TOKEN"); err == nil || err.Error() != want {
			t.Errorf("key %q: %v", text, err)
		}
	}
	put(t, s.Key, strings.Repeat("0", 64), 0o644)
	want := "cannot read the key " + s.Key + ": others can read it"
	for what, err := range map[string]error{"read": ignore(s.Read("TOKEN")), "set": s.Set("NEW", []byte("a value"))} {
		if err == nil || err.Error() != want {
			t.Errorf("%s with a key of mode 644: %v", what, err)
		}
	}
	if err := os.Remove(s.Key); err != nil {
		t.Fatal(err)
	}
	err = s.Set("NEW", []byte("a value"))
	if want := "the key " + s.Key + " is gone, and " + s.Dir + " has secrets that it encrypted"; err == nil ||
		err.Error() != want || !strings.Contains(problem.Hint(err), "pushlane secret rm NAME") {
		t.Errorf("a new key over old secrets: %v", err)
	}
}

func ignore(_ []byte, err error) error { return err }

// TestListAndRemove: names and whether they are encrypted; what cannot be a secret is not listed.
func TestListAndRemove(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, filepath.Join(s.Dir, "PLAIN"), "by hand", 0o600)
	put(t, filepath.Join(s.Dir, ".new-1"), "left over", 0o600)
	if err := s.Set("TOKEN", []byte("a value")); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if len(all) != 2 || all[0] != (Entry{"PLAIN", false}) || all[1] != (Entry{"TOKEN", true}) || err != nil {
		t.Errorf("listed %v, %v", all, err)
	}
	if err := s.Remove("TOKEN"); err != nil {
		t.Error(err)
	}
	if err := s.Remove("TOKEN"); !os.IsNotExist(err) {
		t.Errorf("removed twice: %v", err)
	}
	if err := s.Remove("../secrets.key"); err == nil || !strings.Contains(err.Error(), "is not a name") {
		t.Errorf("removed the key: %v", err)
	}
	if all, err := (Store{Dir: filepath.Join(s.Dir, "none")}).List(); len(all) > 0 || err != nil {
		t.Errorf("no folder: %v, %v", all, err)
	}
}

// TestRead: a secret is a regular file of the host's own that no one else can read, of a size that can be masked.
func TestRead(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	dir, outside := s.Dir, filepath.Join(filepath.Dir(s.Dir), "outside")
	put(t, outside, "outside of it", 0o600)
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"TOKEN", "value of TOKEN\n", 0o600}, {"lines", "one\ntwo\r\n\n", 0o600}, {"readonly", "secret", 0o400},
		{"five", "12345\n", 0o600}, {"none", "", 0o600}, {"most", strings.Repeat("x", Max), 0o600},
		{"over", strings.Repeat("x", Max+1), 0o600}, {"far", strings.Repeat("x", Max+257), 0o600},
		{"world", "secret", 0o604}, {"group", "secret", 0o640}, {"written", "secret", 0o620},
	} {
		put(t, filepath.Join(dir, f.name), f.text, f.mode)
	}
	for name, target := range map[string]string{"inner": "TOKEN", "outer": outside, "dotted": "../outside"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ want, err string }{
		"TOKEN":      {"value of TOKEN", ""},
		"lines":      {"one\ntwo", ""},
		"readonly":   {"secret", ""},
		"inner":      {"value of TOKEN", ""},
		"most":       {strings.Repeat("x", Max), ""},
		"over":       {"", "it is longer than 64 KiB"},
		"far":        {"", "it is longer than 64 KiB"},
		"five":       {"", "it has 5 bytes, want 6 to 65536"},
		"none":       {"", "it has 0 bytes, want 6 to 65536"},
		"world":      {"", "others can read it"},
		"group":      {"", "others can read it"},
		"written":    {"", "others may write it (mode 0620)"},
		"folder":     {"", "it is not a file"},
		"pipe":       {"", "it is not a file"},
		"outer":      {"", "openat outer: path escapes from parent"},
		"dotted":     {"", "openat dotted: path escapes from parent"},
		"../outside": {"", "openat ../outside: path escapes from parent"},
		"missing":    {"", "openat missing: no such file or directory"},
	} {
		got, err := s.Read(name)
		if string(got) != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if _, err := (Store{Dir: filepath.Join(dir, "nowhere")}).Read("TOKEN"); err == nil {
		t.Error("a folder that is not there has secrets")
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	want := "others may write " + dir + ", which leads to it (mode 0777)"
	if _, err := s.Read("TOKEN"); err == nil || err.Error() != want {
		t.Errorf("a folder that others may write: %v", err)
	}
	want = "others may write it (mode 0777)"
	if err := s.Set("TOKEN", []byte("a value")); err == nil || err.Error() != want {
		t.Errorf("set in a folder that others may write: %v", err)
	}
}
