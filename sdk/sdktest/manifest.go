package sdktest

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/pushlane/pushlane/sdk"
)

// manifestFile is the plugin's manifest, in the folder of its tests.
const manifestFile = "manifest.toml"

// asSeen is the request as the host would send it to the plugin with the
// manifest at hand: without the parts that its input does not name, and with
// the capabilities that it asks for granted, where the case names none. Without
// a manifest it is the whole request.
func asSeen(t *testing.T, r sdk.Request, granted bool) sdk.Request {
	t.Helper()
	text, err := os.ReadFile(manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r
	}
	var m sdk.Manifest
	if err == nil {
		err = toml.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatalf("cannot read the plugin's manifest: %v", err)
	}
	if !granted {
		r.Granted = []string{}
		for _, c := range m.Capabilities {
			r.Granted = append(r.Granted, c.Name)
		}
	}
	return r.Seen(m)
}
