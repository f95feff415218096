// Package registrytest is a sigstore instance for tests: a certificate authority, a
// transparency log and a timestamp authority, each with its own keys and with the
// formats of the real ones.
package registrytest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Sigstore is an instance.
type Sigstore struct {
	t       testing.TB
	signer  pair // makes certificates
	between pair
	clocks  pair // the timestamp authority, and what of it makes timestamps
	clock   pair
	log     *ecdsa.PrivateKey
	born    time.Time
}

type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Recipe is how a module is signed.
type Recipe struct {
	Issuer, Subject string
	At              time.Time // when the certificate was made; it lives for ten minutes
	Logged          time.Time // when the log promised the entry; zero: there is only a proof
	Stamped         time.Time // zero: no timestamp
	New             bool      // an entry of version 0.0.2
}

// New starts an instance that is a year old.
func New(t testing.TB) *Sigstore {
	s := &Sigstore{t: t, log: newKey(t), born: time.Now().Add(-365 * 24 * time.Hour).Truncate(time.Second)}
	ca := func(name string, usage x509.ExtKeyUsage) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: s.born, NotAfter: s.born.AddDate(10, 0, 0),
			IsCA:                  true,
			BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	}
	s.signer = s.issue(ca("root", x509.ExtKeyUsageCodeSigning), pair{})
	s.between = s.issue(ca("between", x509.ExtKeyUsageCodeSigning), s.signer)
	stamping := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	critical, err := asn1.Marshal([]asn1.ObjectIdentifier{stamping})
	must(t, err)
	s.clocks = s.issue(ca("clock", x509.ExtKeyUsageTimeStamping), pair{})
	s.clock = s.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "clock's"}, NotBefore: s.born,
		NotAfter: s.born.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: critical}}},
		s.clocks)
	return s
}

// issue makes a certificate; without someone above it signs itself.
func (s *Sigstore) issue(template *x509.Certificate, above pair) pair {
	key := newKey(s.t)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if above.cert == nil {
		above = pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, above.cert, key.Public(), above.key)
	must(s.t, err)
	cert, err := x509.ParseCertificate(der)
	must(s.t, err)
	return pair{cert, key}
}

// Root is the instance's trusted root, for tests to change.
func (s *Sigstore) Root() *trustroot.TrustedRoot {
	valid := &common.TimeRange{Start: timestamppb.New(s.born)}
	chain := func(all ...*x509.Certificate) *trustroot.CertificateAuthority {
		chain := &common.X509CertificateChain{}
		for _, c := range all {
			chain.Certificates = append(chain.Certificates, &common.X509Certificate{RawBytes: c.Raw})
		}
		return &trustroot.CertificateAuthority{Uri: "https://ca.example.org", CertChain: chain, ValidFor: valid}
	}
	return &trustroot.TrustedRoot{
		MediaType:              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		CertificateAuthorities: []*trustroot.CertificateAuthority{chain(s.between.cert, s.signer.cert)},
		TimestampAuthorities:   []*trustroot.CertificateAuthority{chain(s.clock.cert, s.clocks.cert)},
		Tlogs: []*trustroot.TransparencyLogInstance{{BaseUrl: "https://log.example.org",
			HashAlgorithm: common.HashAlgorithm_SHA2_256,
			PublicKey: &common.PublicKey{RawBytes: s.public(), KeyDetails: common.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
				ValidFor: valid}, LogId: s.logID()}},
	}
}

// Sign signs a module and gives its bundle, for tests to change.
func (s *Sigstore) Sign(module []byte, r Recipe) *protobundle.Bundle {
	leaf := s.issue(leafOf(s.t, r), s.between)
	digest := sha256.Sum256(module)
	sig, err := ecdsa.SignASN1(rand.Reader, leaf.key, digest[:])
	must(s.t, err)
	material := &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &common.X509Certificate{RawBytes: leaf.cert.Raw}},
		TlogEntries: []*rekor.TransparencyLogEntry{s.entry(r, leaf.cert, digest[:], sig)},
	}
	if !r.Stamped.IsZero() {
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*common.RFC3161SignedTimestamp{{SignedTimestamp: s.stamp(sig, r.Stamped)}}}
	}
	return &protobundle.Bundle{MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", VerificationMaterial: material,
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &common.MessageSignature{
			MessageDigest: &common.HashOutput{Algorithm: common.HashAlgorithm_SHA2_256, Digest: digest[:]}, Signature: sig}}}
}

// JSON is a root's or a bundle's file.
func JSON(t testing.TB, m proto.Message) []byte {
	data, err := protojson.Marshal(m)
	must(t, err)
	return data
}

func leafOf(t testing.TB, r Recipe) *x509.Certificate {
	issuer, err := asn1.MarshalWithParams(r.Issuer, "utf8")
	must(t, err)
	c := &x509.Certificate{NotBefore: r.At, NotAfter: r.At.Add(10 * time.Minute), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: issuer}}}
	if !strings.Contains(r.Subject, "://") {
		c.EmailAddresses = []string{r.Subject}
		return c
	}
	u, err := url.Parse(r.Subject)
	must(t, err)
	c.URIs = []*url.URL{u}
	return c
}

func (s *Sigstore) stamp(sig []byte, at time.Time) []byte {
	digest := sha256.Sum256(sig)
	made, err := (&timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Time: at,
		Policy: asn1.ObjectIdentifier{1, 2, 3}}).CreateResponseWithOpts(s.clock.cert, s.clock.key, crypto.SHA256)
	must(s.t, err)
	return made
}

// entry is the second of a log of two.
func (s *Sigstore) entry(r Recipe, leaf *x509.Certificate, digest, sig []byte) *rekor.TransparencyLogEntry {
	body, err := json.Marshal(bodyOf(r, leaf, digest, sig))
	must(s.t, err)
	version := map[bool]string{false: "0.0.1", true: "0.0.2"}[r.New]
	e := &rekor.TransparencyLogEntry{LogIndex: 7, LogId: s.logID(),
		KindVersion: &rekor.KindVersion{Kind: "hashedrekord", Version: version}, CanonicalizedBody: body}
	if !r.Logged.IsZero() {
		e.IntegratedTime = r.Logged.Unix()
		promise := fmt.Sprintf(`{"body":%q,"integratedTime":%d,"logID":%q,"logIndex":7}`,
			base64.StdEncoding.EncodeToString(body), e.IntegratedTime, hex.EncodeToString(e.LogId.KeyId))
		e.InclusionPromise = &rekor.InclusionPromise{SignedEntryTimestamp: s.logSigns(promise)}
	}
	h := rfc6962.DefaultHasher
	other := h.HashLeaf([]byte("another's"))
	root := h.HashChildren(other, h.HashLeaf(body))
	note := "log.example.org - 1\n2\n" + base64.StdEncoding.EncodeToString(root) + "\n"
	signed := base64.StdEncoding.EncodeToString(append(bytes.Clone(e.LogId.KeyId[:4]), s.logSigns(note)...))
	e.InclusionProof = &rekor.InclusionProof{LogIndex: 1, TreeSize: 2, RootHash: root, Hashes: [][]byte{other},
		Checkpoint: &rekor.Checkpoint{Envelope: note + "\n— log.example.org " + signed + "\n"}}
	return e
}

func bodyOf(r Recipe, leaf *x509.Certificate, digest, sig []byte) any {
	type object map[string]any
	if r.New {
		return object{"kind": "hashedrekord", "apiVersion": "0.0.2", "spec": object{"hashedRekordV002": object{
			"data": object{"algorithm": "SHA2_256", "digest": digest},
			"signature": object{"content": sig, "verifier": object{"keyDetails": "PKIX_ECDSA_P256_SHA_256",
				"x509Certificate": object{"rawBytes": leaf.Raw}}}}}}
	}
	return object{"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": object{
		"data": object{"hash": object{"algorithm": "sha256", "value": hex.EncodeToString(digest)}},
		"signature": object{"content": sig, "publicKey": object{
			"content": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})}}}}
}

func (s *Sigstore) logSigns(text string) []byte {
	digest := sha256.Sum256([]byte(text))
	sig, err := ecdsa.SignASN1(rand.Reader, s.log, digest[:])
	must(s.t, err)
	return sig
}

func (s *Sigstore) public() []byte {
	der, err := x509.MarshalPKIXPublicKey(s.log.Public())
	must(s.t, err)
	return der
}

func (s *Sigstore) logID() *common.LogId {
	id := sha256.Sum256(s.public())
	return &common.LogId{KeyId: id[:]}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
