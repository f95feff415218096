package plugins

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/registry"
)

// SignerOf returns who signed a module: the first signature of a signer that the
// policy names. If the policy names none it returns ""; otherwise it is an error
// that none of them has signed.
func SignerOf(policy config.Policy, p registry.Package) (string, error) {
	if !policy.WantsSigned() {
		return "", nil
	}
	var refused error
	for _, sig := range p.Signatures {
		who, err := verifySignature(policy, p, sig)
		switch {
		case err == nil:
			return who, nil
		case refused == nil:
			refused = err
		default:
			refused = fmt.Errorf("%w; %w", refused, err)
		}
	}
	if refused == nil {
		refused = errors.New("it is not signed")
	}
	return "", refused
}

// signerKey is the fingerprint of the SSH key whose signature signerOf accepts;
// empty: there is none, or it is sigstore's, whose keys are new each time. If the
// policy names no signers it is the first key that signed the module: its owner
// is unknown, but an update by another key is noticed.
func signerKey(policy config.Policy, p registry.Package) string {
	for _, sig := range p.Signatures {
		if key := registry.GoodKey(p, sig); key != "" && !policy.WantsSigned() {
			return key
		}
		if _, err := verifySignature(policy, p, sig); err == nil {
			return registry.KeyOf(sig)
		}
	}
	return ""
}

// maxTrust is the longest file that says who is trusted, in bytes.
const maxTrust = 16 << 20

func verifySignature(policy config.Policy, p registry.Package, sig registry.Signature) (string, error) {
	if why := notVerified(policy, sig.Kind); why != "" {
		return "", errors.New(why)
	}
	if err := errors.Join(config.Trusted("allowed signers", policy.AllowedSigners),
		config.Trusted("sigstore roots", policy.SigstoreRoots)); err != nil {
		return "", err
	}
	if sig.Kind == registry.SSH {
		allowed, err := bounded.ReadFile(policy.AllowedSigners, maxTrust)
		if err != nil {
			return "", fmt.Errorf("cannot read allowed signers: %w", err)
		}
		return registry.VerifySSH(allowed, p, sig, time.Now())
	}
	identities, err := policy.Identities()
	if err != nil {
		return "", err
	}
	root, err := bounded.ReadFile(policy.SigstoreRoots, maxTrust)
	if err != nil {
		return "", fmt.Errorf("cannot read trusted root: %w", err)
	}
	return registry.VerifySigstore(root, identities, p, sig)
}

// notVerified returns why signatures of a kind were not verified;
// empty: they are.
func notVerified(policy config.Policy, kind string) string {
	switch {
	case kind == registry.SSH && policy.AllowedSigners == "":
		return "SSH signature not verified: this host knows no signers (allowed_signers in its policy)"
	case kind == registry.Sigstore && len(policy.SigstoreIdentities) == 0:
		return "sigstore bundle not verified: this host knows no sigstore identities (sigstore_identities in its policy)"
	}
	return ""
}

// unchecked lists why signatures of a module were not verified.
func unchecked(policy config.Policy, p registry.Package) (lines []string) {
	for _, sig := range p.Signatures {
		if why := notVerified(policy, sig.Kind); why != "" {
			lines = append(lines, why)
		}
	}
	return lines
}

// checkSigner checks that a module is signed as this host requires, and returns the
// signer.
func checkSigner(policy config.Policy, name string, p registry.Package) (string, error) {
	who, err := SignerOf(policy, p)
	if err != nil {
		err = problem.WithHint(fmt.Errorf("cannot load plugin %q: %w", name, err), signersHint(policy))
	}
	return who, err
}

func signersHint(policy config.Policy) string {
	var names []string
	if policy.AllowedSigners != "" {
		names = append(names, policy.AllowedSigners)
	}
	if len(policy.SigstoreIdentities) > 0 {
		names = append(names, "sigstore_identities of its policy")
	}
	return "this host runs only plugins signed by a signer in " + strings.Join(names, " or ")
}
