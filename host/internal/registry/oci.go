package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Media types of the artifact. The layer's is the one that registries and
// other tools use for WebAssembly.
const (
	artifactType = "application/vnd.pushlane.plugin.v1"
	moduleType   = "application/wasm"
	sshType      = "application/vnd.pushlane.signature.ssh.v1"
	sigstoreType = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

var layerKinds = map[string]string{sshType: SSH, sigstoreType: Sigstore}

// repository is a registry's, with the credentials that docker and oras use.
func (c Client) repository(s Source) (*remote.Repository, error) {
	repo, err := remote.NewRepository(s.Name)
	if err != nil {
		return nil, err
	}
	repo.PlainHTTP = loopback(hostOf(repo.Reference.Registry)) && c.TLS == nil
	client := &auth.Client{Client: c.http(), Cache: auth.NewCache()}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, err
	}
	client.Credential = credentials.Credential(store)
	repo.Client = client
	return repo, nil
}

func (c Client) pull(ctx context.Context, s Source) (Package, error) {
	repo, err := c.repository(s)
	if err != nil {
		return Package{}, err
	}
	desc, raw, err := oras.FetchBytes(ctx, repo, s.Ref, oras.FetchBytesOptions{MaxBytes: 4 << 20})
	if errors.Is(err, errdef.ErrNotFound) {
		return Package{}, errors.New("there is no such artifact")
	}
	if err != nil {
		return Package{}, err
	}
	if desc.MediaType != ocispec.MediaTypeImageManifest {
		return Package{}, fmt.Errorf("it is a %s, a plugin is one artifact", desc.MediaType)
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return Package{}, err
	}
	if manifest.ArtifactType != artifactType {
		return Package{}, fmt.Errorf("it is a %q, not a plugin", manifest.ArtifactType)
	}
	p := Package{Resolved: Source{Kind: "oci", Name: s.Name, Ref: desc.Digest.String()}.String()}
	return p, p.layers(ctx, repo, manifest.Layers)
}

// layers reads the module and its signatures. Every layer is checked against
// its digest as it is read.
func (p *Package) layers(ctx context.Context, from content.Fetcher, layers []ocispec.Descriptor) error {
	if len(layers) > 1+maxSignatures {
		return fmt.Errorf("it has %d layers, at most %d are allowed", len(layers), 1+maxSignatures)
	}
	for _, layer := range layers {
		kind, most := layerKinds[layer.MediaType], int64(maxSignature)
		if layer.MediaType == moduleType {
			most = MaxModule
		}
		switch {
		case layer.MediaType != moduleType && kind == "":
			continue // what a newer pushlane may have added
		case layer.MediaType == moduleType && p.Module != nil:
			return errors.New("it holds two modules")
		case layer.Size > most:
			return fmt.Errorf("a layer of it is %d bytes long, at most %d are allowed", layer.Size, most)
		}
		data, err := content.FetchAll(ctx, from, layer)
		if err != nil {
			return err
		}
		if kind == "" {
			p.Module = data
		} else {
			p.Signatures = append(p.Signatures, Signature{kind, data})
		}
	}
	if p.Module == nil {
		return errors.New("it holds no module")
	}
	return nil
}

func (c Client) push(ctx context.Context, s Source, p Package) (string, error) {
	if strings.HasPrefix(s.Ref, "sha256:") {
		return "", errors.New("the registry computes the digest: name a tag")
	}
	repo, err := c.repository(s)
	if err != nil {
		return "", err
	}
	local := memory.New()
	layers := []ocispec.Descriptor{}
	add := func(mediaType string, data []byte) error {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		layers = append(layers, d)
		return local.Push(ctx, d, strings.NewReader(string(data)))
	}
	if err := add(moduleType, p.Module); err != nil {
		return "", err
	}
	for _, sig := range p.Signatures {
		mediaType := map[string]string{SSH: sshType, Sigstore: sigstoreType}[sig.Kind]
		if err := add(mediaType, sig.Data); err != nil {
			return "", err
		}
	}
	// Without the time of day, the same plugin is the same artifact.
	manifest, err := oras.PackManifest(ctx, local, oras.PackManifestVersion1_1, artifactType,
		oras.PackManifestOptions{Layers: layers,
			ManifestAnnotations: map[string]string{ocispec.AnnotationCreated: "1970-01-01T00:00:00Z"}})
	if err != nil {
		return "", err
	}
	if err := local.Tag(ctx, manifest, s.Ref); err != nil {
		return "", err
	}
	if _, err := oras.Copy(ctx, local, s.Ref, repo, s.Ref, oras.DefaultCopyOptions); err != nil {
		return "", err
	}
	return Source{Kind: "oci", Name: s.Name, Ref: manifest.Digest.String()}.String(), nil
}
