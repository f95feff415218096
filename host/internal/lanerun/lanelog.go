package lanerun

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pushlane/pushlane/host/internal/lanelog"
	"github.com/pushlane/pushlane/host/internal/printable"
)

const (
	maxLog  = 64 << 20           // bytes of one lane run's log: its beginning and its end
	endPart = 8 << 20            // bytes of one of the two parts that the end is saved in
	headLog = maxLog - 2*endPart // bytes of the beginning
	tailLen = 40                 // lines saved for the report
)

// laneLog writes the log of one lane run: whole, cleaned lines in the form of
// package lanelog, with their colours; reports of them have none. One writer per
// stream; safe for several at once.
type laneLog struct {
	path func() string // asked at the first line

	mu     sync.Mutex
	file   *os.File // made with the first line: most lanes that pass say nothing
	buf    *bufio.Writer
	digest hash.Hash
	size   int64
	end    *logEnd // what came after the beginning; nil: there was room for all
	tail   []string
	err    error
	shown  func(line string) // receives every line; may be nil

	hide func(line string) string // takes secrets out of a line; may be nil
}

func newLaneLog(path func() string, shown func(string)) *laneLog {
	return &laneLog{path: path, digest: sha256.New(), shown: shown}
}

// open makes the file and its folder, readable by the owner alone.
func (l *laneLog) open() error {
	if l.file != nil {
		return nil
	}
	path := l.path()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot create log folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot create log: %w", err)
	}
	l.file, l.buf = f, bufio.NewWriterSize(f, 4<<10)
	return nil
}

func (l *laneLog) line(stream byte, text string) {
	if l.hide != nil {
		text = l.hide(text)
	}
	colored := printable.CleanColor(text)
	text = printable.Clean(text)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(text) // the end of the output is what a failure shows, also where the log has no room for it
	if l.size > headLog {
		l.putEnd(stream, colored)
		return
	}
	l.put(stream, colored)
	if l.shown != nil && strings.TrimSpace(text) != "" {
		l.shown(text)
	}
}

// put writes one line through to the file: a line that was shown is never
// lost by a killed host.
func (l *laneLog) put(stream byte, text string) {
	err := l.open()
	if err == nil {
		var n int
		line := lanelog.Line{At: time.Now(), Stream: stream, Text: text}.Append(nil)
		n, err = io.MultiWriter(l.buf, l.digest).Write(line)
		err = errors.Join(err, l.buf.Flush())
		l.size += int64(n)
	}
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("cannot write log: %w", err)
	}
}

// remember stores the last lines for the report.
func (l *laneLog) remember(text string) {
	if len(l.tail) == tailLen {
		l.tail = l.tail[1:]
	}
	l.tail = append(l.tail, text)
}

// putEnd saves a line of a log whose beginning is full.
func (l *laneLog) putEnd(stream byte, text string) {
	if l.end == nil {
		l.put('h', fmt.Sprintf("the log is longer than %d MiB: of the rest, only the last lines are added "+
			"when the lane ends", headLog>>20))
		l.end = &logEnd{path: l.path() + ".end"}
	}
	line := lanelog.Line{At: time.Now(), Stream: stream, Text: text}.Append(nil)
	if err := l.end.add(line); err != nil && l.err == nil {
		l.err = fmt.Errorf("cannot write log: %w", err)
	}
}

// addEnd puts the saved end after the beginning.
func (l *laneLog) addEnd() error {
	if l.end == nil {
		return nil
	}
	if lines, bytes := l.end.leftOut(); lines > 0 {
		l.put('h', fmt.Sprintf("%s of %.1f MiB are left out here; the verdict still used them",
			printable.Count(int(lines), "line"), float64(bytes)/(1<<20)))
	}
	n, err := l.end.writeTo(io.MultiWriter(l.file, l.digest))
	l.size += n
	return err
}

// verdict adds the host's last lines, so that the log shows how the lane ended.
func (l *laneLog) verdict(text string) {
	for line := range strings.Lines(text) {
		l.line('h', line)
	}
}

// lines returns the last lines, oldest first.
func (l *laneLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.tail...)
}

// close ends the log and says its size in bytes and its sha256; a log without
// a line has no file and no sum.
func (l *laneLog) close() (size int64, sum string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, "", l.err
	}
	if err := errors.Join(l.addEnd(), l.file.Close()); l.err == nil && err != nil {
		l.err = fmt.Errorf("cannot write log: %w", err)
	}
	return l.size, hex.EncodeToString(l.digest.Sum(nil)), l.err
}

// stream is a writer that cuts what it gets into lines of the log.
func (l *laneLog) stream(kind byte) *lineWriter {
	return &lineWriter{to: func(line string) { l.line(kind, line) }}
}

// lineWriter hands whole lines on; flush hands on what has no end yet.
type lineWriter struct {
	part []byte
	to   func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		w.to(string(append(w.part, p[:i]...)))
		w.part, p = w.part[:0], p[i+1:]
	}
	if room := printable.MaxLine + 1 - len(w.part); room > 0 {
		w.part = append(w.part, p[:min(room, len(p))]...)
	}
	return n, nil
}

func (w *lineWriter) flush() {
	if len(w.part) > 0 {
		w.to(string(w.part))
		w.part = w.part[:0]
	}
}
