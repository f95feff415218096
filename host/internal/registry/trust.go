package registry

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/timestamp-authority/v2/pkg/verification"
	"google.golang.org/protobuf/encoding/protojson"
)

// trust is a trusted root: the keys of a sigstore instance.
type trust struct {
	signers []authority       // of certificates
	clocks  []authority       // of timestamps
	logs    map[string]logKey // of signatures, by the log's id
	ctLogs  map[string]logKey // of certificates
}

// authority is a chain of certificates and when it was in use.
type authority struct {
	leaf    *x509.Certificate // of a timestamp authority
	between []*x509.Certificate
	root    *x509.Certificate
	valid   *common.TimeRange
}

// logKey is a log's key and when it was in use.
type logKey struct {
	id    []byte
	key   crypto.PublicKey
	valid *common.TimeRange
}

func parseTrust(data []byte) (trust, error) {
	var p trustroot.TrustedRoot
	if err := protojson.Unmarshal(data, &p); err != nil {
		return trust{}, errors.New("it is not a trusted_root.json")
	}
	var t trust
	var errs [4]error
	t.signers, errs[0] = parseAuthorities(p.GetCertificateAuthorities())
	t.clocks, errs[1] = parseAuthorities(p.GetTimestampAuthorities())
	t.logs, errs[2] = parseLogs(p.GetTlogs())
	t.ctLogs, errs[3] = parseLogs(p.GetCtlogs())
	if err := errors.Join(errs[:]...); err != nil {
		return trust{}, err
	}
	if len(t.signers) == 0 {
		return trust{}, errors.New("it names no certificate authority")
	}
	return t, nil
}

func parseAuthorities(all []*trustroot.CertificateAuthority) ([]authority, error) {
	var parsed []authority
	for _, one := range all {
		a := authority{valid: one.GetValidFor()}
		for i, c := range one.GetCertChain().GetCertificates() {
			cert, err := x509.ParseCertificate(c.GetRawBytes())
			if err != nil {
				return nil, fmt.Errorf("authority %q: %w", one.GetUri(), err)
			}
			if a.root != nil {
				a.between = append(a.between, a.root)
			}
			if i == 0 && !cert.IsCA {
				a.leaf = cert
			} else {
				a.root = cert
			}
		}
		if a.root == nil || a.valid.GetStart() == nil {
			return nil, fmt.Errorf("authority %q has no certificate or no start of its time", one.GetUri())
		}
		parsed = append(parsed, a)
	}
	return parsed, nil
}

func parseLogs(all []*trustroot.TransparencyLogInstance) (map[string]logKey, error) {
	parsed := map[string]logKey{}
	for _, one := range all {
		raw := one.GetPublicKey().GetRawBytes()
		key, err := x509.ParsePKIXPublicKey(raw)
		if older, rsa := x509.ParsePKCS1PublicKey(raw); err != nil && rsa == nil {
			key, err = older, nil
		}
		if err != nil {
			return nil, fmt.Errorf("log %q: %w", one.GetBaseUrl(), err)
		}
		l := logKey{one.GetLogId().GetKeyId(), key, one.GetPublicKey().GetValidFor()}
		if len(l.id) < 4 || l.valid.GetStart() == nil {
			return nil, fmt.Errorf("log %q has no id or no start of its time", one.GetBaseUrl())
		}
		parsed[string(l.id)] = l
	}
	return parsed, nil
}

// within includes both ends; a time without an end goes on.
func within(r *common.TimeRange, at time.Time) bool {
	return !at.Before(r.GetStart().AsTime()) && (r.GetEnd() == nil || !at.After(r.GetEnd().AsTime()))
}

// chains are the ways from a certificate to an authority at that time. Only
// the root's own certificates are between them, none that a bundle brings.
func (t trust) chains(leaf *x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	err := errors.New("no authority is named for that time")
	for _, a := range t.signers {
		if !within(a.valid, at) {
			continue
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(a.root)
		for _, c := range a.between {
			between.AddCert(c)
		}
		chains, failed := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}})
		if failed == nil {
			return chains, nil
		}
		err = failed
	}
	return nil, fmt.Errorf("its certificate was not valid at %s: %w", at.UTC().Format(time.RFC3339), err)
}

// stamped are the times that authorities have signed next to the signature.
// One of an authority that the root does not name is not counted; why says
// what the last such one lacked.
func (t trust) stamped(b bundle) (times []time.Time, why string) {
	for _, stamp := range b.stamps {
		for _, a := range t.clocks {
			made, err := verification.VerifyTimestampResponse(stamp.GetSignedTimestamp(), bytes.NewReader(b.signature),
				verification.VerifyOpts{Roots: []*x509.Certificate{a.root}, Intermediates: a.between, TSACertificate: a.leaf})
			switch {
			case err != nil:
				why = ": " + err.Error()
			case !within(a.valid, made.Time):
				why = ": the timestamp's authority was not valid when it was made"
			default:
				times = append(times, made.Time)
			}
		}
	}
	return times, why
}
