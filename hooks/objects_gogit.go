package hooks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// store is an object storage of go-git's, for reading: go-git's own packages
// work on it, and see packs, alternates and the quarantine as Repo does.
var _ storer.EncodedObjectStorer = (*store)(nil)

// EncodedObject returns an object of a type, plumbing.AnyObject for any, of at
// most maxObject bytes. The error for one that is missing or of another type is
// never plumbing.ErrObjectNotFound: where go-git meets that value, it goes on as
// if nothing were there.
func (s *store) EncodedObject(typ plumbing.ObjectType, id plumbing.Hash) (plumbing.EncodedObject, error) {
	if typ == plumbing.AnyObject {
		o, err := s.read(id)
		if err != nil {
			return nil, err
		}
		return &encoded{o, id}, nil
	}
	e, err := s.typed(typ, id)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// typed reads an object that has to be of a type.
func (s *store) typed(typ plumbing.ObjectType, id plumbing.Hash) (*encoded, error) {
	o, err := s.read(id)
	if err != nil {
		return nil, err
	}
	if o.typ != typ {
		return nil, &typeError{id, o.typ, typ}
	}
	return &encoded{o, id}, nil
}

// typeError says that an object is not of the type that names it.
type typeError struct {
	id       plumbing.Hash
	is, want plumbing.ObjectType
}

func (e *typeError) Error() string {
	return fmt.Sprintf("object %s is a %s, not a %s", e.id, e.is, e.want)
}

// HasEncodedObject is nil where the store has an object.
func (s *store) HasEncodedObject(id plumbing.Hash) error {
	_, _, err := s.header(id)
	return err
}

// EncodedObjectSize returns an object's size in bytes.
func (s *store) EncodedObjectSize(id plumbing.Hash) (int64, error) {
	_, size, err := s.header(id)
	return size, err
}

// IterEncodedObjects goes over all objects of a type, each once.
func (s *store) IterEncodedObjects(typ plumbing.ObjectType) (storer.EncodedObjectIter, error) {
	packs, dirs, err := s.list(true)
	if err != nil {
		return nil, err
	}
	seen := make(map[plumbing.Hash]bool)
	var ids []plumbing.Hash
	take := func(id plumbing.Hash) error {
		if seen[id] {
			return nil
		}
		seen[id] = true
		is, _, err := s.header(id)
		if err == nil && (typ == plumbing.AnyObject || is == typ) {
			ids = append(ids, id)
		}
		return err
	}
	for _, p := range packs {
		err = errors.Join(err, p.each(take))
	}
	for _, dir := range dirs {
		err = errors.Join(err, eachLoose(dir, take))
	}
	return storer.NewEncodedObjectLookupIter(s, typ, ids), err
}

// each calls yield with the id of every object of a pack.
func (p *pack) each(yield func(plumbing.Hash) error) error {
	if err := p.open(); err != nil {
		return err
	}
	names := io.NewSectionReader(p.idx, idxNames, int64(p.count)*idSize)
	for range p.count {
		var id plumbing.Hash
		if _, err := io.ReadFull(names, id[:]); err != nil {
			return noEOF(err)
		}
		if err := yield(id); err != nil {
			return err
		}
	}
	return nil
}

// eachLoose calls yield with the id of every loose object of a directory.
func eachLoose(dir string, yield func(plumbing.Hash) error) error {
	for first := range 256 {
		folder := fmt.Sprintf("%02x", first)
		entries, err := os.ReadDir(dir + "/" + folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if name := folder + e.Name(); isID(name) {
				if err := yield(plumbing.NewHash(name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

var errReadOnly = errors.New("the repository is open for reading only")

// NewEncodedObject returns an object in memory; no store takes it.
func (s *store) NewEncodedObject() plumbing.EncodedObject { return &plumbing.MemoryObject{} }

// SetEncodedObject always is an error: nothing is written.
func (s *store) SetEncodedObject(plumbing.EncodedObject) (plumbing.Hash, error) {
	return plumbing.ZeroHash, errReadOnly
}

// AddAlternate always is an error: nothing is written.
func (s *store) AddAlternate(string) error { return errReadOnly }

// encoded is an object as go-git's decoders take it.
type encoded struct {
	object
	id plumbing.Hash
}

func (e *encoded) Hash() plumbing.Hash            { return e.id }
func (e *encoded) Type() plumbing.ObjectType      { return e.typ }
func (e *encoded) Size() int64                    { return int64(len(e.data)) }
func (e *encoded) Reader() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(e.data)), nil }
func (e *encoded) Writer() (io.WriteCloser, error) {
	return nil, errReadOnly
}

// SetType does nothing: an object that was read stays what it is.
func (e *encoded) SetType(plumbing.ObjectType) {}

// SetSize does nothing: an object that was read stays what it is.
func (e *encoded) SetSize(int64) {}
