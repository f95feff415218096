package registry

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
)

// The format of `ssh-keygen -Y sign`, OpenSSH's PROTOCOL.sshsig.
const (
	sshMagic   = "SSHSIG"
	sshArmor   = "SSH SIGNATURE"
	sshVersion = 1

	// Namespace keeps a plugin's signature from being one of anything else.
	Namespace = "pushlane-plugin"
)

type sshBlob struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

type sshSigned struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    []byte
}

// signedBytes is what a key really signs.
func signedBytes(hash string, p Package) ([]byte, error) {
	var digest []byte
	switch hash {
	case "sha512":
		sum := p.sha512()
		digest = sum[:]
	case "sha256":
		sum := p.sha256()
		digest = sum[:]
	default:
		return nil, fmt.Errorf("it is made with hash %q", hash)
	}
	return append([]byte(sshMagic), ssh.Marshal(sshSigned{Namespace: Namespace, Hash: hash, Digest: digest})...), nil
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
	body, err := signedBytes("sha512", Package{Module: module})
	if err != nil {
		return Signature{}, err
	}
	sig, err := signWith(signer, body)
	if err != nil {
		return Signature{}, fmt.Errorf("cannot sign with %s: %w", keyFile, err)
	}
	blob := append([]byte(sshMagic), ssh.Marshal(sshBlob{Version: sshVersion, PublicKey: signer.PublicKey().Marshal(),
		Namespace: Namespace, Hash: "sha512", Signature: ssh.Marshal(sig)})...)
	return Signature{SSH, pem.EncodeToMemory(&pem.Block{Type: sshArmor, Bytes: blob})}, nil
}

// signWith never makes a SHA-1 signature, which is what RSA keys do by default.
func signWith(signer ssh.Signer, body []byte) (*ssh.Signature, error) {
	if with, can := signer.(ssh.AlgorithmSigner); can && signer.PublicKey().Type() == ssh.KeyAlgoRSA {
		return with.SignWithAlgorithm(rand.Reader, body, ssh.KeyAlgoRSASHA512)
	}
	return signer.Sign(rand.Reader, body)
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

// parseBlob reads a signature without checking it.
func parseBlob(sig Signature) (blob sshBlob, err error) {
	block, rest := pem.Decode(sig.Data)
	if block == nil || block.Type != sshArmor || len(bytes.TrimSpace(rest)) > 0 {
		return blob, errors.New("it is not armored as one")
	}
	body, magic := bytes.CutPrefix(block.Bytes, []byte(sshMagic))
	if err := ssh.Unmarshal(body, &blob); !magic || err != nil {
		return blob, errors.New("it is damaged")
	}
	return blob, nil
}

// KeyOf is the fingerprint of the key that an SSH signature names, "SHA256:…";
// empty for other signatures. It does not check the signature.
func KeyOf(sig Signature) string {
	if sig.Kind != SSH {
		return ""
	}
	blob, err := parseBlob(sig)
	if err != nil {
		return ""
	}
	key, err := ssh.ParsePublicKey(blob.PublicKey)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
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
	blob, err := parseBlob(sig)
	if err != nil {
		return nil, err
	}
	switch {
	case blob.Version != sshVersion:
		return nil, fmt.Errorf("it is of version %d", blob.Version)
	case blob.Namespace != Namespace:
		return nil, fmt.Errorf("it was made for %q, not for %q", blob.Namespace, Namespace)
	}
	key, err := ssh.ParsePublicKey(blob.PublicKey)
	if err != nil {
		return nil, err
	}
	var made ssh.Signature
	if err := ssh.Unmarshal(blob.Signature, &made); err != nil {
		return nil, errors.New("it is damaged")
	}
	if _, certificate := key.(*ssh.Certificate); certificate {
		return nil, errors.New("it is made with a certificate, write the key itself into the allowed signers")
	}
	//lint:ignore SA1019 the name of a kind of signature that is refused
	if made.Format == ssh.KeyAlgoRSA || made.Format == ssh.InsecureKeyAlgoDSA {
		return nil, errors.New("it is made with SHA-1")
	}
	signed, err := signedBytes(blob.Hash, p)
	if err != nil {
		return nil, err
	}
	if key.Verify(signed, &made) != nil {
		return nil, errors.New("it is not one of this module")
	}
	return key, nil
}
