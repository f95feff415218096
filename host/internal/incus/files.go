package incus

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/lxc/incus/v6/shared/api"
)

const (
	maxArtifacts    = 1000
	maxArtifactSize = 1 << 30 // bytes of all artifacts of one container
)

// share puts the source where the local Incus can hand it to containers
// directly, once per tree: 70 ms where sending 5,000 files takes 500. "" means
// that the source has to travel as tar.
func (c *Client) share(ctx context.Context, k checked) (string, error) {
	if c.config.SourceDir == "" || c.config.URL != "" || k.Source == nil {
		return "", nil
	}
	dir := filepath.Join(c.config.SourceDir, path.Base(k.Source.ID()))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	c.mu.Lock()
	once := c.trees[dir]
	if once == nil {
		once = new(sync.Once)
		c.trees[dir] = once
	}
	c.mu.Unlock()
	var err error
	once.Do(func() { err = unpack(ctx, k.Source, dir) })
	if err != nil {
		c.mu.Lock()
		delete(c.trees, dir)
		c.mu.Unlock()
		return "", fmt.Errorf("cannot share the source with containers: %w", err)
	}
	_, err = os.Stat(dir)
	return dir, err
}

// unpack writes a tree next to dir and renames it there, so that dir is never
// half a tree.
func unpack(ctx context.Context, s Source, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	read, write := io.Pipe()
	go func() { write.CloseWithError(s.WriteTar(ctx, write, 1000, 1000)) }()
	defer read.Close()
	if err := untar(read, tmp); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.Lchown(tmp, 1000, 1000); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// untar writes what git trees hold: folders, files and links, all below dir.
// os.Root keeps a hostile link from leading out.
func untar(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := untarOne(root, h, t); err != nil {
			return err
		}
	}
}

func untarOne(root *os.Root, h *tar.Header, content io.Reader) error {
	name := filepath.Clean(h.Name)
	if name == "." {
		return nil
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(name, 0o755); err != nil {
			return err
		}
	case tar.TypeSymlink:
		if err := root.Symlink(h.Linkname, name); err != nil {
			return err
		}
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, h.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return root.Lchown(name, 1000, 1000)
}

// collectScript packs what the patterns match; a pattern without a match is
// no failure.
const collectScript = `IFS=
for p; do for f in $p; do if [ -e "$f" ] || [ -L "$f" ]; then printf '%s\n' "$f"; fi; done; done > /work/.artifacts
[ -s /work/.artifacts ] || exit 0
tar -cf - -T /work/.artifacts 2>/dev/null`

// collect copies artifacts out: regular files alone, their names made
// relative and clean, within the count and size that a container may give.
func (c *Client) collect(ctx context.Context, k checked, name string) ([]string, error) {
	read, write := io.Pipe()
	failed := make(chan error, 1)
	go func() {
		post := api.InstanceExecPost{Command: append([]string{"sh", "-c", collectScript, "collect"}, k.Artifacts...)}
		exit, err := c.exec(ctx, name, post, nil, write, io.Discard)
		if err == nil && exit != 0 {
			err = fmt.Errorf("tar ended with exit status %d", exit)
		}
		write.CloseWithError(err)
		failed <- err
	}()
	names, err := keepAll(read, k.Keep)
	read.CloseWithError(io.ErrClosedPipe)
	if ferr := <-failed; err == nil && ferr != nil && !errors.Is(ferr, io.ErrClosedPipe) {
		err = ferr
	}
	if err != nil {
		return nil, fmt.Errorf("cannot copy artifacts out of the container: %w", err)
	}
	sort.Strings(names)
	return names, nil
}

func keepAll(r io.Reader, to Sink) ([]string, error) {
	var names []string
	var total int64
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r)
			return names, err
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if total += h.Size; total > maxArtifactSize || len(names) == maxArtifacts {
			return nil, fmt.Errorf("more than %d files or %d bytes", maxArtifacts, int64(maxArtifactSize))
		}
		if err := to.Keep(name, h.Size, t); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
}
