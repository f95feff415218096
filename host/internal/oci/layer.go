package oci

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushlane/pushlane/host/internal/bounded"
)

// Limits of one image.
type Limits struct {
	Bytes   int64 // of all layers, uncompressed
	Entries int64 // of all layers
}

// defaultEntries is the number of files that an image may have.
const defaultEntries = 1_000_000

// layer is one layer that was fetched: its tar in a file without a name, and
// what is in it.
type layer struct {
	file    *os.File
	entries []entry
}

// entry is one member of a layer's tar.
type entry struct {
	header *tar.Header
	at     int64 // where its content begins in the file
}

// budget is what is left of the limits, for all layers together.
type budget struct {
	limits         Limits
	bytes, entries atomic.Int64
}

// grow charges bytes of a layer.
func (b *budget) grow(n int) error {
	if b.bytes.Add(int64(n)) > b.limits.Bytes {
		return fmt.Errorf("its layers unpack to more than %s (images.max_size of the policy)", words(b.limits.Bytes))
	}
	return nil
}

func words(n int64) string {
	if n >= 1<<30 && n%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// Progress hears how far a pull is: layers that are here, of how many, and bytes
// of them, of how many. It is called from several goroutines.
type Progress func(layers, of int, bytes, total int64)

// Pulled is an image whose layers are here.
type Pulled struct {
	Image
	layers []layer
}

// Close gives back the space of the layers.
func (p *Pulled) Close() {
	for _, l := range p.layers {
		if l.file != nil {
			l.file.Close()
		}
	}
}

// atOnce is how many layers are fetched at the same time.
const atOnce = 3

// Fetch brings the layers here, into files without a name in a folder, or takes
// them out of the store. The caller closes the result.
func (c Client) Fetch(ctx context.Context, image Image, store Store, limits Limits, said Progress) (*Pulled, error) {
	if limits.Entries == 0 {
		limits.Entries = defaultEntries
	}
	repo, err := c.repository(image.Name)
	if err != nil {
		return nil, explain(image.Name, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &Pulled{Image: image, layers: make([]layer, len(image.Layers))}
	f := fetching{from: repo.Blobs(), store: store, budget: &budget{limits: limits}, image: image, said: said}
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for k := range image.Layers {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			var err error
			if p.layers[k], err = f.layer(ctx, k); err != nil {
				cancel(fmt.Errorf("layer %d of %d: %w", k+1, len(image.Layers), err))
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		p.Close()
		return nil, explain(image.Name, context.Cause(ctx))
	}
	return p, nil
}

// fetching is the pull of one image.
type fetching struct {
	from   fetcher
	store  Store
	budget *budget
	image  Image
	said   Progress
	layers atomic.Int64
	bytes  atomic.Int64
}

// layer fetches one layer and looks through it.
func (f *fetching) layer(ctx context.Context, k int) (_ layer, err error) {
	d := f.image.Layers[k]
	packed, err := f.store.open(ctx, f.from, d)
	if err != nil {
		return layer{}, err
	}
	defer packed.Close()
	file, err := f.store.temporary()
	if err != nil {
		return layer{}, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	entries, err := f.unpack(ctx, &counted{r: packed, f: f}, file, d, f.image.Config.RootFS.DiffIDs[k])
	if err != nil {
		return layer{}, err
	}
	if err := packed.done(); err != nil {
		return layer{}, err
	}
	f.layers.Add(1)
	f.say()
	return layer{file, entries}, nil
}

func (f *fetching) say() {
	if f.said != nil {
		f.said(int(f.layers.Load()), len(f.image.Layers), f.bytes.Load(), f.image.Size())
	}
}

// counted reports what is read of packed layers.
type counted struct {
	r io.Reader
	f *fetching
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.f.bytes.Add(int64(n))
	c.f.say()
	return n, err
}

// unpack reads a packed layer once: into the file, through both digests, and
// through the reader of tars.
func (f *fetching) unpack(ctx context.Context, packed io.Reader, file *os.File, d ocispec.Descriptor,
	diff digest.Digest) ([]entry, error) {
	whole := sha256.New()
	raw := bufio.NewReaderSize(io.TeeReader(bounded.Reader(packed, d.Size), whole), 1<<18)
	plain, err := decompress(raw)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	sum := sha256.New()
	out := bufio.NewWriterSize(file, 1<<18)
	place := &position{r: bufio.NewReaderSize(&tee{ctx, plain, out, sum, f.budget}, 1<<18)}
	entries, err := f.list(place)
	if err == nil {
		_, err = io.Copy(io.Discard, place) // what is after the tar counts for the digest
	}
	if err == nil {
		_, err = io.Copy(io.Discard, raw)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return nil, err
	}
	if got := digestOf(whole); got != d.Digest {
		return nil, lied(d.Digest, got)
	}
	if got := digestOf(sum); got != diff {
		return nil, fmt.Errorf("it unpacks to %s, the image's config says %s", got, cut(diff.String()))
	}
	return entries, nil
}

func digestOf(h hash.Hash) digest.Digest {
	return digest.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// list reads a layer's headers.
func (f *fetching) list(place *position) ([]entry, error) {
	var entries []entry
	tr := tar.NewReader(place)
	for {
		h, err := tr.Next()
		switch {
		case err == io.EOF:
			return entries, nil
		case err != nil:
			return nil, err
		case f.budget.entries.Add(1) > f.budget.limits.Entries:
			return nil, fmt.Errorf("its layers have more than %d entries", f.budget.limits.Entries)
		}
		if err := checkHeader(h); err != nil {
			return nil, err
		}
		entries = append(entries, entry{h, place.at})
	}
}

// decompress chooses by the first bytes: media types are not always right.
func decompress(r *bufio.Reader) (io.ReadCloser, error) {
	magic, err := r.Peek(4)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		return gzip.NewReader(r)
	case string(magic) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(128<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// tee passes a layer's content on to its file and its digest, and charges it.
type tee struct {
	ctx    context.Context
	r      io.Reader
	file   io.Writer
	sum    hash.Hash
	budget *budget
}

func (t *tee) Read(p []byte) (int, error) {
	if t.ctx.Err() != nil {
		return 0, context.Cause(t.ctx)
	}
	n, err := t.r.Read(p)
	if over := t.budget.grow(n); over != nil {
		return 0, over
	}
	t.sum.Write(p[:n])
	if _, failed := t.file.Write(p[:n]); failed != nil {
		return 0, failed
	}
	return n, err
}

// position counts the bytes that were read.
type position struct {
	r  io.Reader
	at int64
}

func (p *position) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.at += int64(n)
	return n, err
}
