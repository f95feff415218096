package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/notify"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/registry"
)

// TestFilesOthersMayWrite: each file that decides something is refused where it
// is used, named, with the command that fixes it, and doctor lists them all.
func TestFilesOthersMayWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := config.Policy{State: filepath.Join(dir, "state"), Plugins: filepath.Join(dir, "plugins"),
		Secrets: filepath.Join(dir, "secrets"), Parallel: 1,
		AllowedSigners: file("signers", ""), SigstoreRoots: file("roots", ""),
		SigstoreIdentities: []string{"https://a b"},
		DefaultLanes:       file("lanes.toml", "version = 1\n"), NotesKey: file("key", ""), TLSCert: file("cert", ""),
		Statuses: []notify.Status{{TokenFile: file("token", "x")}}, Webhooks: []notify.Webhook{{SecretFile: file("hook",
			"x")}}}
	module, secret := file("plugins/look.wasm", ""), file("secrets/TOKEN", "secret value")
	policyFile, lock := file("policyFile.toml", ""), file("lanes.lock", "")
	os.Mkdir(p.State, 0o700)
	os.Chmod(p.State, 0o777)
	ctx := context.Background()
	sshOnly, sigstoreOnly := p, p
	sshOnly.SigstoreRoots, sigstoreOnly.AllowedSigners = "", ""
	for want, use := range map[string]func() error{
		"cannot use policy " + policyFile: func() error {
			_, err := config.LoadServer(func(key string) string {
				return map[string]string{"PUSHLANE_CONFIG": policyFile,
					"HOME": dir}[key]
			})
			return err
		},
		"cannot use state folder " + p.State: func() error { _, err := Open(p, 0); return err },
		"cannot use plugin " + module: func() error {
			_, err := plugins.New(dir, nil).Load(ctx, p, "look")
			return err
		},
		"cannot use allowed signers " + p.AllowedSigners: func() error {
			_, err := plugins.SignerOf(sshOnly, registry.Package{Signatures: []registry.Signature{{Kind: registry.SSH}}})
			return err
		},
		"cannot use sigstore roots " + p.SigstoreRoots: func() error {
			signed := registry.Package{Signatures: []registry.Signature{{Kind: registry.Sigstore}}}
			_, err := plugins.SignerOf(sigstoreOnly, signed)
			return err
		},
	} {
		err := use()
		if err == nil || !strings.HasPrefix(err.Error(), want+": others may write it (mode 0") {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if path := want[strings.LastIndex(want, " ")+1:]; problem.Hint(err) != "chmod go-w "+path {
			t.Errorf("%s: hint %q", want, problem.Hint(err))
		}
	}
	if _, err := p.SecretStore().Read("TOKEN"); err == nil || err.Error() != "others may write it (mode 0666)" {
		t.Errorf("secret: %v", err)
	}
	var all []string
	for _, err := range p.CheckFiles() {
		all = append(all, err.Error())
	}
	listed := strings.Join(all, "\n")
	for _, want := range []string{"state folder " + p.State, "plugin " + module, "allowed signers " +
		p.AllowedSigners,
		"sigstore roots " + p.SigstoreRoots, "lanes file " + p.DefaultLanes, "lock file " + lock, "notes key " + p.NotesKey,
		"certificate " + p.TLSCert,
		"token file " + p.Statuses[0].TokenFile, "secret file " + p.Webhooks[0].SecretFile, "secret " + secret} {
		if !strings.Contains(listed, "cannot use "+want+": others may write it (mode 0") {
			t.Errorf("no %s in\n%s", want, listed)
		}
	}
	if len(all) != 12 { // and the socket, by its folder
		t.Errorf("%d files:\n%s", len(all), listed)
	}
}
