package wasm

import (
	"strings"
)

// File types as the guest sees them.
const (
	typeChar    = 2
	typeDir     = 3
	typeRegular = 4
	typeLink    = 7
)

// stat is what a guest may know of a file.
type stat struct {
	kind byte
	size int64
}

// entry is one name in a folder.
type entry struct {
	name string
	kind byte
}

// volume is a file system under one of the guest's folders. Paths are clean,
// relative and raw bytes; "." is the top.
type volume interface {
	stat(path string) (stat, error)
	list(path string) ([]entry, error)
	open(path string, how openHow) (content, error)
	readlink(path string) (string, error)
}

// content is an open file.
type content interface {
	readAt(p []byte, off int64) (int, error) // io.EOF at the end
	size() int64
	close()
}

// writable is content that can be changed.
type writable interface {
	content
	writeAt(p []byte, off int64) error
	truncate(size int64) error
}

// writableVolume is a volume whose names can be changed.
type writableVolume interface {
	volume
	mkdir(path string) error
	remove(path string, dir bool) error
	rename(from, to string) error
}

type openHow struct {
	create, exclusive, truncate, write bool
}

// desc is an open file descriptor.
type desc struct {
	top    string // guest name of a preopened folder; else ""
	stdio  int    // 1 + number of a standard stream; 0: none
	vol    volume
	mount  int // number of the volume
	path   string
	dir    bool
	file   content
	pos    int64
	append bool
	write  bool
	listed []entry // of a folder being read
}

// mounts are the guest's folders, in order: descriptors 3 to 6.
var mounts = [...]string{"/src", "/base", "/results", "/out"}

const firstMount = 3

// files is the descriptor table. Without a call only what is known of the
// standard streams and folders is asked.
type files struct {
	all  []*desc // by number; nil: free
	open int
	most int
}

func newFiles(s *session) files {
	call := s.call
	vols := [...]volume{&tree{session: s, number: TreeSrc}, &tree{session: s, number: TreeBase},
		&tree{session: s, number: TreeResults}, call.Out}
	if call.Out == nil {
		vols[3] = NewOut(0, 0)
	}
	f := files{most: call.MaxFiles}
	for i := range firstMount {
		f.all = append(f.all, &desc{stdio: i + 1})
	}
	for i, name := range mounts {
		f.all = append(f.all, &desc{top: name, vol: vols[i], mount: i, path: ".", dir: true})
	}
	f.open = len(f.all)
	return f
}

func (f *files) get(fd uint64) (*desc, bool) {
	n := int(uint32(fd))
	if n >= len(f.all) || f.all[n] == nil {
		return nil, false
	}
	return f.all[n], true
}

// add gives an open file the lowest free number.
func (f *files) add(d *desc) (uint32, errno) {
	if f.open >= f.most {
		return 0, eMfile
	}
	f.open++
	for n := range f.all {
		if f.all[n] == nil {
			f.all[n] = d
			return uint32(n), ok
		}
	}
	f.all = append(f.all, d)
	return uint32(len(f.all) - 1), ok
}

func (f *files) drop(fd uint64) errno {
	d, found := f.get(fd)
	if !found {
		return eBadf
	}
	f.all[uint32(fd)] = nil
	f.open--
	d.close()
	return ok
}

func (d *desc) close() {
	if d.file != nil {
		d.file.close()
		d.file = nil
	}
}

// stat of what is open.
func (d *desc) stat() (stat, error) {
	switch {
	case d.stdio > 0:
		return stat{kind: typeChar}, nil
	case d.file != nil:
		return stat{kind: typeRegular, size: d.file.size()}, nil
	}
	return d.vol.stat(d.path)
}

// resolve makes a volume's path of one that a guest gave, relative to a
// folder. No path leads above the folder's volume.
func resolve(dir, name string) (string, errno) {
	if name == "" {
		return "", eNoent
	}
	if len(name) > maxPath {
		return "", eNametoolong
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", eInval
	}
	if name[0] == '/' {
		return "", ePerm
	}
	var parts []string
	if dir != "." {
		parts = strings.Split(dir, "/")
	}
	for elem := range strings.SplitSeq(name, "/") {
		switch elem {
		case "", ".":
		case "..":
			if len(parts) == 0 {
				return "", ePerm
			}
			parts = parts[:len(parts)-1]
		default:
			parts = append(parts, elem)
		}
	}
	if len(parts) == 0 {
		return ".", ok
	}
	return strings.Join(parts, "/"), ok
}

// maxPath is the longest path a guest may name, bytes.
const maxPath = 4096
