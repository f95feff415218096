package lanelog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Line{
		"1700000000123 o hello  world\n":   {time.UnixMilli(1700000000123), 'o', "hello  world"},
		"1 h ":                             {time.UnixMilli(1), 'h', ""},
		"1 e":                              {time.UnixMilli(1), 'e', ""},
		"1 p \x1b[31mred\x1b[0m and plain": {time.UnixMilli(1), 'p', "\x1b[31mred\x1b[0m and plain"},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x o y", "1 oo y", "1"} {
		if _, err := Parse(text); err == nil || err.Error() != fmt.Sprintf("cannot read log line %q", text) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func write(t *testing.T, path string, from, to int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := from; i < to; i++ {
		if _, err := f.Write(Line{time.UnixMilli(int64(i)), 'o', fmt.Sprint("line ", i)}.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCompressedReadsTheSameFromEveryOffset(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.log")
	write(t, path, 0, 1000)
	plain := readAll(t, path, 0)
	if err := Compress(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the plain log is still there: %v", err)
	}
	if got := readAll(t, path, 0); strings.Join(got, "") != strings.Join(plain, "") || len(got) != 1000 {
		t.Errorf("got %d lines", len(got))
	}
	if got := readAll(t, path, int64(len("0 o line 0\n"))); len(got) != 999 || got[0] != "line 1" {
		t.Errorf("got %d lines from %q", len(got), got[:1])
	}
	if err := Compress(path); err == nil || !strings.HasPrefix(err.Error(), "cannot compress log: open ") {
		t.Errorf("got %v", err)
	}
}

func readAll(t *testing.T, path string, from int64) []string {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	if _, err := Read(f, from, func(_ int64, l Line) error { all = append(all, l.Text); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// A reader that comes late, before the file is there, or while it is
// compressed sees every line once and in order.
func TestFollow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.log")
	done := make(chan struct{})
	var got []string
	seen := make(chan int, 100)
	ended := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	finished := make(chan error)
	go func() {
		finished <- Follow(context.Background(), path, 0, ended, func(_ int64, l Line) error {
			got = append(got, l.Text)
			seen <- len(got)
			return nil
		})
	}()
	write(t, path, 0, 3)
	for n := range seen {
		if n == 3 {
			break
		}
	}
	write(t, path, 3, 5)
	if err := Compress(path); err != nil {
		t.Fatal(err)
	}
	close(done)
	if err := <-finished; err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, ",") != "line 0,line 1,line 2,line 3,line 4" {
		t.Errorf("got %q", got)
	}
}

func TestFollowStops(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.log")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Follow(ctx, path, 0, func() bool { return false }, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A line that is being written is not handed on before its end is there.
func TestHalfALineWaits(t *testing.T) {
	t.Parallel()
	n, err := Read(strings.NewReader("1 o whole\n2 o hal"), 0, func(int64, Line) error { return nil })
	if err != nil || n != int64(len("1 o whole\n")) {
		t.Errorf("got %d, %v", n, err)
	}
}
