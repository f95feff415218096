package host

import (
	"context"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Observer receives the events of runs, to send notifications. Each call returns
// once the notification is saved; it never waits for the network.
type Observer interface {
	Queued(ctx context.Context, run store.Run) error
	Started(ctx context.Context, run store.Run) error
	Ended(ctx context.Context, run store.Run) error
}
