package notify

import "time"

// permanentError will not go away by trying again.
type permanentError struct{ error }

// missingError is about a commit that is not there, perhaps not yet.
type missingError struct{ error }

// busyError is an answer of someone in trouble, who may say when to come back.
type busyError struct {
	error
	after time.Duration
}

const (
	workers       = 8 // deliveries at once
	sendTimeout   = time.Minute
	deliveryLease = 2 * time.Minute // longer than sendTimeout: what is being sent is not taken by another
	lookEvery     = 2 * time.Second // for what another process added, and what is due again
	firstRetry    = 5 * time.Second
	longestRetry  = time.Hour
	giveUpAfter   = 24 * time.Hour
	missingAfter  = time.Hour // when what is not there yet is believed to be never there
	leastAttempts = 5         // however old: a host that was off for two days still tries
)
