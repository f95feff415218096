// Package shipped holds the first-party plugins inside the program, for an
// installation that has no plugins folder, such as that of `go install`.
//
// They are one zstd frame over a tar, made by .ci/plugins, and a list of their
// SHA-256 sums. Unpack writes them to a folder named by the frame's own sum; Check
// compares what is read from there with the list.
package shipped

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/pushlane/pushlane/host/internal/bounded"
)

//go:embed plugins.zst
var frame []byte

//go:embed plugins.sums
var sums string

// maxModule is the largest module of the frame, and maxWindow its largest window,
// both in bytes.
const (
	maxModule = 64 << 20
	maxWindow = 128 << 20
)

// folderName is below the cache folder.
const folderName = "shipped"

// Folder is where the plugins of this program are unpacked below the cache folder.
func Folder(cache string) string { return filepath.Join(cache, folderName, sum([]byte(sums))[:32]) }

// Is tells whether dir is a folder that Unpack makes. No other name has its form.
func Is(dir string) bool {
	return filepath.Base(filepath.Dir(dir)) == folderName && filepath.Base(dir) == sum([]byte(sums))[:32]
}

// Names are those of the plugins, sorted.
func Names() []string {
	var names []string
	for line := range strings.Lines(sums) {
		if _, file, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			names = append(names, strings.TrimSuffix(file, ".wasm"))
		}
	}
	return names
}

// Unpack writes the plugins to dir, whole or not at all, unless all are there.
func Unpack(dir string) error {
	whole, err := complete(dir)
	if err == nil && !whole {
		err = errors.Join(os.RemoveAll(dir), unpack(dir))
	}
	if err != nil {
		return fmt.Errorf("cannot unpack the plugins of this program to %s: %w", dir, err)
	}
	return nil
}

// complete tells whether every plugin has its file; what cleans caches may have
// removed some.
func complete(dir string) (bool, error) {
	for _, name := range Names() {
		_, err := os.Stat(filepath.Join(dir, name+".wasm"))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func unpack(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := each(func(name string, module []byte) error {
		if err := Check(name, module); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(scratch, name+".wasm"), module, 0o600)
	}); err != nil {
		return err
	}
	err = os.Rename(scratch, dir)
	if _, serr := os.Stat(dir); serr == nil { // another process was first
		return nil
	}
	return err
}

// each calls f with every plugin of the frame.
func each(f func(name string, module []byte) error) error {
	plain, err := zstd.NewReader(bytes.NewReader(frame), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer plain.Close()
	for files := tar.NewReader(plain); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		module, err := bounded.ReadAll(files, maxModule)
		if err != nil {
			return err
		}
		if err := f(strings.TrimSuffix(h.Name, ".wasm"), module); err != nil {
			return err
		}
	}
}

// Check refuses a module that is not the plugin of that name.
func Check(name string, module []byte) error {
	if !strings.Contains("\n"+sums, "\n"+sum(module)+"  "+name+".wasm\n") {
		return fmt.Errorf("cannot use plugin %q: it is not the one of this program", name)
	}
	return nil
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
