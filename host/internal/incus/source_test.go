package incus

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
)

func cacheAt(name, path string) sdk.Cache { return sdk.Cache{Name: name, Path: path} }

// brokenSource fails after that many bytes.
type brokenSource struct{ after int }

func (b brokenSource) ID() string { return strings.Repeat("b", 40) }

func (b brokenSource) WriteTar(_ context.Context, w io.Writer, uid, gid int) error {
	out := tar.NewWriter(w)
	out.WriteHeader(&tar.Header{Name: "f", Mode: 0o644, Size: 1 << 30, Format: tar.FormatGNU})
	for written := 0; written < b.after; written += 4096 {
		if _, err := out.Write(make([]byte, 4096)); err != nil {
			return err
		}
	}
	return errors.New("object is missing")
}

type namedSource struct {
	id string
	files
}

func (n namedSource) ID() string { return n.id }

func TestHostileTreesDoNotBecomeAVolume(t *testing.T) {
	for name, test := range map[string]struct {
		entries []tar.Header
		want    string
	}{
		"upwards":        {[]tar.Header{{Name: "../etc/passwd", Typeflag: tar.TypeReg}}, "leads out of the tree"},
		"upwards inside": {[]tar.Header{{Name: "a/../../b", Typeflag: tar.TypeReg}}, "leads out of the tree"},
		"absolute":       {[]tar.Header{{Name: "/etc/passwd", Typeflag: tar.TypeReg}}, "leads out of the tree"},
		"through a link": {[]tar.Header{{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
			{Name: "a/passwd", Typeflag: tar.TypeReg}}, "leads through a link"},
		"a link twice": {[]tar.Header{{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
			{Name: "a", Typeflag: tar.TypeReg}}, "appears twice"},
		"a hard link": {[]tar.Header{{Name: "a", Typeflag: tar.TypeLink, Linkname: "/etc/shadow"}},
			"neither a file, a folder nor a link"},
		"a device":           {[]tar.Header{{Name: "a", Typeflag: tar.TypeBlock}}, "neither a file, a folder nor a link"},
		"nothing for a name": {[]tar.Header{{Name: "", Typeflag: tar.TypeReg}}, "leads out of the tree"},
	} {
		t.Run(name, func(t *testing.T) {
			var in bytes.Buffer
			w := tar.NewWriter(&in)
			for _, h := range test.entries {
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			w.Close()
			err := copyTree(tar.NewWriter(io.Discard), tar.NewReader(&in))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v, want %q", err, test.want)
			}
		})
	}
}
