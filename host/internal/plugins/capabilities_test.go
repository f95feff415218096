package plugins

import (
	"slices"
	"testing"

	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
)

// What a manifest may ask for, a lane may grant, and nothing else.
func TestCapabilitiesOfManifestsAndLanes(t *testing.T) {
	t.Parallel()
	if asked, granted := wasm.Capabilities(), lanes.Capabilities(); !slices.Equal(asked, granted) {
		t.Errorf("a manifest asks for %q, a lane grants %q", asked, granted)
	}
}
