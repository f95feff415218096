package oci

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushlane/pushlane/host/internal/problem"
)

// liar is a registry that says what a test wants. A well-behaved registry is in
// the tests of package images.
type liar struct {
	manifests map[string][]byte // by tag or digest
	types     map[string]string
	blobs     map[digest.Digest][]byte
	sent      map[digest.Digest][]byte // in place of a blob
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // /v2/app/manifests/1
	if len(parts) < 5 {
		return
	}
	what, name := parts[len(parts)-2], parts[len(parts)-1]
	data, ok := l.manifests[name]
	if what == "blobs" {
		data, ok = l.blobs[digest.Digest(name)]
		if other, lies := l.sent[digest.Digest(name)]; lies {
			data = other
		}
	} else {
		w.Header().Set("Content-Type", l.types[name])
		w.Header().Set("Docker-Content-Digest", string(digest.FromBytes(data)))
		if strings.HasPrefix(name, "sha256:") {
			w.Header().Set("Docker-Content-Digest", name)
		}
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	if r.Method != http.MethodHead {
		w.Write(data)
	}
}

func newLiar() *liar {
	return &liar{map[string][]byte{}, map[string]string{}, map[digest.Digest][]byte{}, map[digest.Digest][]byte{}}
}

func (l *liar) put(t testing.TB, tag, mediaType string, v any) ocispec.Descriptor {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(data)
	for _, name := range []string{tag, d.String()} {
		l.manifests[name], l.types[name] = data, mediaType
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func (l *liar) blob(mediaType string, data []byte) ocispec.Descriptor {
	d := digest.FromBytes(data)
	l.blobs[d] = data
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func zipped(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// image adds an image of tars to the registry, which change may spoil.
func (l *liar) image(t testing.TB, tag string, tars [][]byte,
	change func(*ocispec.Manifest, *ocispec.Image)) ocispec.Descriptor {
	config := ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH}}
	config.Config = ocispec.ImageConfig{Env: []string{"A=1"}, Entrypoint: []string{"/run"}, User: "app"}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, data := range tars {
		manifest.Layers = append(manifest.Layers, l.blob(ocispec.MediaTypeImageLayerGzip, zipped(t, data)))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromBytes(data))
	}
	if change != nil {
		change(&manifest, &config)
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	manifest.Config = l.blob(ocispec.MediaTypeImageConfig, text)
	return l.put(t, tag, ocispec.MediaTypeImageManifest, manifest)
}

// start serves the registry, and names an image of it.
func (l *liar) start(t testing.TB) Name {
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return Name{Registry: strings.TrimPrefix(server.URL, "http://"), Repository: "app", Tag: "1"}
}

// pull is all of it, up to the tar.
func pull(t testing.TB, n Name, limits Limits) (*Root, error) {
	t.Helper()
	image, err := Client{}.Inspect(t.Context(), n)
	if err != nil {
		return nil, err
	}
	pulled, err := Client{}.Fetch(t.Context(), image, Store{Folder: t.TempDir(), Most: 1 << 30}, limits, nil)
	if err != nil {
		return nil, err
	}
	t.Cleanup(pulled.Close)
	return pulled.Merge(Kit{"busybox"})
}

func usual() Limits { return Limits{Bytes: 1 << 20, Entries: 1000} }

// TestPull: an image arrives with what it says about itself, and with the kit.
func TestPull(t *testing.T) {
	t.Parallel()
	l := newLiar()
	l.image(t, "1", [][]byte{layerTar(t, "bin/run = x", "etc/passwd = app:x:77:78::/:/bin/sh\n", "sbin -> bin"),
		layerTar(t, "etc/motd = hi")}, nil)
	root, err := pull(t, l.start(t), usual())
	if err != nil {
		t.Fatal(err)
	}
	if root.Run.UID != 77 || root.Run.GID != 78 || root.Run.Entrypoint[0] != "/run" || root.Run.Env[0] != "A=1" {
		t.Errorf("%+v", root.Run)
	}
	var b bytes.Buffer
	if err := root.WriteTar(&b); err != nil {
		t.Fatal(err)
	}
	all := "\n" + strings.Join(listing(t, &b), "\n") + "\n"
	for _, want := range []string{"bin/run = x", "etc/motd = hi", "bin/init -> /.pushlane/busybox",
		".pushlane/busybox = busybox", ".pushlane/bin/sh -> /.pushlane/busybox", "sbin -> bin", "home/lane/",
		"etc/inittab = ::sysinit:/.pushlane/busybox true", "tmp/",
		"etc/passwd = app:x:77:78::/:/bin/sh\nlane:x:1000:1000:lane:/home/lane:/.pushlane/bin/sh"} {
		if !strings.Contains(all, "\n"+want+"\n") {
			t.Errorf("%q is not in%s", want, all)
		}
	}
}

// TestBadRegistries: a registry that lies, sends bombs or has no image for us is
// refused, with words that say which.
func TestBadRegistries(t *testing.T) {
	t.Parallel()
	one := func(t *testing.T) []byte { return layerTar(t, "a = 1") }
	for name, c := range map[string]struct {
		make func(t *testing.T, l *liar)
		want string // REG is the registry
		hint string
	}{
		"a layer that is another": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{one(t)}, func(m *ocispec.Manifest, _ *ocispec.Image) {
				l.sent[m.Layers[0].Digest] = zipped(t, layerTar(t, "a = 2"))
			})
		}, "layer 1 of 1: the registry sent other content than SUM: it has digest SUM", ""},
		"a layer that unpacks to another": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{one(t)}, func(_ *ocispec.Manifest, c *ocispec.Image) {
				c.RootFS.DiffIDs[0] = digest.FromString("x")
			})
		}, "layer 1 of 1: it unpacks to SUM, the image's config says SUM", ""},
		"a config that is another": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{one(t)}, nil)
			for d, data := range l.blobs {
				if bytes.HasPrefix(data, []byte("{")) {
					l.sent[d] = append([]byte(" "), data[:len(data)-1]...)
				}
			}
		}, "its config: the registry sent other content than SUM: it has digest SUM", ""},
		"a tar bomb": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{layerTar(t, "a = "+strings.Repeat("0", 2<<20))}, nil)
		}, "layer 1 of 1: its layers unpack to more than 1 MiB (images.max_size of the policy)", ""},
		"a bomb of many layers": {func(t *testing.T, l *liar) {
			var all [][]byte
			for range 4 {
				all = append(all, layerTar(t, "a = "+strings.Repeat("0", 300<<10)))
			}
			l.image(t, "1", all, nil)
		}, "layer N of 4: its layers unpack to more than 1 MiB (images.max_size of the policy)", ""},
		"a bomb of names": {func(t *testing.T, l *liar) {
			var names []any
			for i := range 1001 {
				names = append(names, fmt.Sprint(i, "/"))
			}
			l.image(t, "1", [][]byte{layerTar(t, names...)}, nil)
		}, "layer 1 of 1: its layers have more than 1000 entries", ""},
		"a layer that leaves the root": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{layerTar(t, "../a = 1")}, nil)
		}, `layer 1 of 1: the name "../a" leads out of the image`, ""},
		"10,000 layers": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{one(t)}, func(m *ocispec.Manifest, c *ocispec.Image) {
				for range 9_999 {
					m.Layers = append(m.Layers, m.Layers[0])
				}
			})
		}, "it has 10000 layers, at most 512 are allowed", ""},
		"no layers": {func(t *testing.T, l *liar) { l.image(t, "1", nil, nil) }, "it has no layers", ""},
		"other layers in the config": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{one(t)}, func(_ *ocispec.Manifest, c *ocispec.Image) { c.RootFS.DiffIDs = nil })
		}, "its config speaks of 0 layers, its manifest of 1", ""},
		"another machine": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{one(t)}, func(_ *ocispec.Manifest, c *ocispec.Image) { c.Architecture = "riscv64" })
		}, "it is for linux/riscv64, this machine is linux/" + runtime.GOARCH, ""},
		"a list without our platform": {func(t *testing.T, l *liar) {
			l.put(t, "1", ocispec.MediaTypeImageIndex, ocispec.Index{Manifests: []ocispec.Descriptor{
				{Digest: digest.FromString("x"), Platform: &ocispec.Platform{OS: "windows", Architecture: "amd64"}},
				{Digest: digest.FromString("y"), Platform: &ocispec.Platform{OS: "unknown", Architecture: "unknown"}},
				{Digest: digest.FromString("z"), Platform: &ocispec.Platform{OS: "linux", Architecture: "s390x"}}}})
		}, "it is not for linux/" + runtime.GOARCH + ", only for: windows/amd64, linux/s390x", ""},
		"an empty list": {func(t *testing.T, l *liar) {
			l.put(t, "1", ocispec.MediaTypeImageIndex, ocispec.Index{})
		}, "it is not for linux/" + runtime.GOARCH + ", only for: nothing", ""},
		"a schema 1 manifest": {func(t *testing.T, l *liar) {
			l.put(t, "1", dockerSigned1, map[string]any{"schemaVersion": 1})
		}, "it is a schema 1 manifest, a form that registries gave up in 2019",
			"push it again with a current tool, for example: skopeo copy --format oci docker://OLD docker://NEW"},
		"not an image": {func(t *testing.T, l *liar) {
			l.put(t, "1", "application/vnd.x", map[string]any{})
		}, `it is of type "application/vnd.x", not an image`, ""},
		"no such tag": {func(*testing.T, *liar) {}, "the registry has no such image", "check the name and the tag"},
		"a layer of another size": {func(t *testing.T, l *liar) {
			l.image(t, "1", [][]byte{one(t)}, func(m *ocispec.Manifest, _ *ocispec.Image) { m.Layers[0].Size = 3 })
		}, `the registry sent other content than its digest says: GET SUM": mismatch Content-Length`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLiar()
			c.make(t, l)
			n := l.start(t)
			_, err := pull(t, n, usual())
			if err == nil {
				t.Fatal("it was pulled")
			}
			got := strings.TrimPrefix(err.Error(), "cannot pull image "+n.String()+": ")
			if got = generic(got); got != c.want || problem.Hint(err) != c.hint {
				t.Errorf("\n got %s; hint %s\nwant %s; hint %s", got, problem.Hint(err), c.want, c.hint)
			}
		})
	}
}

// generic puts words in place of digests, and of the layer of a race.
func generic(text string) string {
	words := strings.Fields(text)
	for i, word := range words {
		if at := strings.Index(word, "sha256:"); at >= 0 && len(word) >= at+71 {
			words[i] = "SUM" + word[at+71:]
		}
	}
	text = strings.Join(words, " ")
	if len(text) > 12 && strings.HasPrefix(text[7:], " of 4") {
		text = "layer N" + text[7:]
	}
	return text
}

// TestDigestLies: a manifest that is not what the name's digest says.
func TestDigestLies(t *testing.T) {
	t.Parallel()
	l := newLiar()
	l.image(t, "1", [][]byte{layerTar(t, "a = 1")}, nil)
	n := l.start(t)
	n.Digest = "sha256:" + strings.Repeat("0", 64)
	l.manifests[n.Digest], l.types[n.Digest] = l.manifests["1"], ocispec.MediaTypeImageManifest
	_, err := Client{}.Inspect(t.Context(), n)
	want := "cannot pull image " + n.String() + ": the registry sent other content than its digest says: "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
}

// TestRegistryDown: no answer is said as such, with what helps.
func TestRegistryDown(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	n := Name{Registry: strings.TrimPrefix(server.URL, "http://"), Repository: "app", Tag: "1"}
	_, err := Client{}.Resolve(t.Context(), n)
	want := "cannot pull image " + n.String() + ": cannot reach the registry: dial tcp " + n.Registry +
		": connect: connection refused"
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
	want = "check this machine's network, or name a mirror in images.mirrors of the policy"
	if hint := problem.Hint(err); hint != want {
		t.Errorf("hint %q", hint)
	}
}

// TestStore: a layer is fetched once; one that was changed on disk is not used,
// and leaves.
func TestStore(t *testing.T) {
	t.Parallel()
	l := newLiar()
	l.image(t, "1", [][]byte{layerTar(t, "a = 1")}, nil)
	n := l.start(t)
	image, err := Client{}.Inspect(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	store := Store{Folder: t.TempDir(), Most: 1 << 20}
	fetch := func() error {
		p, err := Client{}.Fetch(t.Context(), image, store, usual(), nil)
		if err == nil {
			p.Close()
		}
		return err
	}
	if err := fetch(); err != nil {
		t.Fatal(err)
	}
	delete(l.blobs, image.Layers[0].Digest)
	if err := fetch(); err != nil {
		t.Errorf("it was fetched again: %v", err)
	}
	name := store.path(image.Layers[0])
	if err := os.WriteFile(name, bytes.Repeat([]byte{0}, int(image.Layers[0].Size)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fetch(); err == nil {
		t.Error("a changed layer was used")
	}
	store.Most = 0
	removed, err := store.Prune()
	if err != nil || removed != image.Layers[0].Size {
		t.Errorf("%d bytes removed, %v", removed, err)
	}
}
