package own

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// world is a folder of the test's own, in which all is well.
func world(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, mode)
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// TestCheck has each way in which others may change a file; the hint of each is
// run, and helps.
func TestCheck(t *testing.T) {
	t.Parallel()
	sticky := os.ModeSticky | 0o777
	for name, test := range map[string]struct {
		make func(t *testing.T, dir string)
		want string // DIR is replaced by the folder
	}{
		"mine alone":      {func(t *testing.T, dir string) { write(t, dir+"/a/f", 0o600) }, ""},
		"others may read": {func(t *testing.T, dir string) { write(t, dir+"/a/f", 0o644) }, ""},
		"others may write": {func(t *testing.T, dir string) { write(t, dir+"/a/f", 0o666) },
			"others may write it (mode 0666)"},
		"the group may": {func(t *testing.T, dir string) { write(t, dir+"/a/f", 0o664) },
			"others may write it (mode 0664)"},
		"write and not read": {func(t *testing.T, dir string) { write(t, dir+"/a/f", 0o602) },
			"others may write it (mode 0602)"},
		"its folder": {func(t *testing.T, dir string) { write(t, dir+"/a/f", 0o600); chmod(t, dir+"/a", 0o777) },
			"others may write DIR/a, which leads to it (mode 0777)"},
		"a folder above": {func(t *testing.T, dir string) {
			write(t, dir+"/b/a/f", 0o600)
			chmod(t, dir+"/b", 0o775)
			link(t, "b/a", dir+"/a")
		}, "others may write DIR/b, which leads to it (mode 0775)"},
		"a folder for all, as /tmp": {func(t *testing.T, dir string) {
			write(t, dir+"/a/f", 0o600)
			chmod(t,
				dir+"/a", sticky)
		}, ""},
		"a folder for all is the file": {func(t *testing.T, dir string) {
			os.MkdirAll(dir+"/a/f", 0o755)
			chmod(t, dir+"/a/f", sticky)
		}, "others may write it (mode 0777)"},
		"a folder": {func(t *testing.T, dir string) { os.MkdirAll(dir+"/a/f", 0o755) }, ""},
		"a link to a file that others may write": {func(t *testing.T, dir string) {
			write(t, dir+"/a/real", 0o666)
			link(t, "real", dir+"/a/f")
		}, "others may write DIR/a/real, which leads to it (mode 0666)"},
		"a link through a folder that others may write": {func(t *testing.T, dir string) {
			write(t, dir+"/open/real", 0o600)
			chmod(t, dir+"/open", 0o777)
			os.Mkdir(dir+"/a", 0o755)
			link(t, dir+"/open/real", dir+"/a/f")
		}, "others may write DIR/open, which leads to it (mode 0777)"},
		"a link back out of a folder that others may write": {func(t *testing.T, dir string) {
			write(t, dir+"/real", 0o600)
			os.MkdirAll(dir+"/open/in", 0o755)
			chmod(t, dir+"/open", 0o777)
			os.Mkdir(dir+"/a", 0o755)
			link(t, "../open/in/../../real", dir+"/a/f")
		}, "others may write DIR/open, which leads to it (mode 0777)"},
		"good links": {func(t *testing.T, dir string) {
			write(t, dir+"/b/real", 0o600)
			link(t, "b", dir+"/a")
			link(t, "real", dir+"/b/f")
		}, ""},
		"a loop": {func(t *testing.T, dir string) { os.Mkdir(dir+"/a", 0o755); link(t, "f", dir+"/a/f") },
			"too many levels of symbolic links"},
		"nothing is there": {func(*testing.T, string) {}, ""},
		"a dead link": {func(t *testing.T, dir string) {
			os.Mkdir(dir+"/a", 0o755)
			link(t, "gone",
				dir+"/a/f")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := world(t)
			test.make(t, dir)
			err := Check(dir + "/a/f")
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.HasSuffix(err.Error(), strings.ReplaceAll(test.want, "DIR", dir)) {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			helps(t, err, dir+"/a/f")
		})
	}
}

// helps runs the hint of an error.
func helps(t *testing.T, err error, path string) {
	t.Helper()
	var wrong *Error
	if !errors.As(err, &wrong) {
		return
	}
	if out, err := exec.Command("sh", "-c", wrong.Hint()).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", wrong.Hint(), err, out)
	}
	if err := Check(path); err != nil {
		t.Errorf("after %s: %v", wrong.Hint(), err)
	}
}

// TestOfAnotherUser: who owns a file may change its mode.
func TestOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can give files away")
	}
	dir := world(t)
	write(t, dir+"/it's a/f", 0o600)
	link(t, "it's a/f", dir+"/link")
	for _, test := range []struct{ give, check, want string }{
		{dir + "/it's a/f", dir + "/it's a/f", "others may write it (it belongs to nobody)"},
		{dir + "/it's a", dir + "/it's a/f", "others may write " + dir +
			"/it's a, which leads to it (it belongs to nobody)"},
		{dir + "/link", dir + "/link", "others may write it (it belongs to nobody)"},
	} {
		if err := os.Lchown(test.give, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		err := Check(test.check)
		if err == nil || err.Error() != test.want {
			t.Fatalf("%s: got %v, want %s", test.give, err, test.want)
		}
		helps(t, err, test.check)
	}
	if err := Check("/dev/null"); err != nil {
		t.Error(err)
	}
}

// BenchmarkCheck is what a hook pays for a file of a policy.
func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	os.WriteFile(dir+"/f", nil, 0o600)
	for b.Loop() {
		if err := Check(dir + "/f"); err != nil {
			b.Fatal(err)
		}
	}
}
