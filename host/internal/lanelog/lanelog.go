// Package lanelog reads the logs of lane runs, finished or still growing.
//
// A log is a file of lines "<unix milliseconds> <stream> <text>". Streams: o
// and e are a container's standard output and error, p the plugin's standard
// error, h the host. A finished log may be compressed (zstd) under its name
// with ".zst" after it. The text contains no control characters except colours
// (ESC [ digits and semicolons m).
package lanelog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Line is one line of a log.
type Line struct {
	At     time.Time
	Stream byte
	Text   string
}

// Parse reads a line, with or without its end.
func Parse(text string) (Line, error) {
	text = strings.TrimSuffix(text, "\n")
	at, rest, _ := strings.Cut(text, " ")
	stream, words, _ := strings.Cut(rest, " ")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || len(stream) != 1 {
		return Line{}, fmt.Errorf("cannot read log line %q", text[:min(len(text), 80)])
	}
	return Line{At: time.UnixMilli(ms), Stream: stream[0], Text: words}, nil
}

// Append adds the line as it is in a file, with its end.
func (l Line) Append(b []byte) []byte {
	return fmt.Appendf(b, "%d %c %s\n", l.At.UnixMilli(), l.Stream, l.Text)
}

const packed = ".zst"

// Open opens a log, compressed or not; fs.ErrNotExist: there is none.
func Open(path string) (io.ReadCloser, error) {
	for range 2 { // it may be compressed between the two looks
		f, err := os.Open(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		f, err = os.Open(path + packed)
		if err == nil {
			return unpack(f)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

type unpacked struct {
	*zstd.Decoder
	file *os.File
}

func (u unpacked) Close() error { u.Decoder.Close(); return u.file.Close() }

func unpack(f *os.File) (io.ReadCloser, error) {
	d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot read %s: %w", f.Name(), err)
	}
	return unpacked{d, f}, nil
}

// Compress puts the compressed form of a finished log in its place. A crash
// at any point leaves one of the two whole.
func Compress(path string) error {
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot compress log: %w", err)
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(path), ".log-*")
	if err != nil {
		return fmt.Errorf("cannot compress log: %w", err)
	}
	defer os.Remove(out.Name())
	enc, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1))
	if err == nil {
		_, err = io.Copy(enc, in)
		err = errors.Join(err, enc.Close(), out.Sync())
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), path+packed)
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("cannot compress log: %w", err)
	}
	return nil
}

// Read hands on every line from byte offset from of the uncompressed log;
// offset is where the line ends. A last line without an end is left out.
func Read(r io.Reader, from int64, each func(offset int64, l Line) error) (int64, error) {
	if err := skip(r, from); err != nil {
		return from, err
	}
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		text, err := in.ReadString('\n')
		if err == io.EOF {
			return from, nil
		}
		if err != nil {
			return from, fmt.Errorf("cannot read log: %w", err)
		}
		line, err := Parse(text)
		if err != nil {
			return from, err
		}
		from += int64(len(text))
		if err := each(from, line); err != nil {
			return from, err
		}
	}
}

func skip(r io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	if s, ok := r.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekStart)
		return err
	}
	if _, err := io.CopyN(io.Discard, r, n); err != nil && err != io.EOF {
		return fmt.Errorf("cannot read log: %w", err)
	}
	return nil
}

// pollEvery is how often a growing log is looked at.
const pollEvery = 50 * time.Millisecond

// Follow is Read of a log that may still grow: it goes on until ended says
// that no more comes, and all that was there then was handed on. A log that is
// not there yet is waited for.
func Follow(ctx context.Context, path string, from int64, ended func() bool,
	each func(offset int64, l Line) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	size := int64(-1)
	for {
		last := ended() // asked first: what comes after is read once more
		if info, err := os.Stat(path); err != nil || info.Size() != size || last {
			if err == nil {
				size = info.Size()
			}
			next, err := readOnce(path, from, each)
			if err != nil {
				return err
			}
			from = next
		}
		if last {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func readOnce(path string, from int64, each func(int64, Line) error) (int64, error) {
	f, err := Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return from, nil
	}
	if err != nil {
		return from, err
	}
	defer f.Close()
	return Read(f, from, each)
}
