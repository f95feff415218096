package host

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// What the host does for a plugin's question ends with the plugin's time.
func TestListingChangesEndsWithTheLane(t *testing.T) {
	t.Parallel()
	changes := make([]hooks.Change, 5000)
	for i := range changes {
		changes[i].Path = "a"
	}
	j := &Judgement{Updates: []pushed{{Changes: changes}}, Outcomes: []Outcome{{Picked: lanes.Picked{Lane: lanes.Lane{ID: "l"}}}}}
	l := &laneRun{j: j, permits: permits{"repo.read": reach{}}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if page, err := l.listChanges(ctx, []byte(`{}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes, %v", len(page), err)
	}
	query := sdk.ChangesQuery{Globs: strings.Split(strings.Repeat("x,", maxGlobs)+"x", ",")}
	_, err := l.listChanges(t.Context(), query.AppendJSON(nil))
	if err == nil || err.Error() != "cannot list changes: 1001 globs, at most 1000 are allowed" {
		t.Errorf("got %v", err)
	}
}
