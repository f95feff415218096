package lanerun

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/pushlane/pushlane/host/internal/store"
)

const (
	artifactChunk = 1 << 20 // bytes read at once, a multiple of diskBlock
)

// artifactFolder saves a container's artifacts below one folder, within the
// quota of the lane run; os.Root holds every name inside it.
type artifactFolder struct {
	dir   string
	quota *artifactQuota
	root  *os.Root
	made  map[string]bool // folders below dir
	taken int64           // bytes of the disk
	files []store.File
}

// Keep writes one artifact of size bytes. Blocks of zeros become holes: a file
// takes no more of the host's disk than it took of the container's. Content
// that is shorter or longer than size is an error, and so is what goes over
// the quota; then the file is not there.
func (a *artifactFolder) Keep(name string, size int64, content io.Reader) error {
	if err := a.count(diskBlock, a.quota.file(size)); err != nil { // what a file takes in addition to its content
		return err
	}
	if err := a.makeFolders(filepath.Dir(name)); err != nil {
		return err
	}
	f, err := a.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if err := errors.Join(a.write(f, sum, size, content), f.Close()); err != nil {
		return errors.Join(err, a.root.Remove(name))
	}
	a.files = append(a.files, store.File{Name: name, Path: filepath.Join(a.dir, name), Size: size,
		SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// makeFolders makes the folder and those above it; each takes a block.
func (a *artifactFolder) makeFolders(dir string) error {
	if a.root == nil {
		if err := os.MkdirAll(a.dir, 0o700); err != nil {
			return err
		}
		root, err := os.OpenRoot(a.dir)
		if err != nil {
			return err
		}
		a.root, a.made = root, map[string]bool{".": true}
	}
	if a.made[dir] {
		return nil
	}
	if err := a.makeFolders(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := a.count(diskBlock, a.quota.take(diskBlock)); err != nil {
		return err
	}
	a.made[dir] = true
	return a.root.MkdirAll(dir, 0o700)
}

func (a *artifactFolder) write(f *os.File, sum hash.Hash, size int64, content io.Reader) error {
	buf := make([]byte, min(artifactChunk, size+1))
	for at := int64(0); ; {
		n, err := io.ReadFull(content, buf)
		sum.Write(buf[:n])
		switch {
		case at+int64(n) > size:
			return fmt.Errorf("it grew beyond %d bytes while it was read", size)
		case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
			return err
		}
		if err := a.writeBlocks(f, buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
		switch {
		case err != nil && at < size:
			return fmt.Errorf("it shrank from %d to %d bytes while it was read", size, at)
		case err != nil:
			return f.Truncate(size)
		}
	}
}

// writeBlocks writes what is not zeros, at its place.
func (a *artifactFolder) writeBlocks(f *os.File, data []byte, at int64) error {
	for len(data) > 0 {
		run := dataRun(data)
		if run == 0 {
			skip := min(diskBlock, len(data))
			data, at = data[skip:], at+int64(skip)
			continue
		}
		if err := a.count(wholeBlocks(int64(run)), a.quota.take(int64(run))); err != nil {
			return err
		}
		if _, err := f.WriteAt(data[:run], at); err != nil {
			return err
		}
		data, at = data[run:], at+int64(run)
	}
	return nil
}

var emptyBlock [diskBlock]byte

// dataRun is the length of the blocks at the start of data that hold more than
// zeros.
func dataRun(data []byte) int {
	run := 0
	for run < len(data) {
		block := data[run:min(run+diskBlock, len(data))]
		if bytes.Equal(block, emptyBlock[:len(block)]) {
			break
		}
		run += len(block)
	}
	return run
}

// count notes n bytes that the quota gave.
func (a *artifactFolder) count(n int64, err error) error {
	if err == nil {
		a.taken += n
	}
	return err
}

// drop removes what was saved, because of err: the lane run does not list it.
func (a *artifactFolder) drop(err error) error {
	if a.taken == 0 {
		return err
	}
	removed := os.RemoveAll(a.dir)
	if removed == nil {
		removed = a.quota.giveBack(a.taken)
	}
	if removed != nil {
		return errors.Join(err, removed)
	}
	a.files, a.taken = nil, 0
	return err
}

func (a *artifactFolder) close() {
	if a.root != nil {
		a.root.Close()
	}
}
