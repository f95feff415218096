package host

import (
	"context"
	"errors"
	"sync"

	"github.com/pushlane/pushlane/host/internal/store"
)

// errParked is why the context of a run ended that waits for its group without
// a host.
var errParked = errors.New("the run waits for its group")

// idleness tells when a claimed run does nothing but wait for groups.
type idleness struct {
	park context.CancelCauseFunc // ends the run's work here

	mu     sync.Mutex
	gone   bool               // the run was given back
	active int                // lanes under way or about to be
	wishes map[int]store.Wish // of lanes that wait for their group, by outcome
}

func newIdleness(park context.CancelCauseFunc) *idleness {
	return &idleness{park: park, wishes: map[int]store.Wish{}}
}

// begin and end go around whatever a lane does but wait for other lanes or for
// its group.
func (d *idleness) begin() { d.add(1) }

func (d *idleness) end() { d.add(-1) }

func (d *idleness) add(n int) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active += n
}

// waits notes that a lane waits for its group, until the returned function.
func (d *idleness) waits(i int, w store.Wish) (goes func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wishes[i] = w
	d.active--
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.wishes, i)
		d.active++
	}
}

// all returns the groups that a run waits for if it does nothing else; nil: it
// does something else.
func (d *idleness) all() []store.Wish {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.active > 0 {
		return nil
	}
	var all []store.Wish
	for _, w := range d.wishes {
		all = append(all, w)
	}
	return all
}

// parkIdle gives the run back where all of it waits.
func parkIdle(ctx context.Context, l *scheduled) error {
	wishes := l.idle.all()
	if len(wishes) == 0 {
		return nil
	}
	l.Rec.Record(ctx) // results are stored before the claim is released
	parked, err := l.Rec.Store.Queue().Park(ctx, l.Rec.WaitRunID(), l.lane.Zone(), wishes)
	if parked {
		l.idle.leave()
	}
	return err
}

// leave ends the run's work here.
func (d *idleness) leave() {
	d.mu.Lock()
	d.gone = true
	d.mu.Unlock()
	d.park(errParked)
}

func (d *idleness) parked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone
}
