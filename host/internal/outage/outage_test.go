package outage

import (
	"testing"
	"time"
)

// TestOutage: how long the queue waits, and what counts as Incus being back.
func TestOutage(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return now.Add(d) }
	var never Outage
	if !never.Failed(at(0)) || !never.Failed(at(59*time.Second)) || never.Failed(at(61*time.Second)) {
		t.Error("an Incus that never answered is not waited for, for a minute")
	}
	var o Outage
	o.Answered("7", at(0))
	if o.Away() || !o.Failed(at(time.Minute)) || !o.Away() || !o.Failed(at(10*time.Minute)) ||
		o.Failed(at(11*time.Minute)) {
		t.Error("an Incus that answered once is not waited for, for ten minutes")
	}
	if up, back, restarted := o.Answered("7", at(12*time.Minute)); !up || !back || restarted || o.Away() {
		t.Errorf("it answers again: %t %t %t", up, back, restarted)
	}
	o.Leaves(at(20 * time.Minute))
	if up, _, _ := o.Answered("7", at(20*time.Minute+5*time.Second)); up || !o.Away() {
		t.Error("an Incus on its way down counts as back")
	}
	if up, back, restarted := o.Answered("8", at(20*time.Minute+9*time.Second)); !up || !back || !restarted {
		t.Errorf("a new one: %t %t %t", up, back, restarted)
	}
	o.Leaves(at(30 * time.Minute))
	if up, _, _ := o.Answered("8", at(32*time.Minute)); !up {
		t.Error("one that did not go down after all is never back")
	}
}

func TestBlind(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	var b Blind
	wait := time.Duration(0)
	for range 10 {
		b.Failed("/a", now)
		if len(b.Keys(now)) != 1 || b.of["/a"].wait <= wait && wait != blindMost {
			t.Errorf("waits %s after %s", b.of["/a"].wait, wait)
		}
		wait = b.of["/a"].wait
	}
	if wait != blindMost || len(b.Keys(now.Add(blindMost))) != 0 {
		t.Errorf("waits %s at last", wait)
	}
	b.Failed("/b", now)
	b.Opened("/a")
	if keys := b.Keys(now); len(keys) != 1 || keys[0] != "/b" {
		t.Errorf("%q", keys)
	}
}
