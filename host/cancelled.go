package host

import (
	"context"
	"errors"

	"github.com/pushlane/pushlane/host/internal/lanerun"
)

// stopped reports whether a run's context ended because its host stops, or
// because another host took the run over: then its result does not count.
func stopped(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.As(context.Cause(ctx), new(lanerun.CancelError))
}
