package registry

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Namespace keeps a plugin's signature from being one of anything else.
const Namespace = "pushlane-plugin"

type sshSigned struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    []byte
}

// signedBytes is what a key really signs, by OpenSSH's PROTOCOL.sshsig.
// sshsig.Verify wants the module itself: with sixteen signatures that would be
// sixteen times a digest of 64 MiB.
func signedBytes(hash sshsig.HashAlgorithm, p Package) []byte {
	var digest []byte
	switch hash {
	case sshsig.HashSHA512:
		sum := p.sha512()
		digest = sum[:]
	case sshsig.HashSHA256:
		sum := p.sha256()
		digest = sum[:]
	}
	signed := sshSigned{Namespace: Namespace, Hash: hash.String(), Digest: digest}
	return append([]byte("SSHSIG"), ssh.Marshal(signed)...)
}

// SignSSH signs a module with a private key file that needs no passphrase.
func SignSSH(keyFile string, module []byte) (Signature, error) {
	data, err := os.ReadFile(keyFile)
	if err != nil {
		return Signature{}, fmt.Errorf("cannot sign: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return Signature{}, fmt.Errorf("cannot sign with %s: %w", keyFile, err)
	}
	sig, err := sshsig.Sign(bytes.NewReader(module), signer, sshsig.HashSHA512, Namespace)
	if err != nil {
		return Signature{}, fmt.Errorf("cannot sign with %s: %w", keyFile, err)
	}
	return Signature{SSH, sshsig.Armor(sig)}, nil
}

// VerifySSH checks a signature and says whose it is: the principals of the
// first line of an allowed-signers file (ssh-keygen(1), as git uses it) that
// allows the key for plugins at that time. Certificates are not accepted.
func VerifySSH(allowed []byte, p Package, sig Signature, now time.Time) (principal string, err error) {
	key, err := checkSSH(p, sig)
	if err == nil {
		principal, err = signerOf(allowed, key, now, time.Local)
	}
	if err != nil {
		err = fmt.Errorf("cannot accept SSH signature: %w", err)
	}
	return principal, err
}

// parseSSH reads a signature without checking it. What is behind the armor,
// which sshsig does not look at, is refused.
func parseSSH(sig Signature) (*sshsig.Signature, error) {
	block, rest := pem.Decode(sig.Data)
	if block == nil || block.Type != sshsig.PEMType || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it is not armored as one")
	}
	parsed, err := sshsig.ParseSignature(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	return parsed, nil
}

// KeyOf is the fingerprint of the key that an SSH signature names, "SHA256:…";
// empty for other signatures. It does not check the signature.
func KeyOf(sig Signature) string {
	if sig.Kind != SSH {
		return ""
	}
	made, err := parseSSH(sig)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(made.PublicKey)
}

// GoodKey is the fingerprint of the key of a valid SSH signature of the module,
// whether or not the key is allowed; empty: there is none.
func GoodKey(p Package, sig Signature) string {
	if sig.Kind != SSH {
		return ""
	}
	key, err := checkSSH(p, sig)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
}

// checkSSH checks that the signature is valid, whether or not its key is allowed.
func checkSSH(p Package, sig Signature) (ssh.PublicKey, error) {
	made, err := parseSSH(sig)
	if err != nil {
		return nil, err
	}
	_, certificate := made.PublicKey.(*ssh.Certificate)
	format := made.Signature.Format
	switch {
	case made.Namespace != Namespace:
		return nil, fmt.Errorf("it was made for %q, not for %q", made.Namespace, Namespace)
	case certificate:
		return nil, errors.New("it is made with a certificate, write the key itself into the allowed signers")
	//lint:ignore SA1019 the name of a kind of signature that is refused
	case format == ssh.KeyAlgoRSA || format == ssh.InsecureKeyAlgoDSA:
		return nil, errors.New("it is made with SHA-1")
	case len(made.Signature.Rest) > 0 && !strings.HasPrefix(format, "sk-"): // of those a part is there
		return nil, errors.New("it is damaged: more follows its end")
	}
	if made.PublicKey.Verify(signedBytes(made.HashAlgorithm, p), made.Signature) != nil {
		return nil, errors.New("it is not one of this module")
	}
	return made.PublicKey, nil
}
