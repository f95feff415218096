package host

import (
	"context"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Observer is told what becomes of runs, so that others hear of it. Each call
// returns once what it has to say is safe; it never waits for the network.
type Observer interface {
	Queued(ctx context.Context, run store.Run) error
	Started(ctx context.Context, run store.Run) error
	Ended(ctx context.Context, run store.Run) error
}
