package lanerun

import (
	"context"
	"errors"
)

// CancelError is why a run's context ended: someone asked for it.
type CancelError struct {
	By string // who, as the log names them
}

func (e CancelError) Error() string { return "cancelled by " + e.By }

// cancelledBy says who cancelled, "" when no one is named.
func cancelledBy(ctx context.Context) string {
	var c CancelError
	if errors.As(context.Cause(ctx), &c) {
		return c.Error()
	}
	return ""
}

// Stopped tells whether a run's context ended because its host does, or because
// another host has the run: what it was doing has no verdict then.
func Stopped(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.As(context.Cause(ctx), new(CancelError))
}
