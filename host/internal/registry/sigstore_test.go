package registry

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pushlane/pushlane/host/internal/registry/registrytest"
)

const (
	issuer   = "https://accounts.example.org"
	workflow = "https://git.example.org/ann/look/.ci/release.yml@refs/tags/"
)

// TestVerifySigstore: every way to be signed for and every way not to be.
// Bundles and roots are changed after they were made right.
func TestVerifySigstore(t *testing.T) {
	s, elsewhere := registrytest.New(t), registrytest.New(t)
	at := time.Now().Add(-240 * time.Hour)
	soon, late := at.Add(time.Minute), at.Add(time.Hour)
	promised := registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at, Logged: soon}
	stamped := registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at, Stamped: soon}
	entry := func(b *protobundle.Bundle) *rekor.TransparencyLogEntry { return b.VerificationMaterial.TlogEntries[0] }
	const denied = "cannot accept sigstore bundle: "
	tests := map[string]struct {
		recipe  registrytest.Recipe // promised, if none is given
		allowed []string
		bundle  func(*protobundle.Bundle)
		root    func(*trustroot.TrustedRoot)
		file    func([]byte) []byte
		module  string
		who     string
		want    string // of the error
	}{
		"promised by the log": {who: "ann@example.org (https://accounts.example.org)"},
		"stamped":             {recipe: stamped},
		"stamped, new kind of entry": {recipe: registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at,
			Stamped: soon, New: true}},
		"promised and stamped": {recipe: registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at,
			Logged: soon, Stamped: soon}},
		"one of several": {allowed: []string{issuer + " eve@example.org", issuer + " *@example.org"},
			who: "*@example.org (https://accounts.example.org)"},
		"a workflow's tag": {recipe: registrytest.Recipe{Issuer: issuer, Subject: workflow + "v1.2", At: at,
			Logged: soon}, allowed: []string{issuer + " " + workflow + "*"}, who: workflow + "* (https://accounts.example.org)"},
		"a promise without proof": {bundle: func(b *protobundle.Bundle) { entry(b).InclusionProof = nil }},
		"a root without logs, stamped": {recipe: stamped, root: func(r *trustroot.TrustedRoot) { r.Tlogs = nil },
			bundle: func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = nil }},

		"another module": {module: "\x00asm\x02", want: denied + "it is one of sha256 93a44bbb96c7, the module is "},
		"a digest put right": {module: "\x00asm\x02", bundle: redigest([]byte("\x00asm\x02")),
			want: denied + "it is not one of this module"},
		"another digest": {bundle: redigest([]byte("other")),
			want: denied + "it is one of sha256 d9298a10d1b0, the module is 93a44bbb96c7"},
		"no one allowed": {allowed: []string{}, want: denied +
			"ann@example.org (https://accounts.example.org) is not an allowed identity"},
		"another subject": {recipe: registrytest.Recipe{Issuer: issuer, Subject: "eve@example.org", At: at, Logged: soon},
			want: denied + "eve@example.org (https://accounts.example.org) is not an allowed identity"},
		"another issuer": {recipe: registrytest.Recipe{Issuer: "https://accounts.example.net", Subject: "ann@example.org",
			At: at, Logged: soon}, want: denied + "ann@example.org (https://accounts.example.net) is not an allowed identity"},
		"a branch for a tag": {recipe: registrytest.Recipe{Issuer: issuer, Subject: workflow + "x/y", At: at, Logged: soon},
			allowed: []string{issuer + " " + workflow + "*"}, want: "is not an allowed identity"},
		"promised too late": {recipe: registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at, Logged: late},
			want: denied + "its certificate was not valid at " + late.UTC().Format(time.RFC3339) +
				": x509: certificate has expired"},
		"stamped too late": {recipe: registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at, Stamped: late},
			want: "x509: certificate has expired"},
		"one of two too late": {recipe: registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at, Logged: soon,
			Stamped: late}, want: "x509: certificate has expired"},
		"no one says when": {recipe: registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at},
			want: denied + "no trusted timestamp"},
		"no log entry": {recipe: stamped,
			bundle: func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = nil },
			want:   denied + "it has no entry of a transparency log that the trusted root names"},
		"an unknown log": {bundle: func(b *protobundle.Bundle) { entry(b).LogId.KeyId[0]++ },
			want: denied + "it has no entry of a transparency log that the trusted root names"},
		"neither promise": {recipe: stamped, bundle: func(b *protobundle.Bundle) { entry(b).InclusionProof = nil },
			want: denied + "its log entry cannot be accepted: it has neither promise nor proof"},
		"another time": {bundle: func(b *protobundle.Bundle) { entry(b).IntegratedTime++ },
			want: denied + "its log entry cannot be accepted: its promise is not the log's"},
		"another proof": {bundle: func(b *protobundle.Bundle) { entry(b).InclusionProof.Hashes[0][0]++ },
			want: "its proof does not lead to the checkpoint"},
		"another place": {bundle: func(b *protobundle.Bundle) { entry(b).InclusionProof.LogIndex = -1 },
			want: "its proof is of another tree than its checkpoint"},
		"another tree": {bundle: func(b *protobundle.Bundle) { entry(b).InclusionProof.RootHash[0]++ },
			want: "its proof is of another tree than its checkpoint"},
		"another size": {bundle: func(b *protobundle.Bundle) { entry(b).InclusionProof.TreeSize++ },
			want: "its proof is of another tree than its checkpoint"},
		"a checkpoint changed": {bundle: recheck("\n2\n", "\n3\n"), want: "its checkpoint is not signed by the log"},
		"a checkpoint cut":     {bundle: recheck("\n\n", "\n"), want: "its checkpoint is damaged"},
		"no checkpoint": {bundle: func(b *protobundle.Bundle) { entry(b).InclusionProof.Checkpoint = nil },
			want: "its checkpoint is damaged"},
		"an entry of another": {bundle: func(b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries = s.Sign(module, promised).VerificationMaterial.TlogEntries
		}, want: "it is one of another signature"},
		"an unreadable entry": {bundle: func(b *protobundle.Bundle) { entry(b).CanonicalizedBody = []byte("{") },
			want: "it is one of another signature"},
		"a stamp of another": {recipe: stamped, bundle: func(b *protobundle.Bundle) { stamps(b, s.Sign(module, stamped)) },
			want: "no trusted timestamp: hashed messages don't match"},
		"an unknown clock": {recipe: stamped, bundle: func(b *protobundle.Bundle) {
			stamps(b,
				elsewhere.Sign(module, stamped))
		}, want: "no trusted timestamp: "},
		"a broken stamp": {recipe: stamped, bundle: func(b *protobundle.Bundle) {
			b.VerificationMaterial.TimestampVerificationData.Rfc3161Timestamps[0].SignedTimestamp = []byte{0x30, 0x80}
		}, want: "no trusted timestamp: "},
		"another instance": {root: func(r *trustroot.TrustedRoot) {
			r.CertificateAuthorities = elsewhere.Root().
				CertificateAuthorities
		}, want: "x509: certificate signed by unknown authority"},
		"an authority retired": {root: func(r *trustroot.TrustedRoot) {
			r.CertificateAuthorities[0].ValidFor = until(
				at.Add(-time.Hour))
		}, want: "no authority is named for that time"},
		"a log retired": {root: func(r *trustroot.TrustedRoot) {
			r.Tlogs[0].PublicKey.ValidFor = until(
				at.Add(-time.Hour))
		}, want: "when the transparency log's key was not valid"},
		"a clock retired": {recipe: stamped,
			root: func(r *trustroot.TrustedRoot) { r.TimestampAuthorities[0].ValidFor = until(at.Add(-time.Hour)) },
			want: "the timestamp's authority was not valid when it was made"},
		"no certificate promise": {root: func(r *trustroot.TrustedRoot) { r.Ctlogs = r.Tlogs },
			want: denied + "no certificate transparency log that the trusted root names knows its certificate"},
		"a key only": {bundle: func(b *protobundle.Bundle) {
			b.VerificationMaterial.Content = &protobundle.VerificationMaterial_PublicKey{
				PublicKey: &common.PublicKeyIdentifier{Hint: "k"}}
		}, want: denied + "it has no certificate"},
		"a broken certificate": {bundle: func(b *protobundle.Bundle) {
			b.VerificationMaterial.GetCertificate().
				RawBytes = []byte("x")
		}, want: denied + "its certificate is damaged"},
		"a statement": {bundle: func(b *protobundle.Bundle) {
			b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{}}
		}, want: denied + "it is a statement about something, and no signature of a module"},
		"another hash": {bundle: func(b *protobundle.Bundle) {
			b.GetMessageSignature().MessageDigest.Algorithm = common.HashAlgorithm_SHA2_512
		}, want: denied + "it is not made over a sha256"},
		"a later version": {
			bundle: func(b *protobundle.Bundle) { b.MediaType = "application/vnd.dev.sigstore.bundle.v0.9+json" },
			want: denied +
				`it is a "application/vnd.dev.sigstore.bundle.v0.9+json", and bundles of version 0.1 to 0.3 are known`},
		"many entries": {bundle: func(b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries = make([]*rekor.TransparencyLogEntry, 17)
			for i := range 17 {
				b.VerificationMaterial.TlogEntries[i] = &rekor.TransparencyLogEntry{}
			}
		}, want: denied + "it has 17 log entries and 0 timestamps, at most 16 are read"},
		"tampered": {file: func(data []byte) []byte {
			return bytes.Replace(data, []byte(`"rawBytes"`),
				[]byte(`"rawBites"`), 1)
		}, want: denied + "it is damaged"},
		"cut": {file: func(data []byte) []byte { return data[:len(data)/2] },
			want: denied + "it is damaged"},
		"empty": {file: func([]byte) []byte { return nil }, want: denied + "it is damaged"},
		"deep": {file: func([]byte) []byte {
			return []byte(
				strings.Repeat(`{"verificationMaterial":`, 40000))
		}, want: denied + "it is damaged"},
		"huge": {file: func(data []byte) []byte { return append(data, make([]byte, maxSignature)...) },
			want: denied + "it is longer than 1048576 bytes"},
		"a root of nothing": {root: func(r *trustroot.TrustedRoot) { r.CertificateAuthorities = nil },
			want: "cannot read trusted root: it names no certificate authority"},
		"a log without a start": {root: func(r *trustroot.TrustedRoot) { r.Tlogs[0].PublicKey.ValidFor = nil },
			want: `cannot read trusted root: log "https://log.example.org" has no id or no start of its time`},
		"a log without a key": {root: func(r *trustroot.TrustedRoot) { r.Tlogs[0].PublicKey.RawBytes = nil },
			want: `cannot read trusted root: log "https://log.example.org": `},
		"a root without chain": {root: func(r *trustroot.TrustedRoot) { r.CertificateAuthorities[0].CertChain = nil },
			want: `cannot read trusted root: authority "https://ca.example.org" has no certificate`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.recipe.Issuer == "" {
				test.recipe = promised
			}
			if test.allowed == nil {
				test.allowed = []string{issuer + " ann@example.org"}
			}
			if test.module == "" {
				test.module = string(module)
			}
			b, root := s.Sign(module, test.recipe), s.Root()
			if test.bundle != nil {
				test.bundle(b)
			}
			if test.root != nil {
				test.root(root)
			}
			data := registrytest.JSON(t, b)
			if test.file != nil {
				data = test.file(data)
			}
			who, err := VerifySigstore(registrytest.JSON(t, root), identities(t, test.allowed...),
				Package{Module: []byte(test.module)}, Signature{Sigstore, data})
			switch {
			case test.want != "":
				wants(t, err, test.want)
			case err != nil || test.who != "" && who != test.who:
				t.Errorf("%q, %v", who, err)
			}
		})
	}
}

func identities(t *testing.T, texts ...string) (all []Identity) {
	t.Helper()
	for _, text := range texts {
		one, err := ParseIdentity(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func redigest(module []byte) func(*protobundle.Bundle) {
	digest := sha256.Sum256(module)
	return func(b *protobundle.Bundle) { b.GetMessageSignature().MessageDigest.Digest = digest[:] }
}

func recheck(old, now string) func(*protobundle.Bundle) {
	return func(b *protobundle.Bundle) {
		c := b.VerificationMaterial.TlogEntries[0].InclusionProof.Checkpoint
		c.Envelope = strings.ReplaceAll(c.Envelope, old, now)
	}
}

func stamps(b, of *protobundle.Bundle) {
	b.VerificationMaterial.TimestampVerificationData = of.VerificationMaterial.TimestampVerificationData
}

func until(end time.Time) *common.TimeRange {
	return &common.TimeRange{Start: timestamppb.New(end.AddDate(-1, 0, 0)), End: timestamppb.New(end)}
}

func TestParseIdentity(t *testing.T) {
	for text, want := range map[string]string{
		"ann@example.org": `"ann@example.org" is not an identity: write "ISSUER SUBJECT", as in ` +
			`"https://accounts.example.org ` +
			`ann@example.org"`,
		"ann@example.org https://accounts.example.org": "is not an identity: write",
		issuer + " ann@example.org eve@example.org":    "is not an identity: write",
		issuer + " [": `is not an identity: syntax error in pattern`,
		"":            "is not an identity: write",
	} {
		_, err := ParseIdentity(text)
		wants(t, err, want)
	}
}

// FuzzVerifySigstore: no bytes are a bundle of someone who has not signed,
// and none stop the host.
func FuzzVerifySigstore(f *testing.F) {
	s := registrytest.New(f)
	at := time.Now().Add(-time.Hour)
	recipe := registrytest.Recipe{Issuer: issuer, Subject: "ann@example.org", At: at, Logged: at, Stamped: at}
	f.Add(registrytest.JSON(f, s.Sign([]byte("another module"), recipe)))
	recipe.Subject = "eve@example.org"
	f.Add(registrytest.JSON(f, s.Sign(module, recipe)))
	root := registrytest.JSON(f, s.Root())
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := VerifySigstore(root, []Identity{{issuer, "ann@example.org"}}, Package{Module: module},
			Signature{Sigstore, data}); err == nil {
			t.Error("accepted what ann has not signed")
		}
	})
}
