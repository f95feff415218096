package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// hour is longer than any test: a Wait that returns did not time out.
const hour = time.Hour

func TestWaitHearsOfAQueuedRun(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, where := context.Background(), on.where(t)
		here, there := open(t, where), open(t, where)
		for name, other := range map[string]*Store{"of this process": here, "of another": there} {
			for what, prepare := range map[string]func() (queue func()){
				"begun": func() func() { return func() { begin(t, other, waiting("/r", 1)) } },
				"given back": func() func() {
					begin(t, other, waiting("/r", 1))
					run := claimed(t, other, hour)
					return func() {
						if err := other.Queue().Requeue(ctx, run.ID, "x"); err != nil {
							t.Error(err)
						}
					}
				},
			} {
				queue := prepare()
				if _, ok, err := here.Queue().Claim(ctx, ThisHost(), hour); ok || err != nil {
					t.Fatal(ok, err)
				}
				done := make(chan bool)
				go func() { done <- waitAndClaim(t, here) }()
				queue()
				if !<-done {
					t.Errorf("a run that was %s by a host %s was not claimed", what, name)
				}
			}
		}
	})
}

// waitAndClaim: Wait may return for nothing, but it returns for something.
func waitAndClaim(t *testing.T, s *Store) bool {
	ctx := context.Background()
	for {
		s.Queue().Wait(ctx, hour)
		_, ok, err := s.Queue().Claim(ctx, ThisHost(), hour)
		if err != nil {
			t.Error(err)
		}
		if ok || err != nil {
			return ok
		}
	}
}

// TestPostgresTellsOtherHosts: the word comes by the listener alone, the poll
// is far off.
func TestPostgresTellsOtherHosts(t *testing.T) {
	ctx, where := context.Background(), postgresBackend.where(t)
	here, there := open(t, where), open(t, where)
	listening := make(chan bool, 16)
	listen := here.db.bell.listen
	here.db.bell.listen = func(ctx context.Context, ring func()) error {
		return listen(ctx, func() { ring(); listening <- true })
	}
	here.db.bell.start()
	<-listening
	begin(t, there, waiting("/r", 1))
	<-listening
	here.Queue().Wait(ctx, hour)
}

func TestAListenerComesBack(t *testing.T) {
	ctx, where := context.Background(), postgresBackend.where(t)
	here, there := open(t, where), open(t, where)
	listening := make(chan bool, 16)
	listen := here.db.bell.listen
	here.db.bell.listen = func(ctx context.Context, ring func()) error {
		return listen(ctx, func() { ring(); listening <- true })
	}
	here.db.bell.start()
	<-listening
	if _, err := there.db.write.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE query = 'LISTEN pushlane_queued' AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	<-listening
	here.Queue().Wait(ctx, hour)
}

func TestWaitEnds(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		s.Queue().Wait(context.Background(), 0)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Queue().Wait(ctx, hour)
	})
}

// TestADatabaseThatIsGoneIsNoEmptyQueue: a host hears of it.
func TestADatabaseThatIsGoneIsNoEmptyQueue(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		s.Close()
		if _, ok, err := s.Queue().Claim(ctx, ThisHost(), hour); ok || err == nil ||
			err.Error() != "cannot claim a run: sql: database is closed" {
			t.Error(ok, err)
		}
		if _, ok, err := s.Outbox().Claim(ctx, day, hour); ok || err == nil {
			t.Error(ok, err)
		}
		if _, err := s.Queue().Lost(ctx); err == nil {
			t.Error("nothing is lost in it")
		}
	})
}

// TestWhatRangBeforeWaitIsHeard: a run queued between a Claim that found
// nothing and Wait is not slept over.
func TestWhatRangBeforeWaitIsHeard(t *testing.T) {
	b := newBell()
	rung := func() bool {
		select {
		case <-b.next():
			return true
		default:
			return false
		}
	}
	if rung() {
		t.Error("it rang by itself")
	}
	b.ring()
	if !rung() || rung() {
		t.Error("a ring is heard once")
	}
	before := b.count()
	b.ring()
	b.silence(before)
	if !rung() {
		t.Error("what rang while a Claim looked was forgotten")
	}
	b.ring()
	b.silence(b.count())
	if rung() {
		t.Error("what a Claim has seen is not news")
	}
	two := []<-chan struct{}{b.next(), b.next()}
	b.ring()
	<-two[0]
	<-two[1]
}

func TestWatch(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		ctx, cancel := context.WithCancel(context.Background())
		changes, slow := s.Watch(ctx), s.Watch(ctx)
		run := begin(t, s, waiting("/r", 1))
		for range 3 * watched { // no one reads slow: it holds no one up
			record(t, s, run.ID, Event{Kind: "x"})
			if id := <-changes; id != run.ID {
				t.Errorf("run %d", id)
			}
		}
		cancel()
		for range changes {
		}
		n := 0
		for range slow {
			n++
		}
		if n != watched {
			t.Errorf("the slow reader got %d", n)
		}
		record(t, s, run.ID, Event{Kind: "no one watches"})
	})
}

func TestWatchTellsOfEveryChange(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := t.Context(), on.fresh(t)
		changes := s.Watch(ctx)
		expect := func(what string, ids ...int64) {
			t.Helper()
			for _, want := range ids {
				if got := <-changes; got != want {
					t.Errorf("%s: run %d, want %d", what, got, want)
				}
			}
		}
		one := begin(t, s, superseding("refs/heads/m", "ab"))
		expect("begin", one.ID)
		two := begin(t, s, superseding("refs/heads/m", "ab"))
		expect("supersede", one.ID, two.ID)
		run := claimed(t, s, hour)
		expect("claim", two.ID)
		record(t, s, run.ID, Move{LaneRun: run.Lanes[0].ID, From: Queued, To: Broken})
		expect("record", two.ID)
		if _, err := s.Retry(ctx, run.ID, run.Lanes[0].ID, "x"); err != nil {
			t.Fatal(err)
		}
		expect("retry", two.ID)
		if err := s.Queue().Requeue(ctx, run.ID, "x"); err != nil {
			t.Fatal(err)
		}
		expect("requeue", two.ID)
		if err := s.Cancel(ctx, run.ID, "me", ""); err != nil {
			t.Fatal(err)
		}
		expect("cancel", two.ID)
		if err := s.Record(ctx, run.ID, End{State: Broken}); !isConflict(err) {
			t.Fatal(err)
		}
		if again, err := s.Rerun(ctx, run.ID, false, "me"); err != nil {
			t.Error(err)
		} else {
			expect("rerun, and nothing for what was refused", again.ID)
		}
	})
}

// TestAnIdleHostWritesNothing: what it asks again and again changes no page.
func TestAnIdleHostWritesNothing(t *testing.T) {
	ctx, where := context.Background(), sqliteBackend.where(t)
	s, other := open(t, where), open(t, where)
	record(t, s, begin(t, s, newRun("/r", 1)).ID, End{State: Broken})
	if err := s.Repositories().Register(ctx, "/r", "web"); err != nil {
		t.Fatal(err)
	}
	var before, after int
	for _, version := range []*int{&before, &after} {
		if err := other.db.write.QueryRow("PRAGMA data_version").Scan(version); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_, _, claim := s.Queue().Claim(ctx, ThisHost(), time.Hour)
			_, _, delivery := s.Outbox().Claim(ctx, time.Now(), time.Hour)
			_, lost := s.Queue().Lost(ctx)
			_, abandoned := s.Queue().Abandoned(ctx)
			s.Queue().Wait(ctx, 0)
			if err := errors.Join(claim, delivery, lost, abandoned, s.Repositories().Register(ctx, "/r", "web")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if before != after {
		t.Errorf("the file changed: %d, %d", before, after)
	}
}
