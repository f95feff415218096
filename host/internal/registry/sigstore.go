package registry

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// maxWitnesses is how many log entries and timestamps a bundle may bring.
const maxWitnesses = 16

// Identity is someone whom a sigstore certificate names.
type Identity struct {
	Issuer  string // who vouches for the subject, the address of an OpenID provider
	Subject string // an e-mail or web address; * matches anything up to the next /
}

// ParseIdentity reads "ISSUER SUBJECT".
func ParseIdentity(text string) (Identity, error) {
	words := strings.Fields(text)
	if len(words) != 2 || !strings.Contains(words[0], "://") {
		return Identity{},
			fmt.Errorf("%q is not an identity: write \"ISSUER SUBJECT\", as in \"https://accounts.example.org ann@example.org\"",
				text)
	}
	if _, err := path.Match(words[1], ""); err != nil {
		return Identity{}, fmt.Errorf("%q is not an identity: %w", text, err)
	}
	return Identity{words[0], words[1]}, nil
}

// String names both: the same address from another issuer is someone else.
func (i Identity) String() string { return i.Subject + " (" + i.Issuer + ")" }

func (i Identity) allows(named Identity) bool {
	match, err := path.Match(i.Subject, named.Subject)
	return err == nil && match && i.Issuer == named.Issuer
}

// VerifySigstore checks a bundle and says whose it is: the first of the
// allowed identities that its certificate names, as it is written there. Root
// is a trusted_root.json, the keys of a sigstore instance; nothing is asked of
// the network. Whatever the root names a key for is wanted: a transparency
// log's entry, a certificate transparency log's promise.
func VerifySigstore(root []byte, allowed []Identity, p Package, sig Signature) (signer string, err error) {
	trusted, err := parseTrust(root)
	if err != nil {
		return "", fmt.Errorf("cannot read trusted root: %w", err)
	}
	b, err := parseBundle(sig.Data)
	if err == nil {
		signer, err = trusted.signer(b, allowed, p)
	}
	if err != nil {
		return "", fmt.Errorf("cannot accept sigstore bundle: %w", err)
	}
	return signer, nil
}

// signer checks who signed before it looks at what witnesses say: what reads
// timestamps then reads only those of someone who is allowed.
func (t trust) signer(b bundle, allowed []Identity, p Package) (string, error) {
	digest := p.sha256()
	if !bytes.Equal(b.digest, digest[:]) {
		return "", fmt.Errorf("it is one of sha256 %.12s, the module is %.12s", hex.EncodeToString(b.digest),
			hex.EncodeToString(digest[:]))
	}
	chains, err := t.chains(b.leaf, b.leaf.NotBefore)
	if err != nil {
		return "", err
	}
	named, err := identityOf(b.leaf)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(allowed, func(one Identity) bool { return one.allows(named) })
	if i < 0 {
		return "", fmt.Errorf("%s is not an allowed identity", named)
	}
	if !verifiesSum(b.leaf.PublicKey, p.Module, digest, b.signature) {
		return "", errors.New("it is not one of this module")
	}
	if err := t.promised(chains); err != nil {
		return "", err
	}
	return allowed[i].String(), t.witnessed(b)
}

// witnessed checks that the certificate was valid when the module was signed.
// Certificates live for minutes: only others can say when that was.
func (t trust) witnessed(b bundle) error {
	times, logs, err := t.logged(b)
	if err != nil {
		return err
	}
	stamps, why := t.stamped(b)
	times = append(times, stamps...)
	if len(times) == 0 {
		return fmt.Errorf("no trusted timestamp%s", why)
	}
	for _, at := range times {
		if _, err := t.chains(b.leaf, at); err != nil {
			return err
		}
		if slices.ContainsFunc(logs, func(l logKey) bool { return !within(l.valid, at) }) {
			return fmt.Errorf("it was signed at %s, when the transparency log's key was not valid",
				at.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// bundle is what of a sigstore bundle is used.
type bundle struct {
	leaf      *x509.Certificate
	digest    []byte
	signature []byte
	entries   []*rekor.TransparencyLogEntry
	stamps    []*common.RFC3161SignedTimestamp
}

func parseBundle(data []byte) (bundle, error) {
	var p protobundle.Bundle
	if len(data) > maxSignature {
		return bundle{}, fmt.Errorf("it is longer than %d bytes", maxSignature)
	}
	if err := protojson.Unmarshal(data, &p); err != nil {
		return bundle{}, errors.New("it is damaged")
	}
	material, message := p.GetVerificationMaterial(), p.GetMessageSignature()
	raw := material.GetCertificate().GetRawBytes()
	if chain := material.GetX509CertificateChain().GetCertificates(); len(chain) > 0 { // before version 0.3
		raw = chain[0].GetRawBytes()
	}
	b := bundle{digest: message.GetMessageDigest().GetDigest(), signature: message.GetSignature(),
		entries: material.GetTlogEntries(), stamps: material.GetTimestampVerificationData().GetRfc3161Timestamps()}
	switch {
	case !slices.Contains(bundleTypes(), p.GetMediaType()):
		return bundle{}, fmt.Errorf("it is a %q, and bundles of version 0.1 to 0.3 are known", p.GetMediaType())
	case p.GetDsseEnvelope() != nil:
		return bundle{}, errors.New("it is a statement about something, and no signature of a module")
	case message.GetMessageDigest().GetAlgorithm() != common.HashAlgorithm_SHA2_256:
		return bundle{}, errors.New("it is not made over a sha256")
	case raw == nil:
		return bundle{}, errors.New("it has no certificate")
	case len(b.entries) > maxWitnesses || len(b.stamps) > maxWitnesses:
		return bundle{}, fmt.Errorf("it has %d log entries and %d timestamps, at most %d are read", len(b.entries),
			len(b.stamps), maxWitnesses)
	}
	var err error
	if b.leaf, err = x509.ParseCertificate(raw); err != nil {
		return bundle{}, errors.New("its certificate is damaged")
	}
	return b, nil
}

func bundleTypes() []string {
	const base = "application/vnd.dev.sigstore.bundle"
	return []string{sigstoreType, base + "+json;version=0.1", base + "+json;version=0.2", base + "+json;version=0.3"}
}

// identityOf reads whom a certificate names; Fulcio names one.
func identityOf(leaf *x509.Certificate) (Identity, error) {
	var names []string
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	names = append(names, leaf.EmailAddresses...)
	if len(names) != 1 {
		return Identity{}, fmt.Errorf("its certificate names %d subjects", len(names))
	}
	issuer, err := issuerOf(leaf)
	return Identity{issuer, names[0]}, err
}

// issuerOf reads Fulcio's extension of the issuer: a string, or in older
// certificates its bare bytes.
func issuerOf(leaf *x509.Certificate) (issuer string, err error) {
	fulcio := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}
	for _, e := range leaf.Extensions {
		switch {
		case e.Id.Equal(append(fulcio[:8:8], 8)):
			rest, err := asn1.UnmarshalWithParams(e.Value, &issuer, "utf8")
			if err != nil || len(rest) > 0 {
				return "", errors.New("its certificate is damaged")
			}
			return issuer, nil
		case e.Id.Equal(append(fulcio[:8:8], 1)):
			issuer = string(e.Value)
		}
	}
	if issuer == "" {
		return "", errors.New("its certificate names no issuer")
	}
	return issuer, nil
}

// verifies checks a signature over the message's sha256, or with Ed25519 over
// the message itself.
func verifies(key crypto.PublicKey, message, signature []byte) bool {
	return verifiesSum(key, message, sha256.Sum256(message), signature)
}

func verifiesSum(key crypto.PublicKey, message []byte, digest [sha256.Size]byte, signature []byte) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	}
	return false
}
