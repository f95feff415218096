package plugins

import (
	"crypto/ed25519"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/registry"
	"github.com/pushlane/pushlane/host/internal/registry/registrytest"
)

// putPrivate writes a file of the host's own.
func putPrivate(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// author signs modules with an SSH key.
type author struct {
	file        string // of the private key
	public      string // as an allowed-signers file has it
	fingerprint string
}

func newAuthor(t *testing.T) author {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return author{putPrivate(t, t.TempDir(), "key", pem.EncodeToMemory(block)),
		strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), ssh.FingerprintSHA256(key)}
}

func (a author) sign(t *testing.T, module []byte) registry.Signature {
	t.Helper()
	sig, err := registry.SignSSH(a.file, module)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// signing is a host that knows ann's key and one sigstore identity, and modules that they and others signed.
type signing struct {
	module           []byte
	ann, eve         author
	byAnn, byEve     registry.Signature
	ofAnother        registry.Signature // ann's, of another module
	bundle, stranger registry.Signature // sigstore's, of an identity that is known and one that is not
	signers, roots   string
}

const issuer = "https://accounts.example.org"

func newSigning(t *testing.T) signing {
	t.Helper()
	dir := t.TempDir()
	s := signing{module: []byte("\x00asm a module"), ann: newAuthor(t), eve: newAuthor(t)}
	s.byAnn, s.byEve = s.ann.sign(t, s.module), s.eve.sign(t, s.module)
	s.ofAnother = s.ann.sign(t, []byte("\x00asm another"))
	s.signers = putPrivate(t, dir, "signers", []byte("ann@x "+s.ann.public+"\n"))
	sigstore := registrytest.New(t)
	s.roots = putPrivate(t, dir, "root.json", registrytest.JSON(t, sigstore.Root()))
	at := time.Now().Add(-time.Hour)
	sign := func(who string) registry.Signature {
		made := sigstore.Sign(s.module, registrytest.Recipe{Issuer: issuer, Subject: who, At: at,
			Logged: at.Add(time.Minute)})
		return registry.Signature{Kind: registry.Sigstore, Data: registrytest.JSON(t, made)}
	}
	s.bundle, s.stranger = sign("cid@x"), sign("eve@x")
	return s
}

// Policies of hosts that know signers.
func (s signing) ssh() config.Policy { return config.Policy{AllowedSigners: s.signers} }
func (s signing) sigstore() config.Policy {
	return config.Policy{SigstoreIdentities: []string{issuer + " cid@x"}, SigstoreRoots: s.roots}
}
func (s signing) both() config.Policy {
	p := s.sigstore()
	p.AllowedSigners = s.signers
	return p
}

// TestSignerOf: the first signature of a signer whom the policy names, else why none of them counts.
func TestSignerOf(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	sigs := func(all ...registry.Signature) []registry.Signature { return all }
	const stranger = "cannot accept SSH signature: key %s is not an allowed signer's"
	const (
		noSSH = "SSH signature not verified: this host knows no signers (allowed_signers in its policy)"
		noIDs = "sigstore bundle not verified: this host knows no sigstore identities (sigstore_identities in its policy)"
		eve   = "cannot accept sigstore bundle: eve@x (" + issuer + ") is not an allowed identity"
	)
	other := "cannot accept SSH signature: it is not one of this module"
	for name, c := range map[string]struct {
		policy     config.Policy
		signatures []registry.Signature
		who        string
		err        string
		key        string // of the signature that counts; see signerKey
	}{
		"no one is asked for":               {config.Policy{}, nil, "", "", ""},
		"no one is asked for, but signed":   {config.Policy{}, sigs(s.byEve), "", "", s.eve.fingerprint},
		"no one is asked for, a bad one":    {config.Policy{}, sigs(s.ofAnother), "", "", ""},
		"signed":                            {s.ssh(), sigs(s.byAnn), "ann@x", "", s.ann.fingerprint},
		"not signed":                        {s.ssh(), nil, "", "it is not signed", ""},
		"signed by another":                 {s.ssh(), sigs(s.byEve), "", stranger, ""},
		"signed by another too":             {s.ssh(), sigs(s.byEve, s.byAnn), "ann@x", "", s.ann.fingerprint},
		"a signature of another module":     {s.ssh(), sigs(s.ofAnother), "", other, ""},
		"a bundle where keys are asked for": {s.ssh(), sigs(s.bundle), "", noIDs, ""},
		"a key where bundles are asked for": {s.sigstore(), sigs(s.byAnn), "", noSSH, ""},
		"a bundle":                          {s.sigstore(), sigs(s.bundle), "cid@x (" + issuer + ")", "", ""},
		"a bundle of another":               {s.sigstore(), sigs(s.stranger), "", eve, ""},
		"either will do, a key":             {s.both(), sigs(s.stranger, s.byAnn), "ann@x", "", s.ann.fingerprint},
		"either will do, a bundle":          {s.both(), sigs(s.byEve, s.bundle), "cid@x (" + issuer + ")", "", ""},
		"neither":                           {s.both(), sigs(s.ofAnother, s.stranger), "", other + "; " + eve, ""},
	} {
		pack := registry.Package{Module: s.module, Signatures: c.signatures}
		who, err := SignerOf(c.policy, pack)
		want := strings.Replace(c.err, "%s", s.eve.fingerprint, 1)
		if who != c.who || (err == nil) != (c.err == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %q, %v", name, who, err)
		}
		if key := signerKey(c.policy, pack); key != c.key {
			t.Errorf("%s: key %q, want %q", name, key, c.key)
		}
	}
}

// TestSignersThatCannotBeRead: a host that wants signatures and cannot tell whose they are takes none.
func TestSignersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	long := putPrivate(t, dir, "long", make([]byte, maxTrust+1))
	open := putPrivate(t, dir, "open", []byte("ann@x "+s.ann.public+"\n"))
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	with := func(change func(*config.Policy)) config.Policy {
		p := s.both()
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		policy config.Policy
		sig    registry.Signature
		want   string
	}{
		"no file": {with(func(p *config.Policy) { p.AllowedSigners = dir + "/none" }), s.byAnn,
			"cannot read allowed signers: open " + dir + "/none: no such file or directory"},
		"a pipe": {with(func(p *config.Policy) { p.AllowedSigners = pipe }), s.byAnn,
			"cannot read allowed signers: it is not a regular file"},
		"too long": {with(func(p *config.Policy) { p.AllowedSigners = long }), s.byAnn,
			"cannot read allowed signers: it is longer than 16 MiB"},
		"no roots": {with(func(p *config.Policy) { p.SigstoreRoots = dir + "/none" }), s.bundle,
			"cannot read trusted root: open " + dir + "/none: no such file or directory"},
		"roots, a pipe": {with(func(p *config.Policy) { p.SigstoreRoots = pipe }), s.bundle,
			"cannot read trusted root: it is not a regular file"},
		"others may write them": {with(func(p *config.Policy) { p.AllowedSigners = open }), s.byAnn,
			"cannot use allowed signers " + open + ": others may write it (mode 0666)"},
		"others may write them, a bundle too": {with(func(p *config.Policy) { p.AllowedSigners = open }), s.bundle,
			"cannot use allowed signers " + open + ": others may write it (mode 0666)"},
		"others may write the roots": {with(func(p *config.Policy) { p.SigstoreRoots = open }), s.bundle,
			"cannot use sigstore roots " + open + ": others may write it (mode 0666)"},
		"an identity that is none": {with(func(p *config.Policy) { p.SigstoreIdentities = []string{"cid@x"} }), s.bundle,
			`"cid@x" is not an identity: write "ISSUER SUBJECT", as in "https://accounts.example.org ann@example.org"`},
	} {
		who, err := SignerOf(c.policy, registry.Package{Module: s.module, Signatures: []registry.Signature{c.sig}})
		if who != "" || err == nil || err.Error() != c.want {
			t.Errorf("%s: %q, %v", name, who, err)
		}
	}
}

// TestCheckSigner: who would have to sign it, and which signatures were not looked at.
func TestCheckSigner(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	const by = "this host runs only plugins signed by a signer in "
	const ids = "sigstore_identities of its policy"
	for name, c := range map[string]struct {
		policy config.Policy
		hint   string
	}{
		"keys":    {s.ssh(), by + s.signers},
		"bundles": {s.sigstore(), by + ids},
		"either":  {s.both(), by + s.signers + " or " + ids},
	} {
		_, err := checkSigner(c.policy, "look", registry.Package{Module: s.module})
		if err == nil || err.Error() != `cannot load plugin "look": it is not signed` || problem.Hint(err) != c.hint {
			t.Errorf("%s: %v, hint %q", name, err, problem.Hint(err))
		}
	}
	if who, err := checkSigner(s.ssh(), "look", registry.Package{Module: s.module,
		Signatures: []registry.Signature{s.byAnn}}); who != "ann@x" || err != nil {
		t.Errorf("signed: %q, %v", who, err)
	}
	pack := registry.Package{Module: s.module, Signatures: []registry.Signature{s.byAnn, s.bundle}}
	for policy, want := range map[string]int{"none": 2, "ssh": 1, "sigstore": 1, "both": 0} {
		p := map[string]config.Policy{"ssh": s.ssh(), "sigstore": s.sigstore(), "both": s.both()}[policy]
		if lines := unchecked(p, pack); len(lines) != want {
			t.Errorf("%s: not looked at: %q", policy, lines)
		}
	}
}
