package host

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/sandbox"
	"github.com/pushlane/pushlane/host/internal/store"
)

// TestOutage: how long the queue waits, and what counts as Incus being back.
func TestOutage(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return now.Add(d) }
	var never outage
	if !never.failed(at(0)) || !never.failed(at(59*time.Second)) || never.failed(at(61*time.Second)) {
		t.Error("an Incus that never answered is not waited for, for a minute")
	}
	var o outage
	o.answered("7", at(0))
	if o.away() || !o.failed(at(time.Minute)) || !o.away() || !o.failed(at(10*time.Minute)) ||
		o.failed(at(11*time.Minute)) {
		t.Error("an Incus that answered once is not waited for, for ten minutes")
	}
	if up, back, restarted := o.answered("7", at(12*time.Minute)); !up || !back || restarted || o.away() {
		t.Errorf("it answers again: %t %t %t", up, back, restarted)
	}
	o.leaves(at(20 * time.Minute))
	if up, _, _ := o.answered("7", at(20*time.Minute+5*time.Second)); up || !o.away() {
		t.Error("an Incus on its way down counts as back")
	}
	if up, back, restarted := o.answered("8", at(20*time.Minute+9*time.Second)); !up || !back || !restarted {
		t.Errorf("a new one: %t %t %t", up, back, restarted)
	}
	o.leaves(at(30 * time.Minute))
	if up, _, _ := o.answered("8", at(32*time.Minute)); !up {
		t.Error("one that did not go down after all is never back")
	}
}

// TestInfrastructure: what retries are for, and what no attempt changes.
func TestInfrastructure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state store.State
		err   error
		want  bool
	}{
		"a container was stopped": {store.Broken, &incus.MachineError{What: "x", Err: errors.New("y")}, true},
		"a plugin's process died": {store.Broken, fmt.Errorf("cannot run: %w",
			&sandbox.DiedError{Why: "its process died: signal: killed"}), true},
		"the lane's own fault":       {store.Broken, errors.New("unknown key"), false},
		"Incus refuses what it asks": {store.Broken, &incus.Error{What: "x", Err: errors.New("y")}, false},
		"a no":                       {store.Failed, &incus.MachineError{What: "x", Err: errors.New("y")}, false},
	} {
		if got := infrastructure(&gate.LaneRun{State: c.state, Err: c.err}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestBlind(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	var b blind
	wait := time.Duration(0)
	for range 10 {
		b.failed("/a", now)
		if len(b.keys(now)) != 1 || b.of["/a"].wait <= wait && wait != blindMost {
			t.Errorf("waits %s after %s", b.of["/a"].wait, wait)
		}
		wait = b.of["/a"].wait
	}
	if wait != blindMost || len(b.keys(now.Add(blindMost))) != 0 {
		t.Errorf("waits %s at last", wait)
	}
	b.failed("/b", now)
	b.opened("/a")
	if keys := b.keys(now); len(keys) != 1 || keys[0] != "/b" {
		t.Errorf("%q", keys)
	}
}
