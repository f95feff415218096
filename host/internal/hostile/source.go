package hostile

import (
	"io/fs"
	"testing/fstest"
)

// Source is the pushed tree that the attacks on files expect at /src: two
// files, a link to a file of the machine's and one that leads up.
func Source() fs.FS {
	link := func(to string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink} }
	return fstest.MapFS{"a": {Data: []byte("hello")}, "d/b": {Data: []byte("b")}, "link": link("/etc/passwd"),
		"up": link("../..")}
}
