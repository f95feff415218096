package registry

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// keygen makes a key with the real program and gives its file and its public
// half.
func keygen(t *testing.T, args ...string) (file, public string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	run(t, nil, "ssh-keygen", append([]string{"-q", "-N", "", "-C", "me", "-f", file}, args...)...)
	data, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return file, strings.TrimSpace(string(data))
}

func run(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

var module = []byte("\x00asm\x01\x00\x00\x00")

// TestAgreesWithOpenSSH: what we sign ssh-keygen accepts, and the other way
// round, with every kind of key.
func TestAgreesWithOpenSSH(t *testing.T) {
	for _, kind := range [][]string{{"-t", "ed25519"}, {"-t", "rsa", "-b", "2048"}, {"-t", "ecdsa"}} {
		t.Run(kind[1], func(t *testing.T) {
			file, public := keygen(t, kind...)
			dir := t.TempDir()
			allowed := filepath.Join(dir, "allowed")
			os.WriteFile(allowed, []byte("me@example.org "+public+"\n"), 0o600)
			sig, err := SignSSH(file, module)
			if err != nil {
				t.Fatal(err)
			}
			ours := filepath.Join(dir, "ours")
			os.WriteFile(ours, sig.Data, 0o600)
			run(t, module, "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "me@example.org", "-n", Namespace, "-s", ours)

			theirs := filepath.Join(dir, "m.wasm")
			os.WriteFile(theirs, module, 0o600)
			run(t, nil, "ssh-keygen", "-Y", "sign", "-f", file, "-n", Namespace, theirs)
			made, _ := os.ReadFile(theirs + ".sig")
			text, _ := os.ReadFile(allowed)
			who, err := VerifySSH(text, Package{Module: module}, Signature{SSH, made}, time.Now())
			if err != nil || who != "me@example.org" {
				t.Errorf("%q, %v", who, err)
			}
		})
	}
}

func TestVerifySSH(t *testing.T) {
	file, public := keygen(t, "-t", "ed25519")
	_, other := keygen(t, "-t", "ed25519")
	good, err := SignSSH(file, module)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m")
	os.WriteFile(path, module, 0o600)
	run(t, nil, "ssh-keygen", "-Y", "sign", "-f", file, "-n", "git", path)
	forGit, _ := os.ReadFile(path + ".sig")
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	me := "me@example.org "
	tests := map[string]struct {
		allowed string
		sig     []byte
		module  []byte
		want    string // of the error; "": it is accepted
	}{
		"plain":             {allowed: "# mine\n\n" + me + public},
		"with others":       {allowed: "you@example.org " + other + "\n" + me + public},
		"quoted principals": {allowed: `"me@example.org,us@example.org" ` + public},
		"for plugins":       {allowed: me + `namespaces="git,pushlane-*" ` + public},
		"in its time":       {allowed: me + `valid-after="20260101",valid-before="20270101Z" ` + public},
		"not for plugins":   {allowed: me + `namespaces="git" ` + public, want: "is not an allowed signer's"},
		"barred":            {allowed: me + `namespaces="*,!pushlane-plugin" ` + public, want: "is not an allowed signer's"},
		"too late":          {allowed: me + `valid-before="20260601000000Z" ` + public, want: "is not an allowed signer's"},
		"too early":         {allowed: me + `valid-after="20260602" ` + public, want: "is not an allowed signer's"},
		"an authority":      {allowed: me + `cert-authority ` + public, want: "is not an allowed signer's"},
		"unknown key":       {allowed: "you@example.org " + other, want: "cannot accept SSH signature: key SHA256:"},
		"nobody":            {allowed: "", want: "is not an allowed signer's"},
		"a bad file": {allowed: "#\nme",
			want: `cannot read the allowed signers: line 2: "me": it is a single word, without a key`},
		"garbage before": {allowed: "garbage\n" + me + public,
			want: `cannot read the allowed signers: line 1: "garbage": it is`},
		"two bad words": {allowed: "gar bage",
			want: `is not an allowed signer's; line 1 of them cannot be read: "gar": it has no key`},
		"a bad key":         {allowed: me + "ssh-ed25519 AAAA", want: `line 1 of them cannot be read: "me@example.org": `},
		"a bad time":        {allowed: me + `valid-after="soon" ` + public, want: `"soon" is not a time`},
		"for no namespace":  {allowed: me + `namespaces="" ` + public, want: "is not an allowed signer's"},
		"a class":           {allowed: me + `namespaces="push[l]ane-plugin" ` + public, want: "is not an allowed signer's"},
		"barred himself":    {allowed: `me@example.org,!me@example.org ` + public, want: "is not an allowed signer's"},
		"behind a bad line": {allowed: "you@example.org bad\n" + me + public},
		"a very long line":  {allowed: "#" + strings.Repeat("x", 1<<20) + "\n" + me + public},
		"a new option":      {allowed: me + `verify-required ` + public, want: `unknown option "verify-required"`},
		"another module":    {allowed: me + public, module: []byte("\x00asm\x02"), want: "it is not one of this module"},
		"for git":           {allowed: me + public, sig: forGit, want: `it was made for "git", not for "pushlane-plugin"`},
		"garbage":           {allowed: me + public, sig: []byte("garbage"), want: "it is not armored as one"},
		"cut":               {allowed: me + public, sig: good.Data[:len(good.Data)/2], want: "it is not armored as one"},
		"more behind it": {allowed: me + public, sig: append(bytes.Clone(good.Data), "more"...),
			want: "it is not armored as one"},
		"other armor": {allowed: me + public, sig: pem.EncodeToMemory(&pem.Block{Type: "PGP SIGNATURE", Bytes: []byte("x")}),
			want: "it is not armored as one"},
		"no blob": {allowed: me + public, sig: pem.EncodeToMemory(&pem.Block{Type: sshsig.PEMType, Bytes: []byte("SSHSIGx")}),
			want: "it is damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.sig == nil {
				test.sig = good.Data
			}
			if test.module == nil {
				test.module = module
			}
			who, err := VerifySSH([]byte(test.allowed), Package{Module: test.module}, Signature{SSH, test.sig}, now)
			if test.want == "" && (err != nil || !strings.Contains(who, "me@example.org")) {
				t.Errorf("%q, %v", who, err)
			}
			if test.want != "" {
				wants(t, err, test.want)
			}
		})
	}
}

// Signatures that no ssh-keygen makes: each field of a good one changed, and
// signed again where the field is signed.
func TestHandMadeSignatures(t *testing.T) {
	file, public := keygen(t, "-t", "ed25519")
	rsa, rsaPublic := keygen(t, "-t", "rsa", "-b", "2048")
	type blob struct {
		Version                   uint32
		Key                       []byte
		Namespace, Reserved, Hash string
		Signature                 []byte
	}
	signer := func(file string) ssh.Signer {
		data, _ := os.ReadFile(file)
		s, err := ssh.ParsePrivateKey(data)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sha1 := func(body []byte) []byte {
		sig, err := signer(rsa).(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, body, ssh.KeyAlgoRSA)
		if err != nil {
			t.Fatal(err)
		}
		return ssh.Marshal(sig)
	}
	for name, c := range map[string]struct {
		change func(b *blob, signed []byte)
		want   string
	}{
		"unchanged":    {func(*blob, []byte) {}, ""},
		"version 2":    {func(b *blob, _ []byte) { b.Version = 2 }, "it is damaged: unsupported signature version 2"},
		"no namespace": {func(b *blob, _ []byte) { b.Namespace = "" }, `it was made for "", not for "pushlane-plugin"`},
		"md5":          {func(b *blob, _ []byte) { b.Hash = "md5" }, `it is damaged: unsupported hash algorithm "md5"`},
		"another hash": {func(b *blob, _ []byte) { b.Hash = "sha256" }, "it is not one of this module"},
		"no key":       {func(b *blob, _ []byte) { b.Key = nil }, "it is damaged"},
		"another key":  {func(b *blob, _ []byte) { b.Key = signer(rsa).PublicKey().Marshal() }, "it is damaged"},
		"no signature": {func(b *blob, _ []byte) { b.Signature = nil }, "it is damaged"},
		"more behind it": {func(b *blob, _ []byte) { b.Signature = append(b.Signature, 1) },
			"it is damaged: more follows its end"},
		"SHA-1": {func(b *blob, signed []byte) {
			b.Key, b.Signature = signer(rsa).PublicKey().Marshal(), sha1(signed)
		}, "it is damaged: invalid signature format \"ssh-rsa\""},
		"SHA-1 under another key": {func(b *blob, signed []byte) { b.Signature = sha1(signed) }, "it is made with SHA-1"},
	} {
		signed := signedBytes(sshsig.HashSHA512, Package{Module: module})
		made, err := signer(file).Sign(rand.Reader, signed)
		if err != nil {
			t.Fatal(err)
		}
		b := blob{1, signer(file).PublicKey().Marshal(), Namespace, "", "sha512", ssh.Marshal(made)}
		c.change(&b, signed)
		data := pem.EncodeToMemory(&pem.Block{Type: sshsig.PEMType, Bytes: append([]byte("SSHSIG"), ssh.Marshal(b)...)})
		_, err = VerifySSH([]byte("me "+public+"\nme "+rsaPublic), Package{Module: module}, Signature{SSH, data}, time.Now())
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "cannot accept SSH signature: "+c.want)):
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// FuzzVerifySSH: no bytes of a signature are accepted that ssh-keygen did not
// make, and none stop the host.
func FuzzVerifySSH(f *testing.F) {
	f.Add([]byte("-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := VerifySSH(nil, Package{Module: module}, Signature{SSH, data}, time.Now()); err == nil {
			t.Error("accepted with no one allowed")
		}
	})
}

// The key of a good signature is known also where no one says whose it is.
func TestGoodKey(t *testing.T) {
	one, _ := keygen(t, "-t", "ed25519")
	two, _ := keygen(t, "-t", "ed25519")
	a, err := SignSSH(one, module)
	b, err2 := SignSSH(two, module)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	p := Package{Module: module}
	if GoodKey(p, a) == "" || GoodKey(p, a) != KeyOf(a) || GoodKey(p, a) == GoodKey(p, b) {
		t.Errorf("keys are %q and %q", GoodKey(p, a), GoodKey(p, b))
	}
	if key := GoodKey(Package{Module: append([]byte{0}, module...)}, a); key != "" {
		t.Errorf("a signature of another module counts: %q", key)
	}
	if key := GoodKey(p, Signature{Kind: Sigstore, Data: a.Data}); key != "" {
		t.Errorf("a bundle counts as a key: %q", key)
	}
}
