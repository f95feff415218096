package gate

import (
	"context"

	"github.com/pushlane/pushlane/hooks"
)

// PushedLanes reads the lanes file of a pushed revision, which need not be the one
// that judges. The error is fs.ErrNotExist where it has none.
func PushedLanes(ctx context.Context, repo *hooks.Repo, rev string) (LanesFile, error) {
	return readPushedLanes(ctx, repo, rev)
}
