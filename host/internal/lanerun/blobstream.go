package lanerun

import (
	"fmt"
	"io"
	"slices"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// unitsPerBlob is what opening a blob takes, in units of fuel: some
// microseconds.
const unitsPerBlob = 4000

// blobStream gives blobs one after the other, each after its size.
type blobStream struct {
	ids  []string
	most int64 // of each; 0: all
	toil *Toil
	open func(id string) (io.ReadCloser, int64, error)

	head []byte // not yet read
	now  io.ReadCloser
	left int64 // of now
}

// NewBlobStream answers blobs.read@1 with the blobs of a query, each opened by
// open.
func NewBlobStream(q sdk.BlobsQuery, w *Toil, open func(string) (io.ReadCloser, int64, error)) *blobStream {
	return &blobStream{ids: slices.Clone(q.IDs), most: q.Max, toil: w, open: open}
}

// Ready says that it can be read; its end too.
func (s *blobStream) Ready() (wasm.Ready, <-chan struct{}) { return wasm.Readable, nil }

// Read fills p as far as there are blobs, so that many small ones take one
// question.
func (s *blobStream) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m, err := s.some(p[n:])
		n += m
		if err == io.EOF && n > 0 {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return n, s.toil.pay(n)
}

func (s *blobStream) some(p []byte) (int, error) {
	switch {
	case len(s.head) > 0:
		n := copy(p, s.head)
		s.head = s.head[n:]
		return n, nil
	case s.now == nil && len(s.ids) == 0:
		return 0, io.EOF
	case s.now == nil:
		return 0, s.next()
	case s.left == 0:
		err := s.now.Close()
		s.now = nil
		return 0, err
	}
	n, err := s.now.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err == io.EOF && s.left > 0 {
		return n, io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// next opens the next blob.
func (s *blobStream) next() error {
	if err := s.toil.pay(unitsPerBlob); err != nil {
		return err
	}
	file, size, err := s.open(s.ids[0])
	if err != nil {
		return err
	}
	s.ids, s.now, s.left = s.ids[1:], file, size
	if s.most > 0 {
		s.left = min(size, s.most)
	}
	s.head = make([]byte, sdk.BlobHead)
	for i := range s.head {
		s.head[i] = byte(size >> (8 * i))
	}
	return nil
}

// Close lets go of the blob that is open.
func (s *blobStream) Close() error {
	if s.now == nil {
		return nil
	}
	err := s.now.Close()
	s.now, s.ids = nil, nil
	return err
}

// Unseen is the denial of a blob.
func Unseen(id string) error {
	message := fmt.Sprintf("cannot read blob %q: no change that the plugin sees has it", printable.Clean(id))
	return &wasm.OpError{Code: wasm.Denied, Message: message}
}
