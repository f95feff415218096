// Package registry publishes and fetches lane plugins, and verifies who signed them.
//
// A plugin is one WebAssembly file; its digest is the sha256 of its bytes.
// Signatures lie next to it: as layers of the same OCI artifact, or as files
// <name>.wasm.sig (SSH) and <name>.wasm.sigstore.json. The caller must check the
// digest or the signature of everything that was fetched: with VerifySSH and
// VerifySigstore.
package registry

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/pushlane/pushlane/host/internal/bounded"
)

// Limits on what is fetched.
const (
	MaxModule     = 64 << 20 // bytes
	maxSignature  = 1 << 20  // bytes
	maxSignatures = 16
)

// Source is where a plugin is published.
type Source struct {
	Kind string // oci, https or file
	Name string // oci: HOST/NAME; https: the address; file: the path
	Ref  string // oci: a tag, or sha256:… of the manifest
}

var ociForm = regexp.MustCompile(
	`^([a-z0-9.-]+(?::[0-9]{1,5})?)/([a-z0-9]+(?:[._/-][a-z0-9]+)*)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127})|@(sha256:[0-` +
		`9a-f]{64}))?$`)

// ParseSource reads "oci:HOST/NAME:TAG", "oci:HOST/NAME@sha256:…",
// "https://…", or a path.
func ParseSource(text string) (Source, error) {
	rest, oci := strings.CutPrefix(text, "oci:")
	switch {
	case oci:
		m := ociForm.FindStringSubmatch(rest)
		if m == nil {
			return Source{}, fmt.Errorf("%q is not an OCI reference: write oci:HOST/NAME:TAG or oci:HOST/NAME@sha256:DIGEST",
				text)
		}
		s := Source{Kind: "oci", Name: m[1] + "/" + m[2], Ref: m[3] + m[4]}
		if s.Ref == "" {
			s.Ref = "latest"
		}
		return s, nil
	case strings.HasPrefix(text, "https://"), strings.HasPrefix(text, "http://"):
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.User != nil {
			return Source{}, fmt.Errorf("%q is not an address", text)
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return Source{}, fmt.Errorf("%q is not https", text)
		}
		return Source{Kind: "https", Name: text}, nil
	case strings.Contains(text, "://"), text == "":
		return Source{}, fmt.Errorf("%q is not a source: write oci:HOST/NAME:TAG, an https address or a path", text)
	}
	return Source{Kind: "file", Name: strings.TrimPrefix(text, "file:")}, nil
}

func (s Source) String() string {
	switch {
	case s.Kind == "oci" && strings.HasPrefix(s.Ref, "sha256:"):
		return "oci:" + s.Name + "@" + s.Ref
	case s.Kind == "oci":
		return "oci:" + s.Name + ":" + s.Ref
	}
	return s.Name
}

// Package is a plugin with what was published next to it.
type Package struct {
	Module     []byte
	Signatures []Signature
	Resolved   string // a source that means these very bytes, where there is one

	sums *sums // nil: made each time
}

// sums are what signatures are about.
type sums struct {
	sha256 func() [sha256.Size]byte
	sha512 func() [sha512.Size]byte
}

// Summed gives a package that makes its module's digests once, not at every
// look at a signature. The module must not be changed any more.
func (p Package) Summed() Package {
	module := p.Module
	p.sums = &sums{
		sync.OnceValue(func() [sha256.Size]byte { return sha256.Sum256(module) }),
		sync.OnceValue(func() [sha512.Size]byte { return sha512.Sum512(module) }),
	}
	return p
}

func (p Package) sha256() [sha256.Size]byte {
	if p.sums != nil {
		return p.sums.sha256()
	}
	return sha256.Sum256(p.Module)
}

func (p Package) sha512() [sha512.Size]byte {
	if p.sums != nil {
		return p.sums.sha512()
	}
	return sha512.Sum512(p.Module)
}

// Digest is the module's, in hex.
func (p Package) Digest() string {
	sum := p.sha256()
	return hex.EncodeToString(sum[:])
}

// Signature is one statement that someone is behind a module.
type Signature struct {
	Kind string // SSH or Sigstore
	Data []byte // armored, or a bundle's JSON
}

// Kinds of signatures.
const (
	SSH      = "ssh"
	Sigstore = "sigstore"
)

// suffixes of signatures next to files and addresses.
var suffixes = map[string]string{SSH: ".sig", Sigstore: ".sigstore.json"}

// Client fetches and pushes. The zero value works.
type Client struct {
	TLS *tls.Config // of https and registries; nil: the system's roots
}

// Fetch brings a plugin here.
func (c Client) Fetch(ctx context.Context, s Source) (Package, error) {
	var p Package
	var err error
	switch s.Kind {
	case "oci":
		p, err = c.pull(ctx, s)
	case "https":
		p, err = c.download(ctx, s)
	default:
		p, err = fromFiles(s)
	}
	if err != nil {
		return Package{}, fmt.Errorf("cannot fetch plugin from %s: %w", s, err)
	}
	return p, nil
}

// Push publishes a plugin: as an OCI artifact, or as files.
func (c Client) Push(ctx context.Context, s Source, p Package) (resolved string, err error) {
	switch s.Kind {
	case "oci":
		resolved, err = c.push(ctx, s, p)
	case "file":
		resolved, err = s.Name, toFiles(s, p)
	default:
		err = errors.New("the destination must be a registry or a file")
	}
	if err != nil {
		return "", fmt.Errorf("cannot push plugin to %s: %w", s, err)
	}
	return resolved, nil
}

// Files are those that a plugin in a file consists of, where they are there.
func Files(module string) []string {
	return []string{module, module + suffixes[SSH], module + suffixes[Sigstore]}
}

func fromFiles(s Source) (Package, error) {
	module, err := readFile(s.Name, MaxModule)
	if err != nil {
		return Package{}, err
	}
	p := Package{Module: module}
	for _, kind := range []string{SSH, Sigstore} {
		data, err := readFile(s.Name+suffixes[kind], maxSignature)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return Package{}, err
		}
		p.Signatures = append(p.Signatures, Signature{kind, data})
	}
	return p, nil
}

// FromTree reads a plugin that is committed, with its signatures next to it.
func FromTree(tree fs.FS, name string) (Package, error) {
	module, err := fs.ReadFile(tree, name)
	if err != nil {
		return Package{}, err
	}
	p := Package{Module: module}
	for _, kind := range []string{SSH, Sigstore} {
		if data, err := fs.ReadFile(tree, name+suffixes[kind]); err == nil {
			p.Signatures = append(p.Signatures, Signature{kind, data})
		}
	}
	return p, nil
}

func readFile(name string, most int64) ([]byte, error) {
	return bounded.ReadFile(name, most)
}

func toFiles(s Source, p Package) error {
	if err := os.MkdirAll(filepath.Dir(s.Name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.Name, p.Module, 0o644); err != nil {
		return err
	}
	for _, sig := range p.Signatures {
		if err := os.WriteFile(s.Name+suffixes[sig.Kind], sig.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// http is a client that never leaves https for something else.
func (c Client) http() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	transport.MaxResponseHeaderBytes = 64 << 10
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 5:
			return errors.New("it redirects more than five times")
		case req.URL.Scheme != "https" && (via[0].URL.Scheme == "https" || !loopback(req.URL.Hostname())):
			return fmt.Errorf("it redirects to %s, which is not https", req.URL.Redacted())
		}
		return nil
	}}
}

func (c Client) download(ctx context.Context, s Source) (Package, error) {
	module, _, err := c.get(ctx, s.Name, MaxModule)
	if err != nil {
		return Package{}, err
	}
	p := Package{Module: module}
	for _, kind := range []string{SSH, Sigstore} {
		data, found, err := c.get(ctx, s.Name+suffixes[kind], maxSignature)
		if err != nil && found {
			return Package{}, err
		}
		if err == nil {
			p.Signatures = append(p.Signatures, Signature{kind, data})
		}
	}
	return p, nil
}

// get downloads a file; found is false where the server says it has none.
func (c Client) get(ctx context.Context, address string, most int64) (data []byte, found bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, true, err
	}
	resp, err := c.http().Do(req)
	if err != nil {
		return nil, true, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusGone &&
			resp.StatusCode != http.StatusForbidden, fmt.Errorf("it answers %s", resp.Status)
	}
	data, err = bounded.ReadAll(resp.Body, most)
	return data, true, err
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func hostOf(registry string) string {
	if host, _, err := net.SplitHostPort(registry); err == nil {
		return host
	}
	return registry
}
