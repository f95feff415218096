package registry

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// sctID is the extension of a certificate in which certificate transparency
// logs promise to record it (RFC 6962).
func sctID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
}

// promised checks that a certificate transparency log that the root names has
// promised to record the certificate: then an authority that makes one for the
// wrong person is found out.
func (t trust) promised(chains [][]*x509.Certificate) error {
	if len(t.ctLogs) == 0 {
		return nil
	}
	for _, chain := range chains {
		leaf := chain[0]
		signed, err := withoutSCTs(leaf.RawTBSCertificate)
		if err != nil || len(chain) < 2 {
			continue
		}
		for _, e := range leaf.Extensions {
			if e.Id.Equal(sctID()) && t.anyPromise(e.Value, sha256.Sum256(chain[1].RawSubjectPublicKeyInfo), signed) {
				return nil
			}
		}
	}
	return errors.New("no certificate transparency log that the trusted root names knows its certificate")
}

// anyPromise reads the promises one after the other.
func (t trust) anyPromise(extension []byte, issuer [32]byte, certificate []byte) bool {
	value, list, promises := cryptobyte.String(extension), cryptobyte.String{}, cryptobyte.String{}
	if !value.ReadASN1(&list, cbasn1.OCTET_STRING) || !list.ReadUint16LengthPrefixed(&promises) {
		return false
	}
	for !promises.Empty() {
		var one cryptobyte.String
		if !promises.ReadUint16LengthPrefixed(&one) {
			return false
		}
		if t.promise(one, issuer, certificate) {
			return true
		}
	}
	return false
}

func (t trust) promise(sct cryptobyte.String, issuer [32]byte, certificate []byte) bool {
	var version uint8
	var id []byte
	var millis uint64
	var algorithm uint16 // sha256 with the key's kind; the key decides
	var extensions, signature cryptobyte.String
	if !sct.ReadUint8(&version) || version != 0 || !sct.ReadBytes(&id, 32) || !sct.ReadUint64(&millis) ||
		!sct.ReadUint16LengthPrefixed(&extensions) || !sct.ReadUint16(&algorithm) ||
		!sct.ReadUint16LengthPrefixed(&signature) || !sct.Empty() {
		return false
	}
	l, known := t.ctLogs[string(id)]
	if !known || !within(l.valid, time.UnixMilli(int64(millis))) {
		return false
	}
	var b cryptobyte.Builder
	b.AddUint16(0) // version 1, a certificate's timestamp
	b.AddUint64(millis)
	b.AddUint16(1) // a certificate before it had promises
	b.AddBytes(issuer[:])
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(certificate) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(extensions) })
	signed, err := b.Bytes()
	return err == nil && verifies(l.key, signed, signature)
}

// withoutSCTs is a certificate's body as logs saw it: without their promises.
func withoutSCTs(body []byte) ([]byte, error) {
	var b cryptobyte.Builder
	input, fields := cryptobyte.String(body), cryptobyte.String{}
	bad := !input.ReadASN1(&fields, cbasn1.SEQUENCE)
	extensionsTag := cbasn1.Tag(3).ContextSpecific().Constructed()
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for !bad && !fields.Empty() {
			var field, extensions cryptobyte.String
			var tag cbasn1.Tag
			bad = !fields.ReadAnyASN1Element(&field, &tag)
			if bad || tag != extensionsTag {
				b.AddBytes(field)
				continue
			}
			bad = !field.ReadASN1(&field, tag) || !field.ReadASN1(&extensions, cbasn1.SEQUENCE)
			b.AddASN1(tag, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { bad = bad || !copyExtensions(b, extensions) })
			})
		}
	})
	if bad {
		return nil, errors.New("its certificate is damaged")
	}
	return b.Bytes()
}

// copyExtensions copies all extensions but that of promises.
func copyExtensions(b *cryptobyte.Builder, extensions cryptobyte.String) bool {
	for !extensions.Empty() {
		var one, inside cryptobyte.String
		var id asn1.ObjectIdentifier
		if !extensions.ReadASN1Element(&one, cbasn1.SEQUENCE) {
			return false
		}
		again := one
		if !again.ReadASN1(&inside, cbasn1.SEQUENCE) || !inside.ReadASN1ObjectIdentifier(&id) {
			return false
		}
		if !id.Equal(sctID()) {
			b.AddBytes(one)
		}
	}
	return true
}
