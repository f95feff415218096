package bounded

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadAllRefusesWhatIsLonger(t *testing.T) {
	for _, c := range []struct {
		length, limit int64
		err           string
	}{
		{0, 0, ""}, {1, 0, "it is longer than 0 bytes"}, {4, 4, ""}, {5, 4, "it is longer than 4 bytes"}, {3, 4, ""},
		{2049, 2048, "it is longer than 2 KiB"}, {1<<20 + 1, 1 << 20, "it is longer than 1 MiB"}, {1 << 20, 1 << 20, ""},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole":          func(r io.Reader) io.Reader { return r },
			"byte by byte":   iotest.OneByteReader,
			"end with bytes": iotest.DataErrReader,
		} {
			data, err := ReadAll(wrap(bytes.NewReader(make([]byte, c.length))), c.limit)
			switch {
			case c.err == "" && (err != nil || int64(len(data)) != c.length):
				t.Errorf("%s: %d of %d bytes: %d bytes, %v", name, c.limit, c.length, len(data), err)
			case c.err != "" && (err == nil || err.Error() != c.err || data != nil):
				t.Errorf("%s: %d of %d bytes: %d bytes, %v, want %q", name, c.limit, c.length, len(data), err, c.err)
			}
			if over := new(Error); c.err != "" && (!errors.As(err, &over) || over.Limit != c.limit) {
				t.Errorf("%s: the error does not carry its limit: %#v", name, err)
			}
		}
	}
}

func TestReadAllKeepsOtherErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, limit := range []int64{2, 3, 4} {
		if _, err := ReadAll(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)),
			limit); limit > 2 && !errors.Is(err, broken) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("abcde"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(name, 5); err != nil || string(data) != "abcde" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := ReadFile(name, 4); !errors.As(err, new(*Error)) {
		t.Errorf("longer than its limit: %v", err)
	}
	if _, err := ReadFile(name+"x", 4); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
}

func TestHeadLeavesTheRest(t *testing.T) {
	r := strings.NewReader("abcdef")
	if head, err := Head(r, 4); err != nil || string(head) != "abcd" || r.Len() != 2 {
		t.Errorf("%q, %v, %d bytes left", head, err, r.Len())
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("abc"), int64(2), 1)
	f.Fuzz(func(t *testing.T, data []byte, limit int64, step int) {
		if limit < 0 || step < 1 || step > 1<<16 {
			return
		}
		r, got := Reader(bytes.NewReader(data), limit), []byte{}
		buf := make([]byte, step)
		var err error
		for n := 0; err == nil; {
			n, err = r.Read(buf)
			got = append(got, buf[:n]...)
		}
		if over := errors.As(err, new(*Error)); over != (int64(len(data)) > limit) || !over && !bytes.Equal(got, data) {
			t.Fatalf("%d bytes, limit %d: got %d, %v", len(data), limit, len(got), err)
		}
	})
}
