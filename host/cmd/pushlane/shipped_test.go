package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startRegistry starts Debian's real registry and gives its address.
func startRegistry(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("PUSHLANE_REQUIRE_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: there is no docker-registry here (Debian: apt install docker-registry)")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	config := filepath.Join(t.TempDir(), "config.yml")
	write(t, config, "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: "+t.TempDir()+
		"}}\nhttp: {addr: "+address+"}\n")
	cmd := exec.Command(program, "serve", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	waitUntil(t, "the registry answers", func() bool {
		resp, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return address
}

// shipper is someone who ships a plugin.
type shipper struct {
	t        *testing.T
	dir      string // of keys and modules
	registry string
	bin      string
}

// build packs a version of the probe that asks for the capabilities.
func (a shipper) build(version string, capabilities string) string {
	a.t.Helper()
	manifest, packed := filepath.Join(a.dir, version+".toml"), filepath.Join(a.dir, version+".wasm")
	write(a.t, manifest,
		fmt.Sprintf(
			"name = \"look\"\nversion = %q\nabi = 1\noutput = \"jsonl\"\ninput = []\nschema = '{\"type\":\"object\"}'\n%s",
			version, capabilities))
	must(a.t, "", nil, a.bin, "plugin", "pack", "--manifest", manifest, filepath.Join(prefix, "probe.raw"), packed)
	return packed
}

func (a shipper) push(version, capabilities, key string) string {
	a.t.Helper()
	return strings.TrimSpace(must(a.t, "", nil, a.bin, "plugin", "push", a.build(version, capabilities),
		"oci:"+a.registry+"/team/look:1", "--sign", key))
}

const (
	readsFiles = "[[capabilities]]\nname = \"repo.read\"\nwhy = \"reads a.txt\"\nscope = [\"a.txt\"]\n"
	keepsToo   = readsFiles + "[[capabilities]]\nname = \"kv\"\nwhy = \"remembers what it saw\"\n"
)

// TestPluginShipped takes a third-party plugin the whole way: packed, signed,
// pushed to a real registry, added, pinned, run at both gates, upgraded with a
// bigger request, held back, approved, run again.
func TestPluginShipped(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(prefix, "bin", "pushlane")
	a := shipper{t, t.TempDir(), startRegistry(t), bin}
	for _, key := range []string{"ann", "eve"} {
		must(t, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", filepath.Join(a.dir, key))
	}
	public, err := os.ReadFile(filepath.Join(a.dir, "ann.pub"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := filepath.Join(a.dir, "allowed")
	write(t, allowed, "ann@example.org namespaces=\"pushlane-plugin\" "+string(public))
	first := a.push("1.0", readsFiles, filepath.Join(a.dir, "ann"))

	s := newServer(t, fmt.Sprintf("allowed_signers = %q\nfetch_plugins = true", allowed))
	s.url = s.repo
	policy := filepath.Join(a.dir, "config.toml")
	write(t, policy, fmt.Sprintf("allowed_signers = %q\n", allowed))
	s.env = append(s.env, "PUSHLANE_CONFIG="+policy, "HOME="+a.dir, "PUSHLANE_RESIDENT=off",
		"GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	c := s.newClient(t, "version = 1\n")
	c.git("push", "-q", "origin", "main")
	plugin := func(args ...string) (string, error) {
		return try(c.dir, s.env, bin, append([]string{"plugin"}, args...)...)
	}
	says := func(out string, err error, wantErr bool, wants ...string) {
		t.Helper()
		if (err != nil) != wantErr {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in:\n%s", want, out)
			}
		}
	}

	// Added: what it asks and who signed it is shown, and nothing is done unasked.
	out, err := plugin("add", "oci:"+a.registry+"/team/look:1")
	says(out, err, true, "look 1.0, sha256 ", "signed by ann@example.org", "asks for repo.read (a.txt): reads a.txt",
		`cannot ask "add it?": there is no terminal`, "run the command again with --yes to agree")
	out, err = plugin("add", "oci:"+a.registry+"/team/look:1", "--yes")
	says(out, err, false, `a lane uses it with: plugin = "look"`)
	lock, _ := os.ReadFile(filepath.Join(c.dir, ".pushlane", "lanes.lock"))
	if !strings.Contains(string(lock), "resolved = '"+first+"'") ||
		!strings.Contains(string(lock), "signer = 'ann@example.org'") {
		t.Errorf("the lock pins something else:\n%s", lock)
	}
	out, err = plugin("verify")
	says(out, err, false, "ok    look ")
	out, err = plugin("audit")
	says(out, err, true, "look: no lane uses it")

	// Pinned and used: the push that brings it is judged without it, the next with it.
	write(t, filepath.Join(c.dir, ".pushlane", "lanes.toml"),
		"version = 1\n[[lane]]\nid = \"look\"\nplugin = \"look\"\n[lane.with]\ndo = [\"read a.txt\", \"read first\", "+
			"\"get x\"]\n[lane.grant]\nkv = true\n")
	c.commit("a.txt", "hello")
	out = c.git("push", "origin", "main")
	says(out, nil, false, "changes the lanes file (adds look)",
		"brings another lanes.lock (pins plugin look (repo.read)); this push is judged by the old one")
	must(t, c.dir, s.env, bin, "install")
	c.commit("b.txt", "more")
	out = c.git("push", "origin", "main")
	for _, want := range []string{"note: read a.txt: hello",
		"note: read first: error: open /src/first: No such file or directory", "which its manifest does not ask for"} {
		if n := strings.Count(out, want); n != 2 {
			t.Errorf("%q is there %d times, want 2: before the push and on the server:\n%s", want, n, out)
		}
	}

	// A version of the same author that asks for more is held back.
	a.push("1.1", keepsToo, filepath.Join(a.dir, "ann"))
	out, err = plugin("update")
	says(out, err, true, "look 1.0 -> 1.1 (sha256 ", "+ kv: remembers what it saw", "held back: look stays at ",
		"approve it with: pushlane plugin approve look")
	out, err = plugin("ls")
	says(out, err, false, "signed by ann@example.org; 1.1 held back")
	c.commit("c.txt", "held")
	if out = c.git("push", "origin", "main"); strings.Count(out, "which its manifest does not ask for") != 2 {
		t.Errorf("the held version is in use:\n%s", out)
	}
	out, err = plugin("approve", "look", "--yes")
	says(out, err, false, "+ kv: remembers what it saw", "look is now 1.1 (sha256 ")
	c.commit("d.txt", "approved")
	out = c.git("push", "origin", "main") // the server goes by the lock before this push
	says(out, nil, false, "brings another lanes.lock (moves plugin look to ", "+ kv: remembers what it saw",
		"which its manifest does not ask for", "note: get x: nothing")
	c.commit("e.txt", "after")
	if out = c.git("push", "origin", "main"); strings.Count(out, "note: get x: nothing") != 2 {
		t.Errorf("the approved version is not in use at both gates:\n%s", out)
	}

	// Someone else's version does not come in, neither by update nor by hand.
	a.push("1.2", keepsToo, filepath.Join(a.dir, "eve"))
	out, err = plugin("update")
	says(out, err, true, "is not an allowed signer's")
	text, _ := os.ReadFile(filepath.Join(c.dir, ".pushlane", "lanes.lock"))
	module, _ := os.ReadFile(filepath.Join(a.dir, "1.2.wasm"))
	forged := forge(string(text), module)
	write(t, filepath.Join(c.dir, ".pushlane", "lanes.lock"), forged)
	c.commit("f.txt", "forged")
	out, err = try(c.dir, s.env, "git", "push", "origin", "main")
	says(out, err, true, `cannot load plugin "look"`, "push refused")
	out, err = try(c.dir, s.env, "git", "push", "--no-verify", "origin", "main") // judged by the old lock
	says(out, err, false, "brings another lanes.lock")
	c.commit("g.txt", "after the forged one")
	out, err = try(c.dir, s.env, "git", "push", "--no-verify", "origin", "main")
	says(out, err, true, `cannot load plugin "look"`)
}

// forge makes a lock pin another module at the source's tag.
func forge(lock string, module []byte) string {
	var out strings.Builder
	for line := range strings.Lines(lock) {
		switch {
		case strings.HasPrefix(line, "sha256 = "):
			line = fmt.Sprintf("sha256 = '%s'\n", digestOf(module))
		case strings.HasPrefix(line, "resolved = "):
			line = ""
		}
		out.WriteString(line)
	}
	return out.String()
}

// TestPluginInRepository: a module that is committed next to the lock needs no
// registry, neither before the push nor on the server.
func TestPluginInRepository(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(prefix, "bin", "pushlane")
	a := shipper{t, t.TempDir(), "", bin}
	s := newServer(t, "")
	s.url = s.repo
	s.env = append(s.env, "HOME="+a.dir, "PUSHLANE_RESIDENT=off", "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org",
		"GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	c := s.newClient(t, "version = 1\n[[lane]]\nid = \"look\"\nplugin = \"look\"\n[lane.with]\ndo = [\"read a.txt\"]\n")
	module, err := os.ReadFile(a.build("1.0", readsFiles))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(c.dir, ".pushlane", "plugins", "look.wasm"), string(module))
	must(t, c.dir, s.env, bin, "plugin", "add", "./plugins/look.wasm", "--yes")
	must(t, c.dir, s.env, bin, "install")
	c.commit("a.txt", "hello")
	if out := c.git("push", "origin", "main"); !strings.Contains(out, "note: read a.txt: hello") {
		t.Errorf("before the push:\n%s", out)
	}
	c.commit("b.txt", "more")
	if out := c.git("push", "origin", "main"); strings.Count(out, "note: read a.txt: hello") != 2 {
		t.Errorf("at both gates:\n%s", out)
	}
	write(t, filepath.Join(c.dir, ".pushlane", "plugins", "look.wasm"),
		string(bytes.Replace(module, []byte("reads a.txt"), []byte("reads b.txt"), 1)))
	os.RemoveAll(filepath.Join(a.dir, ".local", "state", "pushlane", "plugins"))
	c.commit("c.txt", "another module under the same pin")
	if out, err := try(c.dir, s.env, "git", "push", "origin", "main"); err == nil || !strings.Contains(out, "is pinned") ||
		!strings.Contains(out, "pushlane plugin update look") {
		t.Errorf("another module under the same pin: %v\n%s", err, out)
	}
}

// TestPluginRevoked: a host that lives on goes by what its owner says now, and
// by the files that lie there now, whatever it has loaded.
func TestPluginRevoked(t *testing.T) {
	t.Parallel()
	a := shipper{t, t.TempDir(), "", filepath.Join(prefix, "bin", "pushlane")}
	must(t, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(a.dir, "ann"))
	public, err := os.ReadFile(filepath.Join(a.dir, "ann.pub"))
	if err != nil {
		t.Fatal(err)
	}
	allowed, signers := filepath.Join(a.dir, "allowed"), "ann@example.org "+string(public)
	write(t, allowed, signers)
	s := newServer(t, fmt.Sprintf("allowed_signers = %q", allowed))
	s.url = s.repo
	s.env = append(s.env, "HOME="+a.dir)
	c := s.newClient(t, "version = 1\n[[lane]]\nid = \"look\"\nplugin = \"look\"\n[lane.with]\ndo = [\"read a.txt\"]\n")
	module := a.build("1.0", readsFiles)
	in := filepath.Join(c.dir, ".pushlane", "plugins", "look.wasm")
	must(t, "", nil, "mkdir", filepath.Dir(in))
	must(t, "", nil, a.bin, "plugin", "push", module, in, "--sign", filepath.Join(a.dir, "ann"))
	must(t, c.dir, s.env, a.bin, "plugin", "add", "./plugins/look.wasm", "--yes")
	c.commit("a.txt", "hello")
	c.git("push", "-q", "origin", "main")
	s.serve(t)
	data, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	digest := digestOf(data)
	kept := filepath.Join(s.state, "plugins", digest+".wasm")
	const good = "note: read a.txt: hello"
	for i, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"loaded", func() {}, good},
		{"again", func() {}, good},
		{"its signer is no longer allowed", func() { write(t, allowed, "") }, "is not an allowed signer's"},
		{"allowed again", func() { write(t, allowed, signers) }, good},
		{"the kept file is damaged", func() { write(t, kept, string(data[:len(data)/2])) }, good},
		{"its stored signature is gone", func() { os.Remove(kept + ".sig") }, good}, // the one in the repository is found
	} {
		step.do()
		c.commit("b.txt", fmt.Sprint(i))
		if out, err := try(c.dir, s.env, "git", "push", "origin", "main"); !strings.Contains(out, step.want) ||
			(err == nil) != (step.want == good) {
			t.Errorf("%s: %v\n%s", step.what, err, out)
		}
	}
	if now, err := os.ReadFile(kept); err != nil || digestOf(now) != digest {
		t.Errorf("the damaged module was not replaced: %v", err)
	}
}

func digestOf(module []byte) string { return fmt.Sprintf("%x", sha256.Sum256(module)) }
