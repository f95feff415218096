package durable

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWholeOrNotAtAll: a file that cannot be put in place leaves the old one and nothing else.
func TestWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for text, write := range map[string]func() error{
		"one": func() error { return Write(path, []byte("one")) },
		"two": func() error { return Replace(path, []byte("two"), 0o644) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		want := map[string]os.FileMode{"one": 0o600, "two": 0o644}[text]
		if string(data) != text || err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %q with %v, %v", text, data, info.Mode(), err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "b", "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "b"), nil); err == nil {
		t.Error("a folder was replaced")
	}
	left, err := os.ReadDir(dir)
	if len(left) != 2 || err != nil {
		t.Errorf("left are %v, %v", left, err)
	}
}
