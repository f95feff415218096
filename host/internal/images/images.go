// Package images brings images by name to an Incus: which names there are, who
// may use them, what they mean now, and what is there already.
//
//	text -----Name----> the name of an image in a registry, or an alias of Incus
//	name -----Find----> what this host has of it, without any network
//	name -----Get-----> the same, pulled where it is missing and may be
//
// An image is stored under an alias made of its content: the digest of what was
// pulled, and of what pushlane adds. A tag is an alias as well, whose description
// says what it meant and when. So Incus itself is the only record, shared by all
// that use it, and nothing is pulled or sent twice.
package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/oci"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// Images are those of one Incus. Safe for concurrent use.
type Images struct {
	Incus    *incus.Client
	Policy   config.Policy
	Registry oci.Client
}

// New uses what the policy says.
func New(client *incus.Client, p config.Policy) *Images {
	return &Images{Incus: client, Policy: p, Registry: oci.Client{Mirrors: config.Pairs(p.ImageMirror)}}
}

// Connect reaches an Incus. The caller closes it.
func Connect(ctx context.Context, c incus.Config, p config.Policy) (*Images, error) {
	client, err := incus.Connect(ctx, c)
	if err != nil {
		return nil, err
	}
	return New(client, p), nil
}

// Close waits until what was left to delete is deleted.
func (i *Images) Close() error { return i.Incus.Close() }

// folder is where layers and locks are.
func (i *Images) folder() string { return filepath.Join(i.Policy.Cache, "images") }

func (i *Images) layers() (oci.Store, error) {
	most, err := incus.ParseSize(i.Policy.MaxLayers)
	return oci.Store{Folder: filepath.Join(i.folder(), "layers"), Most: most}, err
}

// Found is an image that the host has.
type Found struct {
	Name        string    // with its tag, as it was asked for
	Digest      string    // that the name stands for
	Fingerprint string    // in Incus
	At          time.Time // when the tag was looked up; zero for a digest
	Pulled      bool      // it was not here before
	Note        string    // what a user should know; "" for nothing
}

// ErrMissing is an image that this host does not have.
var ErrMissing = errors.New("this host does not have it")

// Name reads what a lane calls its image. False is an alias of Incus.
func (i *Images) Name(text string) (oci.Name, bool, error) {
	short, tag, tagged := strings.Cut(text, ":")
	if full, ok := config.Pairs(i.Policy.ImageShort)[short]; ok {
		if text = full; tagged {
			text = Untagged(full) + ":" + tag
		}
	}
	if oci.IsName(text) {
		n, err := oci.Parse(text)
		return n, err == nil, err
	}
	if tagged || strings.Contains(text, "@") {
		return oci.Name{}, false, problem.WithHint(
			fmt.Errorf("cannot use image %q: it has a tag, but no registry", text), "write the registry too: docker.io/library/"+
				text+`; or a short name in the policy: images.short = ["`+short+"=docker.io/library/"+short+`"]`)
	}
	return oci.Name{}, false, nil
}

// Untagged is a reference without its tag and digest.
func Untagged(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		return name[:at]
	}
	return name
}

// contentAlias is the name of an image by its content.
func contentAlias(kit oci.Kit, digest string) string {
	return "oci-" + kit.ID() + "-" + strings.TrimPrefix(digest, "sha256:")
}

const tagPrefix = "tag-"

// tagAlias is the name of what a tag meant.
func tagAlias(n oci.Name) string {
	sum := sha256.Sum256([]byte(n.Tagged()))
	return tagPrefix + hex.EncodeToString(sum[:20])
}

// tag is what is written in the description of a tag's alias.
type tag struct {
	name, digest string
	at           time.Time
}

func (t tag) String() string { return t.name + " " + t.digest + " " + t.at.UTC().Format(time.RFC3339) }

func readTag(text string) (tag, bool) {
	words := strings.Fields(text)
	if len(words) != 3 {
		return tag{}, false
	}
	at, err := time.Parse(time.RFC3339, words[2])
	return tag{words[0], words[1], at}, err == nil
}

// meant is what a tag meant when it was looked up last.
func (i *Images) meant(ctx context.Context, n oci.Name) (tag, bool, error) {
	a, err := i.Incus.Images().Alias(ctx, tagAlias(n))
	if errors.Is(err, incus.ErrNoImage) {
		return tag{}, false, nil
	}
	t, ok := readTag(a.Description)
	return t, ok && t.name == n.Tagged(), err
}

// Find looks for an image without asking a registry. The error is ErrMissing
// where the host does not have it.
func (i *Images) Find(ctx context.Context, n oci.Name) (Found, error) {
	found := Found{Name: n.Tagged(), Digest: n.Digest}
	if n.Digest == "" {
		t, ok, err := i.meant(ctx, n)
		if err != nil {
			return Found{}, err
		}
		if !ok {
			return Found{}, ErrMissing
		}
		found.Digest, found.At = t.digest, t.at
	}
	kit, err := oci.FindKit()
	if err != nil {
		return Found{}, err
	}
	a, err := i.Incus.Images().Alias(ctx, contentAlias(kit, found.Digest))
	if errors.Is(err, incus.ErrNoImage) {
		return found, ErrMissing
	}
	found.Fingerprint = a.Fingerprint
	return found, err
}

// Need is how an image is asked for.
type Need struct {
	Fresh    bool         // look the tag up, however long ago that was done
	Pull     error        // why it may not be pulled; nil: it may
	Progress oci.Progress // nil: no one wants to know
	Said     func(string) // takes a line on what is done; nil: no one wants to know
}

func (n Need) say(format string, args ...any) {
	if n.Said != nil {
		n.Said(fmt.Sprintf(format, args...))
	}
}

// Get is the image of a name, pulled where the host does not have it.
func (i *Images) Get(ctx context.Context, n oci.Name, need Need) (Found, error) {
	found, err := i.Find(ctx, n)
	recent := found.At.IsZero() || time.Since(found.At) < i.Policy.ImageRefresh || need.Pull != nil
	if err == nil && recent && !need.Fresh {
		return found, nil
	}
	if err != nil && !errors.Is(err, ErrMissing) {
		return Found{}, err
	}
	if need.Pull != nil {
		return Found{}, need.Pull
	}
	now, resolveErr := i.Registry.Resolve(ctx, n)
	if resolveErr != nil {
		if err == nil && !need.Fresh && ctx.Err() == nil {
			found.Note = fmt.Sprintf("%s is used as of %s: %v", found.Name, found.At.Format("2006-01-02"), resolveErr)
			return found, nil
		}
		return Found{}, resolveErr
	}
	release, err := i.alone(ctx, now)
	if err != nil {
		return Found{}, err
	}
	defer release()
	return i.bring(ctx, n, now, need)
}

// bring makes sure that what a name stands for is in Incus.
func (i *Images) bring(ctx context.Context, n oci.Name, digest string, need Need) (Found, error) {
	exact := n
	exact.Digest = digest
	found, err := i.Find(ctx, exact)
	if errors.Is(err, ErrMissing) {
		found, err = i.pull(ctx, exact, need)
	}
	if err != nil || n.Digest != "" {
		return found, err
	}
	found.At = time.Now()
	return found, i.Incus.Images().SetAlias(ctx, incus.Alias{Name: tagAlias(n), Fingerprint: found.Fingerprint,
		Description: tag{n.Tagged(), digest, found.At}.String()})
}

// pull brings an image from its registry to Incus.
func (i *Images) pull(ctx context.Context, n oci.Name, need Need) (Found, error) {
	kit, err := oci.FindKit()
	if err != nil {
		return Found{}, err
	}
	image, err := i.Registry.Inspect(ctx, n)
	if err != nil {
		return Found{}, err
	}
	found := Found{Name: n.Tagged(), Digest: n.Digest, Pulled: true}
	aliases := []string{contentAlias(kit, n.Digest)}
	if image.Manifest != n.Digest {
		aliases = append(aliases, contentAlias(kit, image.Manifest))
	}
	a, err := i.Incus.Images().Alias(ctx, aliases[len(aliases)-1])
	found.Fingerprint = a.Fingerprint
	if errors.Is(err, incus.ErrNoImage) {
		need.say("pull %s (%s, %d layers, %d MB)", n.Tagged(), n.Digest[:19], len(image.Layers), image.Size()/1_000_000)
		found.Fingerprint, err = i.convert(ctx, image, kit, need)
	}
	if err != nil {
		return Found{}, err
	}
	for _, name := range aliases {
		if err := i.Incus.Images().SetAlias(ctx, incus.Alias{Name: name, Fingerprint: found.Fingerprint,
			Description: n.Tagged()}); err != nil {
			return Found{}, err
		}
	}
	return found, nil
}

// convert fetches an image's layers and makes an image of Incus of them.
func (i *Images) convert(ctx context.Context, image oci.Image, kit oci.Kit, need Need) (string, error) {
	most, err := i.room(ctx, image.Name.String())
	if err != nil {
		return "", err
	}
	store, err := i.layers()
	if err != nil {
		return "", err
	}
	pulled, err := i.Registry.Fetch(ctx, image, store, oci.Limits{Bytes: most}, need.Progress)
	if err != nil {
		return "", err
	}
	defer pulled.Close()
	root, err := pulled.Merge(kit)
	if err != nil {
		return "", err
	}
	var meta bytes.Buffer
	if err := root.Metadata(&meta, kit); err != nil {
		return "", fmt.Errorf("cannot pull image %s: %w", image.Name, err)
	}
	need.say("import %s", image.Name.Tagged())
	fingerprint, err := i.Incus.Images().Import(ctx, meta.Bytes(), func(w io.Writer) error { return root.WriteTar(w) })
	if err != nil {
		return "", err
	}
	if err := i.warm(ctx, fingerprint); err != nil {
		return "", err
	}
	_, err = store.Prune()
	return fingerprint, err
}

// warm lets the pool unpack the image, so that its first container does not wait.
func (i *Images) warm(ctx context.Context, fingerprint string) error {
	disk, err := incus.ParseSize(i.Policy.MaxDisk)
	if err != nil {
		return err
	}
	return i.Incus.Warm(ctx, fingerprint, disk)
}

// room is how large one more image may be, unpacked.
func (i *Images) room(ctx context.Context, name string) (int64, error) {
	most, err := incus.ParseSize(i.Policy.MaxImage)
	if err != nil {
		return 0, err
	}
	total, err := incus.ParseSize(i.Policy.MaxImages)
	if err != nil {
		return 0, err
	}
	all, err := i.Incus.Images().List(ctx)
	if err != nil {
		return 0, err
	}
	for _, image := range all {
		if brought(image) {
			total -= image.Size
		}
	}
	if total <= 0 {
		return 0, problem.WithHint(fmt.Errorf("cannot add image %s: "+
			"the images of this host take all of the %s that the policy allows (images.total)",
			name, i.Policy.MaxImages), "remove those that no lane used lately: pushlane image prune")
	}
	return min(most, total), nil
}
