package incus

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	incus "github.com/lxc/incus/v6/client"

	"github.com/pushlane/pushlane/host/internal/bounded"
)

// smallTree is up to which size, in bytes of tar, a tree simply travels with
// each container's first exec. A larger one becomes a volume that every
// container of the same tree mounts read-only.
const smallTree = 2 << 20

// maxTree is the largest tree that is sent at all, in bytes of tar.
const maxTree = 8 << 30

// trees send pushed trees to containers.
type trees struct {
	volumes *volumes
	limits  treeLimits
}

// tree is how a source gets into a container: a volume, or a tar that is
// opened anew for each; neither for an empty one.
type tree struct {
	volume string
	open   func(ctx context.Context) io.ReadCloser
}

var treeForm = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// carry decides how the tree travels and makes the volume where it pays.
func (t *trees) carry(ctx context.Context, src Source) (tree, error) {
	if src == nil {
		return tree{}, nil
	}
	id := src.ID()
	if !treeForm.MatchString(id) {
		return tree{}, failed("send the source", fmt.Errorf("%q is not an object id", short(id, 80)), "")
	}
	name := "ps-" + digest(t.volumes.conn.cfg.Owner)[:8] + "-" + id
	release, err := t.volumes.alone(ctx, name)
	if err != nil {
		return tree{}, err
	}
	defer release()
	if ready, err := t.ready(ctx, name); err != nil || ready {
		return tree{volume: name}, err
	}
	return t.spool(ctx, src, name)
}

// spool reads the start of the tree to see how large it is.
func (t *trees) spool(ctx context.Context, src Source, name string) (tree, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	archive := openTree(ctx, src)
	defer archive.Close()
	head, err := bounded.Head(archive, smallTree+1) // the rest follows it
	if err != nil {
		return tree{}, fmt.Errorf("cannot read the source: %w", err)
	}
	if len(head) <= smallTree {
		return tree{open: func(context.Context) io.ReadCloser { return io.NopCloser(bytes.NewReader(head)) }}, nil
	}
	if !t.makeRoom(ctx) {
		return tree{open: func(ctx context.Context) io.ReadCloser { return openTree(ctx, src) }}, nil
	}
	err = t.load(ctx, name, src.ID(), io.MultiReader(bytes.NewReader(head), archive))
	if err == nil {
		return tree{volume: name}, nil
	}
	if unread := new(sourceError); errors.As(err, &unread) || ctx.Err() != nil {
		return tree{}, err
	}
	// Someone else is at it, or this Incus takes no volumes: each container
	// gets its own copy, which is slower and always works.
	if t.soon(ctx, name) {
		return tree{volume: name}, nil
	}
	return tree{open: func(ctx context.Context) io.ReadCloser { return openTree(ctx, src) }}, nil
}

// openTree reads a source as a tar.
func openTree(ctx context.Context, src Source) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(src.WriteTar(ctx, &ceiling{w, maxTree}, laneUID, laneUID)) }()
	return r
}

// ceiling fails when more is written than allowed.
type ceiling struct {
	w    io.Writer
	left int64
}

func (c *ceiling) Write(p []byte) (int, error) {
	if c.left -= int64(len(p)); c.left < 0 {
		return 0, fmt.Errorf("the tree is larger than %d GiB", maxTree>>30)
	}
	return c.w.Write(p)
}

// sourceError is a tree that cannot be read, as against one that cannot be
// sent.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "cannot read the source: " + e.err.Error() }

func (e *sourceError) Unwrap() error { return e.err }

// load makes a volume out of a tar. Incus takes it as a backup of a
// custom volume, which needs neither a container nor a folder on its host, so
// that it works alike near and far.
func (t *trees) load(ctx context.Context, name, id string, archive io.Reader) error {
	r, w := io.Pipe()
	defer r.Close()
	broken := make(chan error, 1)
	counted := &counter{w: w}
	go func() {
		err := t.writeBackup(counted, name, id, archive)
		broken <- err
		w.CloseWithError(err)
	}()
	conn := t.volumes.conn
	err := conn.do(ctx, func() (incus.Operation, error) {
		return conn.srv.CreateStoragePoolVolumeFromBackup(conn.cfg.Pool,
			incus.StorageVolumeBackupArgs{BackupFile: r, Name: name})
	})
	r.Close()
	if unread := new(sourceError); errors.As(<-broken, &unread) {
		return unread
	}
	if err != nil {
		return err
	}
	return t.volumes.relabel(ctx, name,
		map[string]string{labelReady: "true", labelBytes: strconv.FormatInt(counted.n.Load(), 10)})
}

const backupIndex = `name: %[1]s
backend: dir
pool: %[2]s
optimized: false
optimized_header: false
type: custom
config:
  volume:
    config:
      size: "%[10]d"
      security.shifted: "true"
      %[3]s: %[4]q
      %[5]s: %[6]q
      %[7]s: %[8]q
    description: "a pushed tree"
    name: %[1]s
    type: custom
    content_type: filesystem
    project: %[9]s
`

// writeBackup writes the tree as Incus writes a volume's backup. Incus unpacks
// it as root: only names that stay below the volume pass, whatever the tree.
func (t *trees) writeBackup(w io.Writer, name, id string, archive io.Reader) error {
	out := tar.NewWriter(w)
	cfg := t.volumes.conn.cfg
	index := fmt.Sprintf(backupIndex, name, cfg.Pool, labelOwner, cfg.Owner, labelTree, id, labelUsed,
		stamp(time.Now()), cfg.Project, int64(maxTree))
	headers := []*tar.Header{
		{Name: "backup/index.yaml", Mode: 0o644, Size: int64(len(index)), Format: tar.FormatGNU},
		{Name: "backup/volume/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: laneUID, Gid: laneUID, Format: tar.FormatGNU},
	}
	for _, h := range headers {
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag != tar.TypeDir {
			if _, err := io.WriteString(out, index); err != nil {
				return err
			}
		}
	}
	if err := copyTree(out, tar.NewReader(archive)); err != nil {
		return err
	}
	return out.Close()
}

func copyTree(out *tar.Writer, in *tar.Reader) error {
	links := map[string]bool{}
	for {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &sourceError{err}
		}
		if err := safeEntry(h, links); err != nil {
			return &sourceError{err}
		}
		clean := &tar.Header{Name: "backup/volume/" + h.Name, Linkname: h.Linkname, Typeflag: h.Typeflag, Size: h.Size,
			Mode: h.Mode & 0o755, Uid: laneUID, Gid: laneUID, ModTime: h.ModTime, Format: tar.FormatGNU}
		if err := out.WriteHeader(clean); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return &sourceError{err}
		}
	}
}

// safeEntry accepts files, folders and links whose name leads neither upwards
// nor through a link.
func safeEntry(h *tar.Header, links map[string]bool) error {
	name := strings.TrimSuffix(h.Name, "/")
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") {
		return fmt.Errorf("the name %q leads out of the tree", short(h.Name, 200))
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if links[dir] {
			return fmt.Errorf("the name %q leads through a link", short(h.Name, 200))
		}
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink:
		links[name] = true
	default:
		return fmt.Errorf("%q is neither a file, a folder nor a link", short(h.Name, 200))
	}
	if links[name] && h.Typeflag != tar.TypeSymlink {
		return fmt.Errorf("the name %q appears twice", short(h.Name, 200))
	}
	return nil
}

// ready reports whether the volume is there and whole, and notes its use.
func (t *trees) ready(ctx context.Context, name string) (bool, error) {
	vol, err := t.volumes.get(ctx, name)
	switch {
	case isNotFound(err):
		return false, nil
	case err != nil:
		return false, broke("look for the source's volume", err)
	case vol.Config[labelReady] != "true":
		return false, nil
	}
	return t.volumes.use(ctx, vol) == nil, nil
}

// soon waits for another process to finish the volume.
func (t *trees) soon(ctx context.Context, name string) bool {
	for range 100 {
		vol, err := t.volumes.get(ctx, name)
		if err != nil {
			return false
		}
		if vol.Config[labelReady] == "true" {
			return true
		}
		if !pause(ctx, 100*time.Millisecond) {
			return false
		}
	}
	return false
}
