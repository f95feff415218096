package sdk

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"sync"
)

// opBlobs gives the content of blobs that the run may see.
const opBlobs = "blobs.read@1"

// BlobsQuery is the request of the operation blobs.read@1.
type BlobsQuery struct {
	IDs []string `json:"ids"`           // as changes and history name them
	Max int64    `json:"max,omitempty"` // bytes of each that are wanted; 0: all
}

// MaxBlobs is how many blobs one query names at most.
const MaxBlobs = 1000

// BlobHead is the length in bytes of the header of each blob in the stream: its
// whole size, little-endian.
const BlobHead = 8

// AppendJSON appends the query as one JSON object.
func (q BlobsQuery) AppendJSON(b []byte) []byte {
	m := object(b)
	m.texts("ids", q.IDs)
	m.intOpt("max", q.Max)
	return m.end()
}

// ParseBlobsQuery reads a query; see ParseRequest.
func ParseBlobsQuery(b []byte) (BlobsQuery, error) {
	var q BlobsQuery
	d := decoder{s: string(b)}
	d.top(func() {
		d.object(func(key string) bool {
			switch key {
			case "ids":
				d.texts(&q.IDs)
			case "max":
				d.int64(&q.Max)
			default:
				return false
			}
			return true
		})
	})
	err := d.end()
	switch {
	case err != nil:
	case q.Max < 0:
		err = errors.New("max is " + strconv.FormatInt(q.Max, 10) + ", want a number of bytes, or 0 for all")
	case len(q.IDs) == 0 || len(q.IDs) > MaxBlobs:
		err = errors.New("want 1 to " + strconv.Itoa(MaxBlobs) + " ids, found " + strconv.Itoa(len(q.IDs)))
	}
	return q, err
}

// Content is the content of a file, to be read once from its start: as bytes with
// Read, or as text with Blocks. For a link it is the target.
type Content struct {
	Size int64 // bytes

	run  *Run
	src  io.Reader
	kind textKind
	err  error
}

// Read reads the bytes as git has them.
func (c *Content) Read(p []byte) (int, error) { return c.src.Read(p) }

// Contents yields changed files with their content, in their order: those of
// Changed, of History, or any part of them. Unread content is skipped. A deleted
// file and a submodule have none. If one cannot be read the run is broken.
//
// Use it to read many files: the host sends them in one stream, and a small file
// costs the run a thousandth of what Open costs.
func (r *Run) Contents(files iter.Seq[Change]) iter.Seq2[Change, *Content] {
	return contents{r, 0}.of(files)
}

// Heads is Contents that reads at most a number of bytes of each file.
func (r *Run) Heads(files iter.Seq[Change], most int64) iter.Seq2[Change, *Content] {
	return contents{r, most}.of(files)
}

// contents reads the content of files.
type contents struct {
	run  *Run
	most int64 // bytes of each; 0: all
}

func (x contents) of(files iter.Seq[Change]) iter.Seq2[Change, *Content] {
	return func(yield func(Change, *Content) bool) {
		var batch []Change
		for c := range files {
			if batch = append(batch, c); len(batch) < MaxBlobs {
				continue
			}
			if !x.batch(batch, yield) {
				return
			}
			batch = batch[:0]
		}
		x.batch(batch, yield)
	}
}

// hasBlob reports whether a change has content.
func (c Change) hasBlob() bool { return c.NewID != "" && c.Mode != "160000" && c.Mode != "" }

// batch gives the contents of some changes; false: no more are wanted.
func (x contents) batch(all []Change, yield func(Change, *Content) bool) bool {
	open := x.opener(all)
	defer open.close()
	for i, c := range all {
		content := &Content{run: x.run, src: none{}}
		var err error
		if open.has(c) {
			content.Size, content.src, err = open.next(i)
		}
		more := err == nil && yield(c, content)
		if err == nil {
			err = errors.Join(content.err, open.done(i, !more))
		}
		if err != nil {
			x.run.faults.add(errors.New("cannot read " + strconv.Quote(c.Path) + ": " + err.Error()))
			return false
		}
		if !more {
			return false
		}
	}
	return true
}

type none struct{}

func (none) Read([]byte) (int, error) { return 0, io.EOF }

// opener opens the contents of changes, one after the other.
type opener interface {
	has(Change) bool
	next(i int) (size int64, src io.Reader, err error)
	done(i int, last bool) error
	close()
}

// opener opens some changes, in their order.
func (x contents) opener(all []Change) opener {
	if x.run.offers(opBlobs) { // the host gives blobs by their ids
		return &stream{run: x.run, all: all, most: x.most}
	}
	return &fileOpener{run: x.run, all: all, most: x.most}
}

// fileOpener opens the files of a folder: a host that gives no stream, and a dry
// run.
type fileOpener struct {
	run  *Run
	all  []Change
	most int64
	file *os.File
}

func (o *fileOpener) has(c Change) bool { return c.Status != "D" && c.Mode != "160000" }

func (o *fileOpener) next(i int) (int64, io.Reader, error) {
	c := o.all[i]
	var err error
	switch {
	case c.Commit == baseCommit:
		o.file, err = openIn(o.run.session.Base, c.Path)
		if errors.Is(err, fs.ErrNotExist) { // a dry run without a base
			return 0, none{}, nil
		}
	case c.Commit != "":
		o.file, err = openIn(o.run.session.History, c.NewID)
	case c.Mode == "120000":
		return o.link(c)
	default:
		o.file, err = o.run.Open(c.Path)
	}
	if err != nil {
		return 0, nil, err
	}
	info, err := o.file.Stat()
	if err != nil {
		return 0, nil, err
	}
	return info.Size(), limited(o.file, o.most), nil
}

func (o *fileOpener) link(c Change) (int64, io.Reader, error) {
	target, err := o.run.ReadLink(c.Path)
	if err != nil { // sdktest keeps links as plain files
		text, err := o.run.Read(c.Path)
		return int64(len(text)), &textOf{text}, err
	}
	return int64(len(target)), &textOf{[]byte(target)}, nil
}

func limited(src io.Reader, most int64) io.Reader {
	if most > 0 {
		return io.LimitReader(src, most)
	}
	return src
}

func (o *fileOpener) done(int, bool) error { o.close(); return nil }

func (o *fileOpener) close() {
	if o.file != nil {
		o.file.Close()
		o.file = nil
	}
}

// textOf reads bytes in memory.
type textOf struct{ rest []byte }

func (t *textOf) Read(p []byte) (int, error) {
	n := copy(p, t.rest)
	if t.rest = t.rest[n:]; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// stream reads blobs as the host sends them: each with its head.
type stream struct {
	run     *Run
	all     []Change
	most    int64
	handle  int32 // 0: none is open
	buf     []byte
	at, end int
	left    int64 // of the blob that is being read
}

// passOver is how many bytes are rather read than asked for anew.
const passOver = 1 << 20

func (s *stream) has(c Change) bool { return c.hasBlob() }

func (s *stream) next(i int) (int64, io.Reader, error) {
	if s.handle == 0 {
		if err := s.begin(i); err != nil {
			return 0, nil, err
		}
	}
	var head [BlobHead]byte
	if err := s.full(head[:]); err != nil {
		return 0, nil, err
	}
	var size int64
	for i := len(head) - 1; i >= 0; i-- {
		size = size<<8 | int64(head[i])
	}
	if size < 0 {
		return 0, nil, errors.New("the host sends a size below 0")
	}
	if s.left = size; s.most > 0 {
		s.left = min(size, s.most)
	}
	return size, s, nil
}

// begin asks for the blobs from a change on.
func (s *stream) begin(i int) error {
	q := BlobsQuery{Max: s.most}
	for _, c := range s.all[i:] {
		if c.hasBlob() {
			q.IDs = append(q.IDs, c.NewID)
		}
	}
	answer, err := s.run.host.call(opBlobs, q.AppendJSON(nil))
	if err != nil {
		return err
	}
	s.handle, err = handleOf(opBlobs, answer)
	s.at, s.end = 0, 0
	if s.buf == nil {
		s.buf = s.run.buffers.borrow()
	}
	return err
}

// Read reads of the blob that is being read.
func (s *stream) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.some(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	return n, err
}

// some reads what is there, or waits for more.
func (s *stream) some(p []byte) (int, error) {
	if s.at == s.end {
		n, err := s.run.host.read(s.handle, s.buf)
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		s.at, s.end = 0, n
	}
	n := copy(p, s.buf[s.at:s.end])
	s.at += n
	return n, nil
}

func (s *stream) full(p []byte) error {
	for len(p) > 0 {
		n, err := s.some(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// done passes over what was not read.
func (s *stream) done(_ int, last bool) error {
	if last || s.left > passOver {
		s.drop()
		return nil
	}
	for s.left > 0 {
		if s.at == s.end {
			if _, err := s.some(nil); err != nil {
				return err
			}
		}
		n := min(int64(s.end-s.at), s.left)
		s.at += int(n)
		s.left -= n
	}
	return nil
}

// drop gives up what the host has not sent yet.
func (s *stream) drop() {
	if s.handle != 0 {
		closeHandle(s.handle)
		s.handle = 0
	}
	s.left, s.at, s.end = 0, 0, 0
}

func (s *stream) close() {
	s.drop()
	if s.buf != nil {
		s.run.buffers.giveBack(s.buf)
		s.buf = nil
	}
}

// bufferSize is what a buffer for content has, in bytes.
const bufferSize = 64 << 10

// buffers are those that a run uses again.
type buffers struct {
	mu    sync.Mutex
	spare [][]byte // that nothing uses
}

// borrow gives a buffer: to make one anew for each of many files is
// the most of what a small file costs.
func (b *buffers) borrow() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.spare); n > 0 {
		buf := b.spare[n-1]
		b.spare = b.spare[:n-1]
		return buf
	}
	return make([]byte, bufferSize)
}

func (b *buffers) giveBack(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = append(b.spare, buf)
}
