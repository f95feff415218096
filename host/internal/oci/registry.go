package oci

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// Limits on what a registry may answer.
const (
	maxManifest = 4 << 20 // bytes
	maxConfig   = 4 << 20 // bytes
	maxLayers   = 512     // docker itself stops at 127
)

// Client reads registries. The zero value works.
type Client struct {
	TLS     *tls.Config       // nil: the system's authorities
	Mirrors map[string]string // registry: what is asked in its place, "mirror.example.org/dockerhub"
}

// Image is an image for one platform, without its layers' content.
type Image struct {
	Name     Name
	Digest   string // of what the name means: a manifest, or a list of them
	Manifest string // digest of the manifest for this platform
	Layers   []ocispec.Descriptor
	Config   ocispec.Image
}

// Size is what its layers take in the registry, in bytes.
func (i Image) Size() (n int64) {
	for _, layer := range i.Layers {
		n += layer.Size
	}
	return n
}

const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerSchema1  = "application/vnd.docker.distribution.manifest.v1+json"
	dockerSigned1  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

// repository is a registry's repository, or its mirror's, with the credentials
// that docker and podman keep.
func (c Client) repository(n Name) (*remote.Repository, error) {
	path := n.Path()
	if mirror, ok := c.Mirrors[n.Registry]; ok {
		path = strings.TrimSuffix(mirror, "/") + "/" + n.Repository
	}
	repo, err := remote.NewRepository(path)
	if err != nil {
		return nil, err
	}
	// A tag is asked for whatever it is, so that the answer can be named.
	repo.ManifestMediaTypes = []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, dockerManifest,
		dockerList, dockerSchema1, dockerSigned1}
	repo.PlainHTTP = loopback(repo.Reference.Registry) && c.TLS == nil
	client := &auth.Client{Client: c.http(repo.Reference.Host()), Cache: auth.NewCache()}
	store, err := credentialStore()
	if err != nil {
		return nil, fmt.Errorf("cannot read the registry credentials: %w", err)
	}
	client.Credential = credentials.Credential(store)
	repo.Client = client
	return repo, nil
}

// http is a client that never leaves https for something else, and waits for a
// registry's answer, not for the whole of it, for a minute.
func (c Client) http(registry string) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.ResponseHeaderTimeout = time.Minute
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 5:
			return errors.New("it redirects more than five times")
		case req.URL.Scheme != "https" && !(loopback(registry) && loopback(req.URL.Host)):
			return fmt.Errorf("it redirects to %s, which is not https", req.URL.Redacted())
		}
		return nil
	}}
}

func loopback(registry string) bool {
	host := registry
	if h, _, err := net.SplitHostPort(registry); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Resolve is the digest that a name means now. A name with a digest means that.
func (c Client) Resolve(ctx context.Context, n Name) (string, error) {
	if n.Digest != "" {
		return n.Digest, nil
	}
	top, _, err := c.top(ctx, n)
	return top.Digest.String(), explain(n, err)
}

// top is what the name means, and its text.
func (c Client) top(ctx context.Context, n Name) (ocispec.Descriptor, []byte, error) {
	repo, err := c.repository(n)
	if err != nil {
		return ocispec.Descriptor{}, nil, err
	}
	reference := n.Tag
	if n.Digest != "" {
		reference = n.Digest
	}
	return oras.FetchBytes(ctx, repo, reference, oras.FetchBytesOptions{MaxBytes: maxManifest})
}

// Inspect finds the manifest and the config for this machine's platform.
func (c Client) Inspect(ctx context.Context, n Name) (Image, error) {
	image, err := c.inspect(ctx, n)
	return image, explain(n, err)
}

func (c Client) inspect(ctx context.Context, n Name) (Image, error) {
	repo, err := c.repository(n)
	if err != nil {
		return Image{}, err
	}
	desc, raw, err := c.top(ctx, n)
	if err != nil {
		return Image{}, err
	}
	image := Image{Name: n, Digest: desc.Digest.String(), Manifest: desc.Digest.String()}
	switch desc.MediaType {
	case dockerSchema1, dockerSigned1:
		return Image{}, problem.WithHint(errors.New("it is a schema 1 manifest, a form that registries gave up in 2019"),
			"push it again with a current tool, for example: skopeo copy --format oci docker://OLD docker://NEW")
	case ocispec.MediaTypeImageIndex, dockerList:
		chosen, err := forPlatform(raw)
		if err != nil {
			return Image{}, err
		}
		if raw, err = fetch(ctx, repo.Manifests(), chosen, maxManifest); err != nil {
			return Image{}, err
		}
		image.Manifest, desc = chosen.Digest.String(), chosen
	}
	if desc.MediaType != ocispec.MediaTypeImageManifest && desc.MediaType != dockerManifest {
		return Image{}, fmt.Errorf("it is of type %q, not an image", cut(desc.MediaType))
	}
	return image, image.read(ctx, repo, raw)
}

// read fills an image from its manifest.
func (i *Image) read(ctx context.Context, repo *remote.Repository, raw []byte) error {
	var manifest ocispec.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return fmt.Errorf("its manifest is not JSON: %w", err)
	}
	i.Layers = manifest.Layers
	switch n := len(i.Layers); {
	case n == 0:
		return errors.New("it has no layers")
	case n > maxLayers:
		return fmt.Errorf("it has %d layers, at most %d are allowed", n, maxLayers)
	}
	for k, layer := range i.Layers {
		if layer.Digest.Validate() != nil || layer.Digest.Algorithm() != digest.SHA256 || layer.Size < 0 {
			return fmt.Errorf("layer %d has no sha256 digest or no size", k+1)
		}
	}
	if manifest.ArtifactType != "" && manifest.Config.MediaType == ocispec.MediaTypeEmptyJSON {
		return fmt.Errorf("it is an artifact of type %q, not an image", cut(manifest.ArtifactType))
	}
	raw, err := fetch(ctx, repo.Blobs(), manifest.Config, maxConfig)
	if err != nil {
		return fmt.Errorf("its config: %w", err)
	}
	if err := json.Unmarshal(raw, &i.Config); err != nil {
		return fmt.Errorf("its config is not JSON: %w", err)
	}
	if n := len(i.Config.RootFS.DiffIDs); n != len(i.Layers) {
		return fmt.Errorf("its config speaks of %d layers, its manifest of %d", n, len(i.Layers))
	}
	if p := i.Config.Platform; p.OS != "linux" || p.Architecture != runtime.GOARCH {
		return fmt.Errorf("it is for %s/%s, this machine is linux/%s", cut(p.OS), cut(p.Architecture), runtime.GOARCH)
	}
	return nil
}

// forPlatform chooses from a list of manifests.
func forPlatform(raw []byte) (ocispec.Descriptor, error) {
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("its list of platforms is not JSON: %w", err)
	}
	var there []string
	for _, m := range index.Manifests {
		if m.Platform == nil || m.Platform.OS == "unknown" {
			continue
		}
		if m.Platform.OS == "linux" && m.Platform.Architecture == runtime.GOARCH {
			return m, m.Digest.Validate()
		}
		if word := cut(m.Platform.OS + "/" + m.Platform.Architecture); !slices.Contains(there, word) && len(there) < 20 {
			there = append(there, word)
		}
	}
	if len(there) == 0 {
		there = []string{"nothing"}
	}
	return ocispec.Descriptor{}, fmt.Errorf("it is not for linux/%s, only for: %s", runtime.GOARCH,
		strings.Join(there, ", "))
}

// fetcher is what has content by its descriptor.
type fetcher interface {
	Fetch(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error)
}

// fetch reads something small and checks it.
func fetch(ctx context.Context, from fetcher, d ocispec.Descriptor, most int64) ([]byte, error) {
	if d.Size > most {
		return nil, fmt.Errorf("it is said to be %d bytes long, at most %d are allowed", d.Size, most)
	}
	if err := d.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("%q is not a digest", cut(d.Digest.String()))
	}
	r, err := from.Fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := bounded.ReadAll(r, most)
	if err != nil {
		return nil, err
	}
	if got := digest.FromBytes(data); got != d.Digest {
		return nil, lied(d.Digest, got)
	}
	return data, nil
}

func lied(want, got digest.Digest) error {
	return fmt.Errorf("the registry sent other content than %s: it has digest %s", want, got)
}

// explain says which image, and what to do where that is known.
func explain(n Name, err error) error {
	if err == nil {
		return nil
	}
	var answer *errcode.ErrorResponse
	var dns *net.DNSError
	var op *net.OpError
	var bad *url.Error
	wrapped := fmt.Errorf("cannot pull image %s: %w", n, err)
	switch {
	case problem.Hint(err) != "":
		return wrapped
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return wrapped
	case errors.As(err, &answer) && (answer.StatusCode == 401 || answer.StatusCode == 403):
		return problem.WithHint(fmt.Errorf("cannot pull image %s: "+
			"the registry denies it: there is no such image, or it is private", n),
			"check the name; for a private image, as the user of this host: docker login "+n.Registry+
				" (podman, skopeo and oras keep credentials in the same form)")
	case errors.Is(err, errdef.ErrNotFound):
		return problem.WithHint(fmt.Errorf("cannot pull image %s: the registry has no such image", n),
			"check the name and the tag")
	case errors.As(err, &dns), errors.As(err, &op), errors.As(err, &bad) && bad.Timeout():
		return problem.WithHint(fmt.Errorf("cannot pull image %s: cannot reach the registry: %w", n, root(err)),
			"check this machine's network, or name a mirror in images.mirrors of the policy")
	case strings.Contains(err.Error(), "mismatch"):
		return fmt.Errorf("cannot pull image %s: the registry sent other content than its digest says: %w", n, root(err))
	}
	return wrapped
}

// root is the last cause of an error.
func root(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		if _, ok := err.(*net.OpError); ok {
			return err
		}
		if _, ok := err.(*net.DNSError); ok {
			return err
		}
		err = next
	}
}
