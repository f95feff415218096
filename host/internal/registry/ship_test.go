package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
)

func TestParseSource(t *testing.T) {
	sum := "sha256:" + strings.Repeat("0f", 32)
	for text, want := range map[string]Source{
		"oci:example.org/team/todo:1.2":   {"oci", "example.org/team/todo", "1.2"},
		"oci:127.0.0.1:5000/todo":         {"oci", "127.0.0.1:5000/todo", "latest"},
		"oci:example.org/todo@" + sum:     {"oci", "example.org/todo", sum},
		"https://example.org/x/todo.wasm": {"https", "https://example.org/x/todo.wasm", ""},
		"http://127.0.0.1:80/todo.wasm":   {"https", "http://127.0.0.1:80/todo.wasm", ""},
		"./todo.wasm":                     {"file", "./todo.wasm", ""},
		"file:/x/todo.wasm":               {"file", "/x/todo.wasm", ""},
	} {
		got, err := ParseSource(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseSource(got.String()); err != nil || again != want {
			t.Errorf("%s written and read: %+v, %v", text, again, err)
		}
	}
	for text, want := range map[string]string{
		"oci:todo": `"oci:todo" is not an OCI reference: write oci:HOST/NAME:TAG or ` +
			`oci:HOST/NAME@sha256:DIGEST`,
		"oci:example.org/Todo:1":    `is not an OCI reference`,
		"oci:example.org/../x:1":    `is not an OCI reference`,
		"http://example.org/x.wasm": `"http://example.org/x.wasm" is not https`,
		"https://u:p@example.org/x": `is not an address`,
		"ftp://example.org/x":       `is not a source: write oci:HOST/NAME:TAG, an https address or a path`,
		"":                          `is not a source`,
	} {
		if _, err := ParseSource(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestFiles(t *testing.T) {
	s := Source{Kind: "file", Name: filepath.Join(t.TempDir(), "d", "todo.wasm")}
	p := Package{Module: []byte("\x00asm"), Signatures: []Signature{{SSH, []byte("a")}, {Sigstore, []byte("{}")}}}
	if _, err := (Client{}).Push(t.Context(), s, p); err != nil {
		t.Fatal(err)
	}
	got, err := Client{}.Fetch(t.Context(), s)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("%+v, %v", got, err)
	}
	os.Truncate(s.Name, MaxModule+1)
	_, err = Client{}.Fetch(t.Context(), s)
	wants(t, err, "cannot fetch plugin from "+s.Name+": it is longer than 64 MiB")
	_, err = Client{}.Fetch(t.Context(), Source{Kind: "file", Name: "/nowhere/x.wasm"})
	wants(t, err, "cannot fetch plugin from /nowhere/x.wasm: open /nowhere/x.wasm: no such file or directory")
}

func wants(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestDownload(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/todo.wasm":
			w.Write([]byte("\x00asm"))
		case "/todo.wasm.sig":
			w.Write([]byte("signed"))
		case "/moved.wasm":
			http.Redirect(w, r, "/todo.wasm", http.StatusFound)
		case "/elsewhere.wasm":
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case "/round.wasm":
			http.Redirect(w, r, "/round.wasm", http.StatusFound)
		case "/large.wasm":
			w.Write(make([]byte, MaxModule+1))
		case "/short.wasm":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("\x00asm"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c := Client{TLS: &tls.Config{RootCAs: roots}}
	fetch := func(path string) (Package, error) {
		return c.Fetch(t.Context(), Source{Kind: "https", Name: server.URL + path})
	}
	p, err := fetch("/todo.wasm")
	if err != nil || string(p.Module) != "\x00asm" ||
		!reflect.DeepEqual(p.Signatures, []Signature{{SSH, []byte("signed")}}) {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := fetch("/moved.wasm"); err != nil || string(p.Module) != "\x00asm" {
		t.Errorf("moved: %+v, %v", p, err)
	}
	for path, want := range map[string]string{
		"/none.wasm": "it answers 404 Not Found", "/elsewhere.wasm": "which is not https",
		"/round.wasm": "it redirects more than five times",
		"/large.wasm": "it is longer than 64 MiB", "/short.wasm": "unexpected EOF",
	} {
		_, err := fetch(path)
		wants(t, err, want)
	}
	_, err = Client{}.Fetch(t.Context(), Source{Kind: "https", Name: server.URL + "/todo.wasm"})
	wants(t, err, "certificate")
}

// registry starts a real registry and gives its address.
func registry(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("PUSHLANE_REQUIRE_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: there is no docker-registry here (Debian: apt install docker-registry)")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	config := filepath.Join(t.TempDir(), "config.yml")
	text := "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " + t.TempDir() +
		"}}\nhttp: {addr: " + address + "}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(program, "serve", config)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 500 {
		resp, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			resp.Body.Close()
			return address
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the registry does not answer: %s", said.String())
	return ""
}

func TestRegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	address := registry(t)
	c, at := Client{}, Source{Kind: "oci", Name: address + "/team/todo", Ref: "1"}
	one := Package{Module: bytes.Repeat([]byte("\x00asm"), 1<<20),
		Signatures: []Signature{{SSH, []byte("a")}, {Sigstore, []byte("{}")}}}
	resolved, err := c.Push(t.Context(), at, one)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Push(t.Context(), at, one); err != nil || again != resolved {
		t.Errorf("pushed twice: %s and %s, %v", resolved, again, err)
	}
	got, err := c.Fetch(t.Context(), at)
	if err != nil || got.Digest() != one.Digest() || got.Resolved != resolved ||
		!reflect.DeepEqual(got.Signatures, one.Signatures) {
		t.Errorf("by tag: %s, %v", got.Resolved, err)
	}
	if _, err := c.Push(t.Context(), at, Package{Module: []byte("\x00asm2")}); err != nil { // the tag moves
		t.Fatal(err)
	}
	pinned, err := ParseSource(resolved)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Fetch(t.Context(), pinned); err != nil || got.Digest() != one.Digest() {
		t.Errorf("by digest, after the tag moved: %v", err)
	}
	if got, err := c.Fetch(t.Context(), at); err != nil || string(got.Module) != "\x00asm2" {
		t.Errorf("by tag, after it moved: %v", err)
	}
	_, err = c.Fetch(t.Context(), Source{Kind: "oci", Name: at.Name, Ref: "2"})
	wants(t, err, "cannot fetch plugin from oci:"+at.Name+":2: there is no such artifact")
	_, err = c.Fetch(t.Context(), Source{Kind: "oci", Name: at.Name, Ref: "sha256:" + strings.Repeat("0", 64)})
	wants(t, err, "there is no such artifact")
	_, err = c.Push(t.Context(), pinned, one)
	wants(t, err, "the registry computes the digest: name a tag")
}

// TestForeignArtifacts: what is not a plugin is not taken for one.
func TestForeignArtifacts(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	name := registry(t) + "/x"
	for tag, test := range map[string]struct {
		kind   string
		layers map[string]int // media type -> size
		want   string
	}{
		"image": {"application/vnd.example", map[string]int{moduleType: 4},
			`it is a "application/vnd.example", not a plugin`},
		"empty": {artifactType, map[string]int{sshType: 4}, "it holds no module"},
		"sig": {artifactType, map[string]int{moduleType: 4, sshType: maxSignature + 1},
			"a layer of it is 1048577 bytes long, at most 1048576 are allowed"},
		"future": {artifactType, map[string]int{moduleType: 4, "application/vnd.pushlane.later": 4}, ""},
	} {
		t.Run(tag, func(t *testing.T) {
			ctx, local := t.Context(), memory.New()
			var layers []ocispec.Descriptor
			for mediaType, size := range test.layers {
				data := bytes.Repeat([]byte{'x'}, size)
				d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(size)}
				if err := local.Push(ctx, d, bytes.NewReader(data)); err != nil &&
					!strings.Contains(err.Error(), "already exists") {
					t.Fatal(err)
				}
				layers = append(layers, d)
			}
			m, err := oras.PackManifest(ctx, local, oras.PackManifestVersion1_1, test.kind,
				oras.PackManifestOptions{Layers: layers})
			if err != nil {
				t.Fatal(err)
			}
			local.Tag(ctx, m, tag)
			repo, err := Client{}.repository(Source{Kind: "oci", Name: name})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := oras.Copy(ctx, local, tag, repo, tag, oras.DefaultCopyOptions); err != nil {
				t.Fatal(err)
			}
			_, err = Client{}.Fetch(ctx, Source{Kind: "oci", Name: name, Ref: tag})
			if test.want == "" && err != nil {
				t.Error(err)
			}
			if test.want != "" {
				wants(t, err, test.want)
			}
		})
	}
}

// TestLyingRegistry: other bytes than the digest says, and no answer at all.
func TestLyingRegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	manifest := `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageManifest + `","artifactType":"` + artifactType +
		`","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"` +
		digest.FromString("{}").String() + `","size":2},"layers":[{"mediaType":"` + moduleType + `","digest":"` +
		digest.FromString("good").String() + `","size":4}]}`
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/hang/"):
			<-release
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", digest.FromString(manifest).String())
			w.Write([]byte(manifest))
		default:
			w.Write([]byte("evil"))
		}
	}))
	defer server.Close()
	defer close(release)
	host := strings.TrimPrefix(server.URL, "http://")
	_, err := Client{}.Fetch(t.Context(), Source{Kind: "oci", Name: host + "/x", Ref: "1"})
	wants(t, err, "mismatch")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := (Client{}).Fetch(ctx, Source{Kind: "oci", Name: host + "/hang/x", Ref: "1"}); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("a registry that never answers: %v", err)
	}
}
