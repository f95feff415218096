package host

import (
	"context"
	"errors"

	"github.com/pushlane/pushlane/host/internal/lanerun"
)

// stopped tells whether a run's context ended because its host does, or
// because it is another's: what it was doing is nobody's verdict.
func stopped(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.As(context.Cause(ctx), new(lanerun.CancelError))
}
