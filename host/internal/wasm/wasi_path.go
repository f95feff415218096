package wasm

import (
	"errors"
	"io/fs"
)

// at resolves a path that the guest gave relative to an open folder.
func (s *session) at(g guest, fd, ptr, n uint64) (*desc, string, errno) {
	d, found := s.files.get(fd)
	if !found {
		return nil, "", eBadf
	}
	if !d.dir {
		return nil, "", eNotdir
	}
	if uint32(n) > maxPath {
		return nil, "", eNametoolong
	}
	b, inside := g.area(ptr, n)
	if !inside {
		return nil, "", eFault
	}
	path, no := resolve(d.path, string(b))
	return d, path, no
}

// Flags of path_open and path_filestat_get.
const (
	lookupFollow = 1

	openCreate    = 1
	openDir       = 2
	openExclusive = 4
	openTruncate  = 8

	rightWrite = 1 << 6

	flagAppend = 1
)

// pathOpen opens a file or folder. Links are not followed: opening one is
// ELOOP.
func pathOpen(s *session, g guest, p []uint64) errno {
	d, path, no := s.at(g, p[0], p[2], p[3])
	if no != ok {
		return no
	}
	if s.files.open >= s.files.most { // before anything is asked, as Linux does
		return eMfile
	}
	flags := p[4]
	how := openHow{create: flags&openCreate != 0, exclusive: flags&openExclusive != 0, truncate: flags&openTruncate != 0,
		write: p[5]&rightWrite != 0}
	st, err := look(d.vol, path, how)
	switch {
	case err != nil && !(how.create && errors.Is(err, fs.ErrNotExist)):
		return s.errnoOf(err, d, path)
	case err == nil && st.kind == typeDir:
		return s.openDir(g, d, path, flags, p[5], p[8])
	case err == nil && st.kind == typeLink:
		return eLoop
	case flags&openDir != 0:
		if err == nil {
			return eNotdir
		}
		return s.errnoOf(err, d, path)
	case err == nil && how.create && how.exclusive:
		return eExist
	}
	file, err := d.vol.open(path, how)
	if err != nil {
		return s.errnoOf(err, d, path)
	}
	return s.install(g, &desc{vol: d.vol, mount: d.mount, path: path, file: file, append: p[7]&flagAppend != 0,
		write: how.write || how.truncate}, p[8])
}

// look is stat of a path that is about to be opened.
func look(vol volume, path string, how openHow) (stat, error) {
	if t, is := vol.(*tree); is && how == (openHow{}) {
		return t.opening(path)
	}
	return vol.stat(path)
}

func (s *session) openDir(g guest, d *desc, path string, flags, rights, result uint64) errno {
	switch {
	case flags&openCreate != 0 && flags&openExclusive != 0:
		return eExist
	case flags&(openCreate|openTruncate) != 0, flags&openDir == 0 && rights&rightWrite != 0:
		return eIsdir
	}
	return s.install(g, &desc{vol: d.vol, mount: d.mount, path: path, dir: true}, result)
}

func (s *session) install(g guest, d *desc, result uint64) errno {
	fd, no := s.files.add(d)
	if no != ok {
		d.close()
		return no
	}
	if no := g.put32(result, fd); no != ok {
		s.files.drop(uint64(fd))
		return no
	}
	return ok
}

// pathFilestatGet: a link that should be followed is ELOOP, else it is itself.
func pathFilestatGet(s *session, g guest, p []uint64) errno {
	d, path, no := s.at(g, p[0], p[2], p[3])
	if no != ok {
		return no
	}
	st, err := d.vol.stat(path)
	if err != nil {
		return s.errnoOf(err, d, path)
	}
	if st.kind == typeLink && p[1]&lookupFollow != 0 {
		return eLoop
	}
	return putStat(g, p[4], st, d.mount, path)
}

func pathReadlink(s *session, g guest, p []uint64) errno {
	d, path, no := s.at(g, p[0], p[1], p[2])
	if no != ok {
		return no
	}
	target, err := d.vol.readlink(path)
	if err != nil {
		return s.errnoOf(err, d, path)
	}
	b, inside := g.area(p[3], p[4])
	if !inside {
		return eFault
	}
	return g.put32(p[5], uint32(copy(b, target)))
}

// names resolves a path in a folder whose names can be changed.
func (s *session) names(g guest, fd, ptr, n uint64) (writableVolume, *desc, string, errno) {
	d, path, no := s.at(g, fd, ptr, n)
	if no != ok {
		return nil, nil, "", no
	}
	v, can := d.vol.(writableVolume)
	if !can {
		return nil, nil, "", eRofs
	}
	return v, d, path, ok
}

func pathMkdir(s *session, g guest, p []uint64) errno {
	v, d, path, no := s.names(g, p[0], p[1], p[2])
	if no != ok {
		return no
	}
	return s.errnoOf(v.mkdir(path), d, path)
}

func pathRmdir(s *session, g guest, p []uint64) errno {
	v, d, path, no := s.names(g, p[0], p[1], p[2])
	if no != ok {
		return no
	}
	return s.errnoOf(v.remove(path, true), d, path)
}

func pathUnlink(s *session, g guest, p []uint64) errno {
	v, d, path, no := s.names(g, p[0], p[1], p[2])
	if no != ok {
		return no
	}
	return s.errnoOf(v.remove(path, false), d, path)
}

func pathRename(s *session, g guest, p []uint64) errno {
	v, d, from, no := s.names(g, p[0], p[1], p[2])
	if no != ok {
		return no
	}
	_, to, target, no := s.names(g, p[3], p[4], p[5])
	if no != ok {
		return no
	}
	if to.mount != d.mount {
		return eXdev
	}
	return s.errnoOf(v.rename(from, target), d, from)
}

// pathNothing accepts a change of times: no one sees times.
func pathNothing(s *session, g guest, p []uint64) errno {
	_, _, _, no := s.names(g, p[0], p[2], p[3])
	return no
}
