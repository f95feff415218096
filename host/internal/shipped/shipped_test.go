package shipped

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// TestEveryPluginIsInTheFrame: with the manifest that it has in plugins/.
func TestEveryPluginIsInTheFrame(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../../plugins/*/manifest.toml")
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	if got := Names(); len(names) == 0 || !slices.Equal(got, names) {
		t.Fatalf("the frame has %q, plugins/ has %q; run: .ci/plugins", got, names)
	}
	dir := Folder(t.TempDir())
	if err := Unpack(dir); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		module, err := os.ReadFile(filepath.Join(dir, name+".wasm"))
		if err == nil {
			err = Check(name, module)
		}
		if err != nil {
			t.Error(err)
			continue
		}
		want, _ := os.ReadFile(file)
		m, err := wasm.ReadManifest(module)
		if err != nil || m.Name != name || !bytes.HasSuffix(module, want) {
			t.Errorf("%s has another manifest than %s (%v); run: .ci/plugins", name, file, err)
		}
	}
	if len(frame) > 5_000_000 {
		t.Errorf("the frame has %d bytes", len(frame))
	}
}

func TestUnpackedFilesAreChecked(t *testing.T) {
	t.Parallel()
	err := Check("files", []byte("another"))
	if want := `cannot use plugin "files": it is not the one of this program`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := Check("files.wasm\n", nil); err == nil {
		t.Error("a name with a line break is accepted")
	}
}

func TestUnpackWritesWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := Folder(t.TempDir())
	for range 2 { // the first file that a cleaner removed is there again
		if err := Unpack(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, Names()[0]+".wasm")); err != nil {
			t.Fatal(err)
		}
	}
	if !Is(dir) || Is(filepath.Dir(dir)) {
		t.Error("the folder is not known by its name")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := Unpack(filepath.Join(file, "shipped", "x"))
	if err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("%v", err)
	}
}
