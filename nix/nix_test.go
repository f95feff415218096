package nix_test

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// machine is a Nix of the test's own: store, state and settings in a temporary
// folder, no daemon, no network, builds as the user who runs the test.
type machine struct {
	t    *testing.T
	env  []string
	args []string // the programs of the machine that replace nixpkgs
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t}
	for _, name := range []string{"nix-build", "nix-instantiate", "nix-hash"} {
		need(t, name, "nix-bin")
	}
	for _, tool := range [][2]string{{"busybox", "busybox-static"}, {"mksquashfs", "squashfs-tools"}, {"tar", "tar"},
		{"xz", "xz-utils"}} {
		m.args = append(m.args, "--argstr", tool[0], need(t, tool[0], tool[1]))
	}
	needStatic(t, m.args[2])
	dir := storeFolder(t)
	m.env = append(os.Environ(), "NIX_REMOTE=", "NIX_PATH=", "HOME="+dir, "XDG_CACHE_HOME="+dir+"/cache",
		"NIX_STORE_DIR="+dir+"/store", "NIX_STATE_DIR="+dir+"/var", "NIX_LOG_DIR="+dir+"/log", "NIX_CONF_DIR="+dir+"/etc")
	return m
}

// storeFolder is a temporary folder that can be removed again: what Nix stores
// is read-only.
func storeFolder(t *testing.T) string {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(path, 0o755)
			}
			return nil
		})
	})
	return dir
}

// need gives the path of a program, or skips aloud; where the environment says
// that Nix or Incus is required, its absence is a failure.
func need(t *testing.T, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		lacking(t, fmt.Sprintf("there is no %s; apt-get install %s", program, debianPackage))
	}
	return path
}

// needStatic: a busybox that wants the machine's C library dies in a container.
func needStatic(t *testing.T, program string) {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		lacking(t, program+" is not linked statically; apt-get install busybox-static")
	}
}

func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("PUSHLANE_REQUIRE_NIX") != "" || os.Getenv("PUSHLANE_REQUIRE_INCUS") != "" {
		t.Fatalf("Nix and Incus are required here: %s", what)
	}
	fmt.Fprintf(os.Stderr, "SKIPPED: %s: %s\n", t.Name(), what)
	t.Skip(what)
}

// run gives a command's standard output without the last newline.
func (m *machine) run(name string, args ...string) (string, error) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), name, args...)
	cmd.Env = m.env
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}

func (m *machine) must(name string, args ...string) string {
	m.t.Helper()
	out, err := m.run(name, args...)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// build gives the store path of an attribute of test-image.nix.
func (m *machine) build(attr string, more ...string) string {
	m.t.Helper()
	args := append([]string{"test-image.nix", "-A", attr, "--no-out-link", "--option", "build-users-group", "",
		"--option", "sandbox", "false", "--option", "substitute", "false", "--option", "fsync-metadata", "false"}, m.args...)
	return m.must("nix-build", append(args, more...)...)
}

func TestImageIsTheSameBitsTwiceAndSaysItsFingerprint(t *testing.T) {
	m := newMachine(t)
	image := m.build("image")
	for _, attr := range []string{"meta", "rootfs"} {
		m.build(attr, "--check") // fails where the bits differ
	}
	sum := sha256.New()
	for _, name := range []string{"incus.tar.xz", "rootfs.squashfs"} {
		data, err := os.ReadFile(filepath.Join(image, name))
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(data)
	}
	if got, want := fingerprint(t, image), hex.EncodeToString(sum.Sum(nil)); got != want {
		t.Errorf("the fingerprint is %s, want %s", got, want)
	}
}

func fingerprint(t *testing.T, image string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(image, "fingerprint"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func TestEveryNixFileParses(t *testing.T) {
	m := newMachine(t)
	files, _ := filepath.Glob("*.nix")
	if len(files) < 5 {
		t.Fatalf("found only %v", files)
	}
	for _, file := range files {
		if _, err := m.run("nix-instantiate", "--parse", file); err != nil {
			t.Error(err)
		}
	}
}

func TestFlakeHasItsOutputs(t *testing.T) {
	m := newMachine(t)
	var got struct {
		Outputs, Systems, Src, SubPackages []string
		Packages                           map[string][]string
		Images                             map[string]string
		Shell                              int
		VendorHash                         string
	}
	args := append([]string{"--eval", "--strict", "--json", "test-flake.nix"}, m.args...)
	if err := json.Unmarshal([]byte(m.must("nix-instantiate", args...)), &got); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got []string, want ...string) {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	same("outputs", got.Outputs, "devShells", "nixosModules", "packages")
	same("systems", got.Systems, "aarch64-linux", "x86_64-linux")
	same("source", got.Src, "LICENSE", "go.mod", "go.sum", "hooks", "host", "lanes", "plugins", "sdk")
	same("programs", got.SubPackages, "host/cmd/pushlane", "host/cmd/pushlane-hook", "host/cmd/pushlane-plugin")
	for _, system := range got.Systems {
		same("packages of "+system, got.Packages[system], "default", "lane-image", "pushlane")
		if !strings.HasSuffix(got.Images[system], "-default-lane-image.drv") {
			t.Errorf("the image of %s is %q", system, got.Images[system])
		}
	}
	if got.Shell == 0 || !strings.HasPrefix(got.VendorHash, "sha256-") {
		t.Errorf("the shell has %d packages, the vendor hash is %q", got.Shell, got.VendorHash)
	}
}

// The hash of what `go mod vendor` writes pins the modules in package.nix. It
// changes with go.mod and with what is imported.
func TestVendorHashIsUpToDate(t *testing.T) {
	m := newMachine(t)
	dir := filepath.Join(t.TempDir(), "vendor")
	cmd := exec.CommandContext(t.Context(), "go", "mod", "vendor", "-o", dir)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go mod vendor: %v\n%s", err, out)
	}
	raw, err := hex.DecodeString(m.must("nix-hash", "--type", "sha256", dir))
	if err != nil {
		t.Fatal(err)
	}
	want := "sha256-" + base64.StdEncoding.EncodeToString(raw) + "\n"
	if os.Getenv("PUSHLANE_UPDATE") != "" {
		if err := os.WriteFile("vendor-hash", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, _ := os.ReadFile("vendor-hash"); string(have) != want {
		t.Errorf("nix/vendor-hash is %q, want %q; fix it with: PUSHLANE_UPDATE=1 go test ./nix -run VendorHash", have, want)
	}
}
