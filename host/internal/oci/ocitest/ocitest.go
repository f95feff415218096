// Package ocitest runs a registry for tests, Debian's docker-registry, and fills it
// with images that umoci and skopeo make.
package ocitest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed images.sh
var script []byte

// Need looks for the programs, or skips aloud; where Incus is required a skip is a
// failure.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a registry")
	}
	for _, name := range []string{"docker-registry", "skopeo", "umoci"} {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("PUSHLANE_REQUIRE_INCUS") != "" {
			t.Fatalf("%s is required here", name)
		}
		fmt.Fprintf(os.Stderr, "SKIPPED: %s needs %s\n", t.Name(), name)
		t.Skipf("no %s", name)
	}
}

// Registry starts an empty registry and returns its host and port. Stop ends it
// before the test does.
func Registry(t testing.TB) (host string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host = l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\n"+
		"http: {addr: %q}\n", filepath.Join(dir, "data"), host)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker-registry", "serve", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	for range 200 {
		if c, err := net.Dial("tcp", host); err == nil {
			c.Close()
			return host, stop
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the registry does not listen")
	return "", nil
}

// Run runs a program and returns its output.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Push copies an image of a layout to a registry.
func Push(t testing.TB, layout, tag, to string) {
	t.Helper()
	Run(t, "skopeo", "copy", "-q", "--dest-tls-verify=false", "oci:"+layout+":"+tag, "docker://"+to)
}

// Copy copies an image from one name of a registry to another.
func Copy(t testing.TB, from, to string) {
	t.Helper()
	Run(t, "skopeo", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://"+from, "docker://"+to)
}

// Small makes a layout with one image, "small", of a folder, and of options of
// umoci config.
func Small(t testing.TB, files map[string]string, options ...string) (layout string) {
	t.Helper()
	dir := t.TempDir()
	layout, root := filepath.Join(dir, "layout"), filepath.Join(dir, "root")
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.Contains(name, "bin/") {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	Run(t, "tar", "-C", root, "--owner=0", "--group=0", "-cf", filepath.Join(dir, "layer.tar"), ".")
	Run(t, "umoci", "init", "--layout", layout)
	Run(t, "umoci", "new", "--image", layout+":small")
	Run(t, "umoci", "raw", "add-layer", "--no-history", "--image", layout+":small", filepath.Join(dir, "layer.tar"))
	if len(options) > 0 {
		Run(t, "umoci", append([]string{"config", "--no-history", "--image", layout + ":small"}, options...)...)
	}
	return layout
}

// Real is a layout with the images debian, node, python, go and build, which share
// a layer, musl, and none, which has no shell. It is made once, and then taken from
// the folder of temporary files.
func Real(t testing.TB) (layout string) {
	t.Helper()
	sum := sha256.Sum256(script)
	dir := filepath.Join(os.TempDir(), "pushlane-test-images-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	layout = filepath.Join(dir, "layout")
	if _, err := os.Stat(layout); err == nil {
		return layout
	}
	name, hello := filepath.Join(dir, "images.sh"), filepath.Join(dir, "hello")
	source := filepath.Join(t.TempDir(), "hello.go")
	if err := os.WriteFile(source, []byte(helloSource), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, script, 0o700); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", hello, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	Run(t, name, layout, hello)
	return layout
}

const helloSource = `package main

import (
	"fmt"
	"os"
)

func main() {
	dir, _ := os.Getwd()
	fmt.Println("hello", os.Args[1:], os.Getenv("GREETING"), os.Getuid(), os.Getgid(), dir)
}
`
