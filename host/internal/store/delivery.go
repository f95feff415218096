package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Delivery is one notification about a run. It is stored until its run is
// removed.
type Delivery struct {
	ID       int64
	Run      int64 // the run's ID
	Target   string
	Kind     string
	Body     []byte
	Attempts int       // claims so far
	Next     time.Time // when it is due
	Error    string    // of the last attempt
	State    string    // waiting, done or failed; ignored by Outbox.Add
}

// Outbox is the notifications of the store.
type Outbox struct{ db *database }

// Outbox is the notifications to be sent.
func (s *Store) Outbox() *Outbox { return &Outbox{s.db} }

// The states of a delivery.
const (
	DeliveryWaiting = "waiting"
	DeliveryDone    = "done"
	DeliveryFailed  = "failed"
)

// ErrNoDelivery is returned for a delivery that is not in the store or is no longer
// waiting.
var ErrNoDelivery = errors.New("there is no such waiting delivery")

const deliveryColumns = `id, run, target, kind, body, attempts, next, error, state`

// Add keeps messages to be sent, all or none. Next zero: now.
func (o *Outbox) Add(ctx context.Context, list []Delivery) error {
	if len(list) == 0 {
		return nil
	}
	err := o.db.inTx(ctx, func(q *session) error {
		for _, d := range list {
			_, err := q.exec(`INSERT INTO deliveries (run, target, kind, body, next) VALUES (?, ?, ?, ?, ?)`,
				d.Run, d.Target, d.Kind, append([]byte{}, d.Body...), millis(orNow(d.Next)))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return o.db.writeError(fmt.Sprintf("keep %d deliveries", len(list)), err)
}

// Claim gives the delivery that has been due for longest, to be tried
// until the lease ends; then it is given again. Messages of one run to one
// target are given one after the other, in the order in which they were added,
// so that a late "pending" never covers a "success". False: none is due.
func (o *Outbox) Claim(ctx context.Context, now time.Time, lease time.Duration) (Delivery, bool, error) {
	var d Delivery
	q := o.db.reading(ctx)
	if err := q.value(&d.ID, dueDelivery, millis(now)); errors.Is(err, sql.ErrNoRows) { // looking takes no lock
		return Delivery{}, false, nil
	}
	err := o.db.inTx(ctx, func(q *session) error {
		if err := q.value(&d.ID, dueDelivery+` FOR UPDATE SKIP LOCKED`, millis(now)); err != nil {
			return err
		}
		found, err := q.rows(`UPDATE deliveries SET attempts = attempts + 1, next = ? WHERE id = ? RETURNING `+
			deliveryColumns,
			millis(now.Add(lease)), d.ID)
		list, err := collect(found, err, scanDelivery)
		if err == nil {
			d = list[0]
		}
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Delivery{}, false, nil
	}
	return d, err == nil, o.db.writeError("claim a delivery", err)
}

const dueDelivery = `SELECT d.id FROM deliveries d WHERE d.state = 'waiting' AND d.next <= ? AND NOT EXISTS (
	SELECT 1 FROM deliveries o WHERE o.run = d.run AND o.target = d.target AND o.id < d.id AND o.state = 'waiting')
	ORDER BY d.next, d.id LIMIT 1`

func scanDelivery(row *rows) (d Delivery, err error) {
	err = row.Scan(&d.ID, &d.Run, &d.Target, &d.Kind, &d.Body, &d.Attempts, stamp{&d.Next}, &d.Error, &d.State)
	return d, err
}

// Done says that a delivery arrived.
func (o *Outbox) Done(ctx context.Context, id int64) error {
	return o.endAttempt(ctx, id, `UPDATE deliveries SET state = 'done', error = '' WHERE id = ? AND state = 'waiting'`, id)
}

// Failed says that an attempt failed: it is due again at next, or with
// giveUp never.
func (o *Outbox) Failed(ctx context.Context, id int64, next time.Time, cause string, giveUp bool) error {
	state := DeliveryWaiting
	if giveUp {
		state = DeliveryFailed
	}
	return o.endAttempt(ctx, id, `UPDATE deliveries SET state = ?, error = ?, next = ? WHERE id = ? AND state = 'waiting'`,
		state, cause, millis(next), id)
}

func (o *Outbox) endAttempt(ctx context.Context, id int64, query string, args ...any) error {
	verb := fmt.Sprintf("end an attempt at delivery %d", id)
	touched, err := o.db.touch(ctx, verb, query, args...)
	if err == nil && touched == 0 {
		err = o.db.writeError(verb, ErrNoDelivery)
	}
	return err
}

// Of lists a run's deliveries in the order in which they were added.
func (o *Outbox) Of(ctx context.Context, run int64) ([]Delivery, error) {
	found, err := o.db.reading(ctx).rows(`SELECT `+deliveryColumns+` FROM deliveries WHERE run = ? ORDER BY id`, run)
	list, err := collect(found, err, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("cannot list deliveries: %w", err)
	}
	return list, nil
}
