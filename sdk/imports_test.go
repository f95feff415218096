package sdk_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pushlane/pushlane/"

// linked is what a plugin links of the standard library, less what the runtime
// brings itself. A package that comes to it is paid for by every plugin, in
// size and in the time of its first load: it needs a reason.
var linked = strings.Fields(`bytes cmp errors io io/fs iter maps math/bits os path slices strconv
	strings structs sync sync/atomic syscall time unicode unicode/utf16 unicode/utf8 unsafe`)

// deps lists all packages that a package links as a guest.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list -deps %s: %v\n%s", pkg, err, out)
	}
	return strings.Fields(string(out))
}

// plugins/shell is not among them: its matchers are errorformat's, which brings
// regexp and fmt (host/RATIONALE.md says what that costs).
func TestWhatAGuestLinks(t *testing.T) {
	for _, pkg := range []string{"sdk", "plugins/files", "plugins/commits", "plugins/go", "plugins/matrix",
		"plugins/nix"} {
		t.Run(pkg, func(t *testing.T) {
			for _, dep := range deps(t, module+pkg) {
				own := dep == module+"sdk" || dep == module+pkg
				runtime := dep == "runtime" || strings.HasPrefix(dep, "internal/")
				if !own && !runtime && !slices.Contains(linked, dep) {
					t.Errorf("links %s", dep)
				}
			}
		})
	}
}

// A module imports of lane1 what it calls: one that looks at the push's commits
// alone runs where there is no lane1.
func TestWhatAGuestImports(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for pkg, want := range map[string][]string{
		"plugins/files":   {"call", "close", "read", "take"},
		"plugins/commits": nil,
		"plugins/shell":   {"call", "close", "take", "wait"},
	} {
		t.Run(pkg, func(t *testing.T) {
			file := t.TempDir() + "/m.wasm"
			cmd := exec.CommandContext(t.Context(), "go", "build", "-o", file, module+pkg)
			cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d KiB", len(data)>>10)
			if got := lane1Imports(data); !slices.Equal(got, want) {
				t.Errorf("imports %q of lane1, want %q", got, want)
			}
		})
	}
}

// lane1Imports walks a module's import section: per import the two names, each
// after its length, a kind 0 (function) and a type's index.
func lane1Imports(data []byte) []string {
	var names []string
	p := 8
	number := func() int {
		n, shift := 0, 0
		for {
			b := data[p]
			p++
			n |= int(b&0x7f) << shift
			shift += 7
			if b < 0x80 {
				return n
			}
		}
	}
	text := func() string {
		n := number()
		p += n
		return string(data[p-n : p])
	}
	for p < len(data) {
		id := data[p]
		p++
		size := number()
		if id != 2 {
			p += size
			continue
		}
		for range number() {
			from, name := text(), text()
			p++
			number()
			if from == "lane1" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
