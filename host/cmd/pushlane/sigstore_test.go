package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/registry/registrytest"
)

// TestPluginSigstore: a committed module with a sigstore bundle next to it is
// added, pinned and run at both gates where its signer is allowed, and nowhere
// else.
func TestPluginSigstore(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(prefix, "bin", "pushlane")
	a := shipper{t, t.TempDir(), "", bin}
	module, err := os.ReadFile(a.build("1.0", readsFiles))
	if err != nil {
		t.Fatal(err)
	}
	instance, at := registrytest.New(t), time.Now().Add(-48*time.Hour)
	bundleOf := func(subject string, logged time.Time) string {
		return string(registrytest.JSON(t, instance.Sign(module,
			registrytest.Recipe{Issuer: "https://accounts.example.org", Subject: subject, At: at, Logged: logged})))
	}
	roots, config := filepath.Join(a.dir, "trusted_root.json"), filepath.Join(a.dir, "config.toml")
	write(t, roots, string(registrytest.JSON(t, instance.Root())))
	policy := fmt.Sprintf(
		"sigstore_identities = [\"https://accounts.example.org ann@example.org\"]\nsigstore_roots = %q\n", roots)
	write(t, config, policy)
	s := newServer(t, policy)
	s.url = s.repo
	s.env = append(s.env, "PUSHLANE_CONFIG="+config, "HOME="+a.dir, "PUSHLANE_RESIDENT=off", "GIT_AUTHOR_NAME=T",
		"GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	c := s.newClient(t, "version = 1\n[[lane]]\nid = \"look\"\nplugin = \"look\"\n[lane.with]\ndo = [\"read a.txt\"]\n")
	file := filepath.Join(c.dir, ".pushlane", "plugins", "look.wasm")
	add := func(bundle string, wantErr bool, wants ...string) {
		t.Helper()
		if write(t, file+".sigstore.json", bundle); bundle == "" {
			os.Remove(file + ".sigstore.json")
		}
		out, err := try(c.dir, s.env, bin, "plugin", "add", "./plugins/look.wasm", "--yes")
		if (err != nil) != wantErr {
			t.Errorf("%v\n%s", err, out)
		}
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in:\n%s", want, out)
			}
		}
	}
	write(t, file, string(module))
	good := bundleOf("ann@example.org", at)
	refused := `cannot add plugin "look": cannot accept sigstore bundle: `

	add("", true, `cannot add plugin "look": it is not signed`,
		"this host runs only plugins signed by a signer in sigstore_identities of its policy")
	add(bundleOf("eve@example.org", at), true, refused+
		"eve@example.org (https://accounts.example.org) is not an allowed identity")
	add(bundleOf("ann@example.org", at.Add(time.Hour)), true, refused+"its certificate was not valid at ")
	add(bundleOf("ann@example.org", time.Time{}), true,
		refused+"no trusted timestamp")
	add(strings.Replace(good, "rawBytes", "rawBites", 1), true, refused+"it is damaged")
	add(good, false, "signed by ann@example.org (https://accounts.example.org)", `a lane uses it with: plugin = "look"`)
	lock, _ := os.ReadFile(filepath.Join(c.dir, ".pushlane", "lanes.lock"))
	if !strings.Contains(string(lock), "signer = 'ann@example.org (https://accounts.example.org)'") {
		t.Errorf("the lock pins something else:\n%s", lock)
	}
	if out := must(t, c.dir, s.env, bin, "plugin", "verify"); !strings.Contains(out,
		", signed by ann@example.org (https://accounts.example.org)") {
		t.Error(out)
	}

	must(t, c.dir, s.env, bin, "install")
	c.commit("a.txt", "hello")
	c.git("push", "origin", "main")
	c.commit("b.txt", "more")
	if out := c.git("push", "origin", "main"); strings.Count(out, "note: read a.txt: hello") != 2 {
		t.Errorf("at both gates:\n%s", out)
	}

	// Where no one is allowed, the bundle is carried; another signer's does not do.
	must(t, c.dir, s.env, bin, "plugin", "remove", "look")
	write(t, config, "")
	add(good, false, "sigstore bundle not verified: this host knows no sigstore identities")
	must(t, c.dir, s.env, bin, "plugin", "remove", "look")
	write(t, config, fmt.Sprintf("allowed_signers = %q\n", filepath.Join(a.dir, "allowed")))
	add(good, true, `cannot add plugin "look": sigstore bundle not verified: this host knows no sigstore identities`)
	write(t, config, "sigstore_identities = [\"ann@example.org\"]\nsigstore_roots = \"x\"\n")
	add(good, true,
		`cannot read the policy: sigstore_identities: "ann@example.org" is not an identity: write "ISSUER SUBJECT"`)
	write(t, config, strings.Replace(policy, roots, "/nowhere", 1))
	add(good, true, `cannot add plugin "look": cannot read trusted root: open /nowhere: no such file or directory`)
	write(t, config, strings.Split(policy, "\n")[0])
	add(good, true, "cannot read the policy: sigstore_identities needs sigstore_roots")
}
