package lanerun

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// logEnd saves the last lines that come, in two files that take turns: what is
// in them is at least endPart bytes and at most two times that.
type logEnd struct {
	path  string
	parts [2]endFile
	turn  int
	lines int64 // that were thrown away
	bytes int64
}

type endFile struct {
	file  *os.File
	lines int64
	size  int64
}

func (e *logEnd) add(line []byte) error {
	if e.parts[e.turn].size+int64(len(line)) > endPart {
		e.turn = 1 - e.turn
		old := &e.parts[e.turn]
		e.lines, e.bytes = e.lines+old.lines, e.bytes+old.size
		if err := old.clear(); err != nil {
			return err
		}
	}
	part := &e.parts[e.turn]
	if part.file == nil {
		f, err := os.OpenFile(e.path+string(rune('0'+e.turn)), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		part.file = f
	}
	n, err := part.file.Write(line)
	part.size += int64(n)
	part.lines += int64(bytes.Count(line[:n], []byte("\n")))
	return err
}

func (f *endFile) clear() error {
	f.lines, f.size = 0, 0
	if f.file == nil {
		return nil
	}
	_, err := f.file.Seek(0, io.SeekStart)
	return errors.Join(err, f.file.Truncate(0))
}

// leftOut is what was thrown away.
func (e *logEnd) leftOut() (lines, bytes int64) { return e.lines, e.bytes }

// writeTo writes the saved lines, oldest first, and removes the files.
func (e *logEnd) writeTo(w io.Writer) (total int64, err error) {
	for _, i := range []int{1 - e.turn, e.turn} {
		f := e.parts[i].file
		if f == nil {
			continue
		}
		_, seekErr := f.Seek(0, io.SeekStart)
		n, copyErr := io.Copy(w, f)
		total += n
		gone := os.Remove(f.Name())
		if errors.Is(gone, fs.ErrNotExist) {
			gone = nil
		}
		err = errors.Join(err, seekErr, copyErr, f.Close(), gone)
	}
	return total, err
}
