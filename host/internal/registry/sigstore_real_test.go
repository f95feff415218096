package registry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealBundles: bundles that sigstore's own instances made, of those that
// its project holds clients against; what ends in _fail must not be accepted.
func TestRealBundles(t *testing.T) {
	identity := Identity{"https://token.actions.githubusercontent.com",
		"https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-" +
			"dangerous-oidc-beacon.yml@refs/heads/*"}
	why := map[string]string{
		"set-invalid-signature_fail": "its log entry cannot be accepted: its promise is not the log's",
		"inclusion-proof-corrupted-hash_fail": "its log entry cannot be accepted: its proof does not lead to the " +
			"checkpoint",
		"invalid-ct-key_fail": "no certificate transparency log that the trusted root names knows its " +
			"certificate",
		"rekor2-timestamp-payload-mismatch_fail": "no trusted timestamp: hashed " +
			"messages don't match",
		"rekor2-no-timestamp_fail": "no trusted timestamp",
	}
	artifact := first(t, "testdata/sigstore/a.txt")
	bundles, _ := filepath.Glob("testdata/sigstore/*/*/bundle.sigstore.json")
	if len(bundles) != 11 {
		t.Fatal(bundles)
	}
	for _, file := range bundles {
		dir := filepath.Dir(file)
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			root := first(t, dir+"/trusted_root.json", dir+"/../trusted_root.json")
			who, err := VerifySigstore(root, []Identity{identity}, Package{Module: artifact},
				Signature{Sigstore, first(t, file)})
			if strings.HasSuffix(name, "_fail") {
				wants(t, err, "cannot accept sigstore bundle: "+why[name])
			} else if err != nil || who != identity.String() {
				t.Errorf("%q, %v", who, err)
			}
		})
	}
}

// first reads the first of the files that is there.
func first(t *testing.T, names ...string) []byte {
	t.Helper()
	for _, name := range names {
		if data, err := os.ReadFile(name); err == nil {
			return data
		}
	}
	t.Fatal("none of", names)
	return nil
}
