// Package bounded reads untrusted input up to a limit. Longer input is an error and
// is never cut: a caller cannot mistake the limit for the end.
package bounded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Error says that something is longer than what is read of it.
type Error struct {
	Limit int64 // bytes
}

func (e *Error) Error() string { return "it is longer than " + size(e.Limit) }

// size writes bytes in the largest unit that divides them.
func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.bytes && n%unit.bytes == 0 {
			return fmt.Sprintf("%d %s", n/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// ReadAll reads to the end of r. Where that is more than limit bytes the error
// is an *Error and nothing is returned.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(Reader(r, limit))
	if err != nil {
		return nil, err
	}
	return data, nil
}

// ReadFile is ReadAll of a regular file. A pipe or a device is refused, and
// does not hold the caller up.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is not a regular file"))
	}
	return ReadAll(f, limit)
}

// Reader passes on what r has, and fails with an *Error where that is more
// than limit bytes. Exactly limit bytes and the end are not an error.
func Reader(r io.Reader, limit int64) io.Reader { return &reader{r: r, left: limit, limit: limit} }

type reader struct {
	r           io.Reader
	left, limit int64
}

func (b *reader) Read(p []byte) (int, error) {
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.left > 0 || len(p) == 0 {
		n, err := b.r.Read(p)
		b.left -= int64(n)
		return n, err
	}
	var one [1]byte // the byte that there must not be
	n, err := b.r.Read(one[:])
	if n > 0 {
		return 0, &Error{b.limit}
	}
	return 0, err
}

// Head reads the beginning of r, at most limit bytes, for callers that need only
// that. It does not read a byte beyond them.
func Head(r io.Reader, limit int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, limit)) }
