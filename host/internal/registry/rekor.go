package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// logged checks a bundle's entries in the transparency logs that the root
// names, one of which must have it. Times are those that a log has signed.
func (t trust) logged(b bundle) (times []time.Time, logs []logKey, err error) {
	for _, e := range b.entries {
		l, known := t.logs[string(e.GetLogId().GetKeyId())]
		if !known {
			continue
		}
		at, err := l.recorded(e, b)
		if err != nil {
			return nil, nil, fmt.Errorf("its log entry cannot be accepted: %w", err)
		}
		if !at.IsZero() {
			times = append(times, at)
		}
		logs = append(logs, l)
	}
	if len(t.logs) > 0 && len(logs) == 0 {
		return nil, nil, errors.New("it has no entry of a transparency log that the trusted root names")
	}
	return times, logs, nil
}

// recorded checks that the log has recorded this signature: by its promise,
// which also says when, or by the proof that the entry is in the tree.
func (l logKey) recorded(e *rekor.TransparencyLogEntry, b bundle) (at time.Time, err error) {
	if !holds(e.GetCanonicalizedBody(), b) {
		return at, errors.New("it is one of another signature")
	}
	promise := e.GetInclusionPromise().GetSignedEntryTimestamp()
	if promise == nil && e.GetInclusionProof() == nil {
		return at, errors.New("it has neither promise nor proof")
	}
	if promise != nil {
		if err := l.promised(e, promise); err != nil {
			return at, err
		}
		at = time.Unix(e.GetIntegratedTime(), 0)
	}
	if e.GetInclusionProof() != nil {
		err = l.included(e)
	}
	return at, err
}

func (l logKey) promised(e *rekor.TransparencyLogEntry, promise []byte) error {
	signed, err := json.Marshal(struct { // in the order of the canonical form
		Body  []byte `json:"body"`
		Time  int64  `json:"integratedTime"`
		ID    string `json:"logID"`
		Index int64  `json:"logIndex"`
	}{e.GetCanonicalizedBody(), e.GetIntegratedTime(), hex.EncodeToString(l.id), e.GetLogIndex()})
	if err == nil && !verifies(l.key, signed, promise) {
		err = errors.New("its promise is not the log's")
	}
	return err
}

func (l logKey) included(e *rekor.TransparencyLogEntry) error {
	p := e.GetInclusionProof()
	size, root, err := l.checkpoint(p.GetCheckpoint().GetEnvelope())
	if err != nil {
		return err
	}
	if p.GetLogIndex() < 0 || uint64(p.GetTreeSize()) != size || !bytes.Equal(root, p.GetRootHash()) {
		return errors.New("its proof is of another tree than its checkpoint")
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(e.GetCanonicalizedBody())
	if proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.GetLogIndex()), size, leaf, p.GetHashes(), root) != nil {
		return errors.New("its proof does not lead to the checkpoint")
	}
	return nil
}

// checkpoint reads the size and the root of a log's tree out of a note that
// the log has signed. Witnesses may have signed it too.
func (l logKey) checkpoint(note string) (size uint64, root []byte, err error) {
	end := strings.LastIndex(note, "\n\n")
	if end < 0 {
		return 0, nil, errors.New("its checkpoint is damaged")
	}
	text, signatures := note[:end+1], note[end+2:]
	for line := range strings.Lines(signatures) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "—" {
			continue
		}
		sig, err := base64.StdEncoding.DecodeString(words[2]) // the key's hint, four bytes, and the signature
		if err == nil && len(sig) > 4 && bytes.Equal(sig[:4], l.id[:4]) && verifies(l.key, []byte(text), sig[4:]) {
			return treeOf(text)
		}
	}
	return 0, nil, errors.New("its checkpoint is not signed by the log")
}

func treeOf(checkpoint string) (size uint64, root []byte, err error) {
	lines := strings.Split(checkpoint, "\n")
	if len(lines) < 4 { // origin, size, root, and the empty end
		return 0, nil, errors.New("its checkpoint is damaged")
	}
	if size, err = strconv.ParseUint(lines[1], 10, 64); err == nil {
		root, err = base64.StdEncoding.DecodeString(lines[2])
	}
	return size, root, err
}

// logBody is an entry of type hashedrekord, of version 0.0.1 and of 0.0.2.
type logBody struct {
	Kind    string `json:"kind"`
	Version string `json:"apiVersion"`
	Spec    struct {
		Data struct {
			Hash struct {
				Algorithm string `json:"algorithm"`
				Value     string `json:"value"`
			} `json:"hash"`
		} `json:"data"`
		Signature struct {
			Content   []byte `json:"content"`
			PublicKey struct {
				Content []byte `json:"content"`
			} `json:"publicKey"`
		} `json:"signature"`
		V2 struct {
			Data struct {
				Algorithm string `json:"algorithm"`
				Digest    []byte `json:"digest"`
			} `json:"data"`
			Signature struct {
				Content  []byte `json:"content"`
				Verifier struct {
					Certificate struct {
						Raw []byte `json:"rawBytes"`
					} `json:"x509Certificate"`
				} `json:"verifier"`
			} `json:"signature"`
		} `json:"hashedRekordV002"`
	} `json:"spec"`
}

// holds says whether an entry records the bundle's digest, signature and
// certificate.
func holds(body []byte, b bundle) bool {
	var e logBody
	if json.Unmarshal(body, &e) != nil || e.Kind != "hashedrekord" {
		return false
	}
	one, two := e.Spec, e.Spec.V2
	switch e.Version {
	case "0.0.1":
		block, _ := pem.Decode(one.Signature.PublicKey.Content)
		return block != nil && bytes.Equal(block.Bytes, b.leaf.Raw) && bytes.Equal(one.Signature.Content, b.signature) &&
			one.Data.Hash.Algorithm == "sha256" && one.Data.Hash.Value == hex.EncodeToString(b.digest)
	case "0.0.2":
		return bytes.Equal(two.Signature.Verifier.Certificate.Raw, b.leaf.Raw) &&
			bytes.Equal(two.Signature.Content, b.signature) &&
			two.Data.Algorithm == "SHA2_256" && bytes.Equal(two.Data.Digest, b.digest)
	}
	return false
}
