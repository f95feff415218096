package oci

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// member is one entry of a layer in a test: "name" or "name -> target" (symbolic
// link), "name => target" (hard link), "name/" (folder), "name = text".
func header0(text string) (*tar.Header, string) {
	switch {
	case strings.Contains(text, " -> "):
		name, target, _ := strings.Cut(text, " -> ")
		return &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}, ""
	case strings.Contains(text, " => "):
		name, target, _ := strings.Cut(text, " => ")
		return &tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target, Mode: 0o644}, ""
	case strings.HasSuffix(text, "/"):
		return &tar.Header{Name: text, Typeflag: tar.TypeDir, Mode: 0o755}, ""
	}
	name, content, _ := strings.Cut(text, " = ")
	return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}, content
}

// layerTar is a layer of entries, which are texts or headers.
func layerTar(t testing.TB, entries ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h, content := (*tar.Header)(nil), ""
		switch e := e.(type) {
		case string:
			h, content = header0(e)
		case *tar.Header:
			h = e
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read is a layer as Fetch would make it.
func read(t testing.TB, data []byte) (layer, error) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	listing := &fetching{budget: &budget{limits: Limits{Bytes: 1 << 30, Entries: 1000}}}
	entries, err := listing.list(&position{r: bytes.NewReader(data)})
	return layer{f, entries}, err
}

func readAll(t testing.TB, layers [][]any) ([]layer, error) {
	t.Helper()
	var all []layer
	for _, entries := range layers {
		l, err := read(t, layerTar(t, entries...))
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// listing is what a tar holds, in its order, as header0 reads it.
func listing(t testing.TB, r io.Reader) []string {
	t.Helper()
	var lines []string
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		switch h.Typeflag {
		case tar.TypeSymlink:
			name += " -> " + h.Linkname
		case tar.TypeLink:
			name += " => " + strings.TrimPrefix(h.Linkname, "./")
		case tar.TypeReg:
			data, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > 0 {
				name += " = " + string(data)
			}
		}
		if name != "" {
			lines = append(lines, name)
		}
	}
}

// TestMerge: layers on top of each other, by the rules of the image format.
func TestMerge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		layers [][]any
		want   string
	}{
		"one layer":             {[][]any{{"a = 1", "d/", "d/b = 2"}}, "a = 1|d/|d/b = 2"},
		"a folder not written":  {[][]any{{"d/e/b = 2"}}, "d/|d/e/|d/e/b = 2"},
		"the later file counts": {[][]any{{"a = 1"}, {"a = 2"}}, "a = 2"},
		"twice in a layer":      {[][]any{{"a = 1", "a = 2"}}, "a = 2"},
		"a folder stays":        {[][]any{{"d/", "d/a = 1"}, {"d/", "d/b = 2"}}, "d/|d/a = 1|d/b = 2"},
		"a file for a folder":   {[][]any{{"d/", "d/a = 1"}, {"d = 2"}}, "d = 2"},
		"a folder for a file":   {[][]any{{"d = 1"}, {"d/", "d/a = 2"}}, "d/|d/a = 2"},
		"a folder for a link":   {[][]any{{"x/", "x/a = 1", "d -> x"}, {"d/", "d/b = 2"}}, "d/|d/b = 2|x/|x/a = 1"},
		"a whiteout":            {[][]any{{"a = 1", "b = 2"}, {".wh.a"}}, "b = 2"},
		"a whiteout of a folder": {[][]any{{"d/", "d/e/", "d/e/a = 1", "b = 2"}, {".wh.d"}},
			"b = 2"},
		"a whiteout of what is not there": {[][]any{{"a = 1"}, {".wh.b", "x/.wh.y"}}, "a = 1"},
		"a whiteout and its successor":    {[][]any{{"a = 1"}, {".wh.a", "a = 2"}}, "a = 2"},
		"its successor and a whiteout":    {[][]any{{"a = 1"}, {"a = 2", ".wh.a"}}, "a = 2"},
		"a folder that came back": {[][]any{{"d/", "d/a = 1"}, {".wh.d", "d/", "d/b = 2"}},
			"d/|d/b = 2"},
		"an opaque folder": {[][]any{{"d/", "d/a = 1", "d/e/", "d/e/x = 1"}, {"d/", "d/b = 2", "d/.wh..wh..opq"}},
			"d/|d/b = 2"},
		"an opaque root": {[][]any{{"a = 1"}, {".wh..wh..opq", "b = 2"}}, "b = 2"},
		"through a link": {[][]any{{"usr/lib/", "lib -> usr/lib"}, {"lib/a = 1"}},
			"lib -> usr/lib|usr/|usr/lib/|usr/lib/a = 1"},
		"through a full link": {[][]any{{"usr/lib/", "lib -> /usr/lib"}, {"lib/a = 1"}},
			"lib -> /usr/lib|usr/|usr/lib/|usr/lib/a = 1"},
		"a whiteout through a link": {[][]any{{"u/", "u/a = 1", "l -> u"}, {"l/.wh.a"}},
			"l -> u|u/"},
		"a link to nowhere becomes a folder there": {[][]any{{"l -> new"}, {"l/a = 1"}}, "l -> new|new/|new/a = 1"},
		"a hard link":                     {[][]any{{"a = 1", "b => a"}}, "a = 1|b => a"},
		"a hard link sorts before":        {[][]any{{"b = 1", "a => b"}}, "a = 1|b => a"},
		"a hard link to a lower layer":    {[][]any{{"a = 1"}, {"b => a"}}, "a = 1|b => a"},
		"a hard link outlives its target": {[][]any{{"a = 1", "b => a"}, {".wh.a"}}, "b = 1"},
		"a hard link, and another file at its target": {[][]any{{"a = 1", "b => a"}, {"a = 2"}},
			"a = 2|b = 1"},
		"a hard link to a link":  {[][]any{{"a -> x", "b => a"}}, "a -> x|b => a"},
		"a link's target stays":  {[][]any{{"a -> b"}, {"a = 1"}, {"b = 2"}}, "a = 1|b = 2"},
		"a name with dots":       {[][]any{{"./d/../a = 1"}}, "a = 1"},
		"a name from the root":   {[][]any{{"/a = 1"}}, "a = 1"},
		"a link from the root":   {[][]any{{"a -> /etc/shadow"}}, "a -> /etc/shadow"},
		"a link within the root": {[][]any{{"d/e/a -> ../../x"}}, "d/|d/e/|d/e/a -> ../../x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layers, err := readAll(t, c.layers)
			if err != nil {
				t.Fatal(err)
			}
			tree, err := merge(layers)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := tree.write(&b, layers); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(listing(t, &b), "|"); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestHostileLayers: what would reach beyond the image, or a container cannot
// have, is refused with its name.
func TestHostileLayers(t *testing.T) {
	t.Parallel()
	device := func(kind byte) *tar.Header {
		return &tar.Header{Name: "dev/sda", Typeflag: kind, Devmajor: 8}
	}
	hops := []any{}
	for i := range 60 {
		hops = append(hops, fmt.Sprintf("l%d -> l%d", i, i+1))
	}
	for name, c := range map[string]struct {
		layers [][]any
		want   string
	}{
		"a name above the root":       {[][]any{{"../a = 1"}}, `the name "../a" leads out of the image`},
		"a name above, further on":    {[][]any{{"d/../../a = 1"}}, `the name "d/../../a" leads out of the image`},
		"a name above, from the root": {[][]any{{"/../a = 1"}}, `the name "/../a" leads out of the image`},
		"a link above the root": {[][]any{{"a -> ../etc"}},
			`"a" is a link to "../etc", which leads out of the image`},
		"a link above, further down": {[][]any{{"d/a -> ../../etc"}},
			`"d/a" is a link to "../../etc", which leads out of the image`},
		"a hard link above the root": {[][]any{{"a => ../etc/shadow"}},
			`"a" is a link to "../etc/shadow", which leads out of the image`},
		"a hard link to nothing": {[][]any{{"a => etc/shadow"}}, `layer 1: "a": there is no folder "etc"`},
		"a hard link to a folder": {[][]any{{"d/", "a => d"}},
			`layer 1: "a" is a hard link to "d", which is not a file there`},
		"a block device":     {[][]any{{device(tar.TypeBlock)}}, `"dev/sda" is a device, which no container may have`},
		"a character device": {[][]any{{device(tar.TypeChar)}}, `"dev/sda" is a device, which no container may have`},
		"a user beyond a container's": {[][]any{{&tar.Header{Name: "a", Typeflag: tar.TypeReg, Uid: 70000}}},
			`"a" belongs to user 70000, group 0; containers have ids up to 65535`},
		"links in a ring":     {[][]any{{"a -> b", "b -> a", "a/x = 1"}}, `layer 1: "a/x": it leads through too many links`},
		"a long way of links": {[][]any{hops, {"l0/x = 1"}}, `layer 2: "l0/x": it leads through too many links`},
		"a whiteout of itself": {[][]any{{"d/", "d/.wh.."}},
			`layer 1: "/d/.wh.." hides nothing that could be there`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layers, err := readAll(t, c.layers)
			if err == nil {
				_, err = merge(layers)
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("\n got %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestOwnersAndModes: users, modes and capabilities of files arrive; other
// extended attributes do not.
func TestOwnersAndModes(t *testing.T) {
	t.Parallel()
	layers, err := readAll(t, [][]any{{&tar.Header{Name: "bin/su", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 3, Gid: 7,
		Format: tar.FormatPAX, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "c",
			"SCHILY.xattr.trusted.overlay.opaque": "y"}}}})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := merge(layers)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tree.write(&b, layers); err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(&b)
	for range 3 { // the root, bin, su
		h, err := tr.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != "./bin/su" {
			continue
		}
		if h.Mode != 0o4755 || h.Uid != 3 || h.Gid != 7 || len(h.PAXRecords) != 1 ||
			h.PAXRecords["SCHILY.xattr.security.capability"] != "c" {
			t.Errorf("%+v", h)
		}
		return
	}
	t.Error("bin/su is not there")
}

// FuzzMerge: whatever layers hold, the tar that comes out has clean names below
// the root only, each once, and no entry below something that is not a folder.
func FuzzMerge(f *testing.F) {
	f.Add("d/a = 1\n.wh.d\nl -> d\nl/x = 2\nb => l/x")
	f.Add("a -> /\na/b = 1\n\na/.wh..wh..opq")
	f.Fuzz(func(t *testing.T, text string) {
		var layers [][]any
		for part := range strings.SplitSeq(text, "\n\n") {
			var entries []any
			for line := range strings.SplitSeq(part, "\n") {
				if line != "" && !strings.ContainsRune(line, 0) && len(line) < 90 {
					entries = append(entries, line)
				}
			}
			layers = append(layers, entries)
		}
		if len(layers) > 5 {
			return
		}
		read, err := readAll(t, layers)
		if err != nil {
			return
		}
		tree, err := merge(read)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := tree.write(&b, read); err != nil {
			t.Fatal(err)
		}
		checkTar(t, &b)
	})
}

func checkTar(t *testing.T, r io.Reader) {
	kinds := map[string]byte{}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		if name == "" {
			continue
		}
		if _, twice := kinds[name]; twice || leaves(name) || strings.HasPrefix(name, "/") {
			t.Errorf("entry %q", h.Name)
		}
		if i := strings.LastIndexByte(name, '/'); i > 0 && kinds[name[:i]] != tar.TypeDir {
			t.Errorf("%q is below what is not a folder", h.Name)
		}
		if target := strings.TrimPrefix(h.Linkname, "./"); h.Typeflag == tar.TypeLink && kinds[target] == 0 {
			t.Errorf("%q is a link to %q, which was not written before", h.Name, h.Linkname)
		}
		kinds[name] = h.Typeflag
	}
}
