package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// waiting is newRun for the queue.
func waiting(key string, lanes int) NewRun {
	n := newRun(key, lanes)
	n.Waiting = true
	n.Updates[0].Protected, n.Updates[0].LanesRev = true, "abc1234def"
	n.Updates[0].Lanes = LanesFile{Source: "lanes.toml", Text: []byte("version = 1\n\x00\xff")}
	return n
}

func claimed(t testing.TB, s *Store, lease time.Duration) Run {
	t.Helper()
	run, ok, err := s.Queue().Claim(context.Background(), ThisHost(), lease)
	if err != nil || !ok {
		t.Fatalf("claim: %v %v", ok, err)
	}
	return run
}

func isConflict(err error) bool { return errors.As(err, new(*ConflictError)) }

func TestClaimsGoByPriorityThenAge(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		begin(t, s, newRun("/r", 1)) // does not wait, so is no one's to claim
		for i, priority := range []int{0, -1, 1, 0, 1} {
			n := waiting("/r", 1)
			n.Priority, n.Pusher = priority, strconv.Itoa(i)
			begin(t, s, n)
		}
		var order []string
		for {
			run, ok, err := s.Queue().Claim(ctx, ThisHost(), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			order = append(order, run.Pusher)
		}
		if got := strings.Join(order, " "); got != "2 4 0 3 1" {
			t.Error(got)
		}
	})
}

func TestAClaimIsTheWholeRun(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		s := on.fresh(t)
		n := waiting("/r", 2)
		n.Origin, n.Priority, n.Lanes[1].Group, n.Lanes[1].Supersede = "push:1\xff", 1, "db", true
		begun := begin(t, s, n)
		host := Host{PID: 7, Start: "s", Boot: "b", Space: "p"}
		run, ok, err := s.Queue().Claim(context.Background(), host, time.Hour)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if left := time.Until(run.Lease); left < 50*time.Minute || left > 70*time.Minute || run.Started.IsZero() {
			t.Errorf("lease %v, started %v", run.Lease, run.Started)
		}
		want := begun
		want.State, want.Host, want.Fence, want.Lease, want.Started = Running, host, 1, run.Lease, run.Started
		want.Queued = local(want.Queued)
		for i := range want.Lanes {
			want.Lanes[i].Queued = local(want.Lanes[i].Queued)
		}
		if !reflect.DeepEqual(run, want) {
			t.Errorf("\n got %+v\nwant %+v", run, want)
		}
		if !reflect.DeepEqual(run.Updates, n.Updates) || run.Lanes[0].Group != "db" || run.Total != 2 {
			t.Errorf("%+v", run)
		}
		if _, ok, err := s.Queue().Claim(context.Background(), host, time.Hour); ok || err != nil {
			t.Errorf("claimed twice: %v", err)
		}
	})
}

// TestNoRunIsClaimedTwice has several stores with several claimers each.
func TestNoRunIsClaimedTwice(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		const runs = 60
		where := on.where(t)
		s := open(t, where)
		for range runs {
			begin(t, s, waiting("/r", 1))
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := map[int64]int{}
		for range 3 {
			s := open(t, where)
			for range 4 {
				wg.Go(func() {
					for _, id := range takeFrom(t, s) {
						mu.Lock()
						got[id]++
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		if len(got) != runs {
			t.Errorf("%d of %d runs were claimed", len(got), runs)
		}
		for id, n := range got {
			if n != 1 {
				t.Errorf("run %d was claimed %d times", id, n)
			}
		}
	})
}

// TestClaimPassesOverWhatIsLocked: a run that someone is changing is waited
// for only where there is no other, and not for ever.
func TestClaimPassesOverWhatIsLocked(t *testing.T) {
	ctx, where := context.Background(), postgresBackend.where(t)
	s := open(t, where+"&lock_timeout=1")
	one, two := begin(t, s, waiting("/r", 1)), begin(t, s, waiting("/r", 1))
	err := s.db.inTx(ctx, func(q *session) error {
		if _, err := newRecorder(q, one.ID, claim{}); err != nil {
			return err
		}
		if run := claimed(t, s, time.Hour); run.ID != two.ID {
			t.Errorf("run %d was claimed", run.ID)
		}
		if _, ok, err := s.Queue().Claim(ctx, ThisHost(), time.Hour); ok || err != nil {
			t.Errorf("claimed what is locked: %v %v", ok, err)
		}
		return nil
	})
	if err != nil || claimed(t, s, time.Hour).ID != one.ID {
		t.Error(err)
	}
}

func takeFrom(t testing.TB, s *Store) (ids []int64) {
	for {
		run, ok, err := s.Queue().Claim(context.Background(), ThisHost(), time.Hour)
		if err != nil {
			t.Error(err)
		}
		if !ok || err != nil {
			return ids
		}
		ids = append(ids, run.ID)
	}
}

// takeAll is a process that claims what there is and prints it.
func takeAll(where string) error {
	s, err := Open(context.Background(), where)
	for err == nil {
		var run Run
		var ok bool
		if run, ok, err = s.Queue().Claim(context.Background(), ThisHost(), time.Hour); !ok {
			break
		}
		fmt.Println(run.ID)
	}
	return err
}

func TestNoRunIsClaimedByTwoProcesses(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		const runs = 40
		where := on.where(t)
		s := open(t, where)
		for range runs {
			begin(t, s, waiting("/r", 1))
		}
		var lines [3][]string
		var wg sync.WaitGroup
		for i := range lines {
			wg.Go(func() {
				out, err := again("take", where).Output()
				if err != nil {
					t.Errorf("%v: %s", err, out)
				}
				lines[i] = strings.Fields(string(out))
			})
		}
		wg.Wait()
		all := slices.Concat(lines[:]...)
		slices.Sort(all)
		if len(all) != runs || len(slices.Compact(slices.Clone(all))) != runs {
			t.Errorf("%d claims of %d runs: %v", len(all), runs, all)
		}
	})
}

// claimAndStay is a process that works on a run until it is killed.
func claimAndStay(where string) error {
	ctx := context.Background()
	s, err := Open(ctx, where)
	if err != nil {
		return err
	}
	run, _, err := s.Queue().Claim(ctx, ThisHost(), time.Hour)
	if err == nil {
		lane := run.Lanes[0].ID
		err = s.Holding(run).Record(ctx, run.ID, Move{LaneRun: lane, From: Queued, To: Starting},
			Move{LaneRun: lane, From: Starting, To: Running})
	}
	if err == nil {
		_, err = s.Groups().Enter(ctx, zone.Zone{Repository: run.RepoKey}, "db", 1, run.Lanes[0].ID)
	}
	if err != nil {
		return err
	}
	fmt.Println(run.ID)
	select {}
}

// killedClaimer returns when a process that had claimed a run is dead.
func killedClaimer(t *testing.T, where string) (id int64) {
	t.Helper()
	cmd := again("claim", where)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	cmd.Process.Kill()
	cmd.Wait()
	if id, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64); err != nil {
		t.Fatalf("it said %q", line)
	}
	return id
}

func TestAKilledClaimerLosesItsRun(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, where := context.Background(), on.where(t)
		s := open(t, where)
		begun := begin(t, s, waiting("/r", 3))
		killedClaimer(t, where)
		old, err := s.RunByID(ctx, begun.ID)
		if err != nil || old.State != Running || old.Fence != 1 {
			t.Fatalf("%+v %v", old, err)
		}
		lost, err := s.Queue().Lost(ctx)
		if err != nil || len(lost) != 1 || lost[0].ID != begun.ID || len(lost[0].Lanes) != 3 {
			t.Fatalf("%+v %v", lost, err)
		}
		if err := s.Queue().Requeue(ctx, begun.ID, "its host no longer responds"); err != nil {
			t.Fatal(err)
		}
		if err := s.Queue().Requeue(ctx, begun.ID, "its host no longer responds"); !isConflict(err) {
			t.Errorf("the second to give it back got %v", err)
		}
		oldHolderIsRefused(t, s, old, 2)
		run := claimed(t, s, time.Hour)
		if run.ID != old.ID || run.Fence <= old.Fence || !run.Started.Equal(old.Started) {
			t.Fatalf("%+v", run)
		}
		checkRequeued(t, s, run)
		oldHolderIsRefused(t, s, old, run.Fence)
		if lost, _ := s.Queue().Lost(ctx); len(lost) != 0 {
			t.Errorf("lost again: %+v", lost)
		}
		record(t, s.Holding(run), run.ID, End{State: Cancelled})
	})
}

// checkRequeued: what had begun is broken and has a next attempt, what had not
// stays in line as it was.
func checkRequeued(t *testing.T, s *Store, run Run) {
	t.Helper()
	var got []string
	for _, l := range run.Lanes {
		got = append(got, fmt.Sprintf("%s.%d %s %s", l.Lane, l.Attempt, l.State, l.Message))
	}
	if want := []string{"lane-0.1 broken its host no longer responds", "lane-1.1 queued ", "lane-2.1 queued ",
		"lane-0.2 queued "}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if run.Total != 3 || run.Passed != 0 {
		t.Errorf("%d of %d", run.Passed, run.Total)
	}
	events, _ := s.Events(context.Background(), run.ID)
	var kinds []string
	for _, e := range events[4:] {
		kinds = append(kinds, e.Kind)
	}
	if got := strings.Join(kinds, ", "); got != "running, starting, running, broken, retry, requeued, running" {
		t.Error(got)
	}
}

// oldHolderIsRefused tries all that a host does to its run.
func oldHolderIsRefused(t *testing.T, s *Store, old Run, fence int64) {
	t.Helper()
	ctx, held, lane := context.Background(), s.Holding(old), old.Lanes[1].ID
	before, _ := s.Events(ctx, old.ID)
	_, retried := held.Retry(ctx, old.ID, old.Lanes[0].ID, "x")
	_, renewed := held.Queue().Renew(ctx, old.ID, old.Fence, time.Hour)
	_, entered := held.Groups().Enter(ctx, zone.Zone{Repository: old.RepoKey}, "db", 9, lane)
	for what, err := range map[string]error{
		"an event": held.Record(ctx, old.ID, Event{Kind: "late"}),
		"a move":   held.Record(ctx, old.ID, Move{LaneRun: lane, From: Queued, To: Starting}),
		"an end":   held.Record(ctx, old.ID, End{State: Broken}),
		"requeue":  held.Queue().Requeue(ctx, old.ID, "late"),
		"retry":    retried, "renew": renewed, "group": entered,
	} {
		if !isConflict(err) || !strings.Contains(err.Error(),
			fmt.Sprintf("run %d: claim 1 on it was lost, it is ", old.ID)) ||
			!strings.HasSuffix(err.Error(), fmt.Sprintf(" under claim %d", fence)) {
			t.Errorf("%s of the old holder: %v", what, err)
		}
	}
	if after, _ := s.Events(ctx, old.ID); len(after) != len(before) {
		t.Error("something of it was kept")
	}
}

func TestRenew(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		begin(t, s, waiting("/r", 1))
		run := claimed(t, s, -time.Second)
		if by, err := s.Queue().Renew(ctx, run.ID, run.Fence, time.Hour); by != "" || err != nil {
			t.Error(by, err)
		}
		if lost, _ := s.Queue().Lost(ctx); len(lost) != 0 {
			t.Errorf("%d runs are lost whose lease was renewed", len(lost))
		}
		if err := s.Cancel(ctx, run.ID, "ann", "wrong branch"); err != nil {
			t.Error(err)
		}
		if by, err := s.Queue().Renew(ctx, run.ID, run.Fence, time.Hour); by != "ann" || err != nil {
			t.Error(by, err)
		}
		record(t, s, run.ID, End{State: Cancelled})
		if _, err := s.Queue().Renew(ctx, run.ID, run.Fence, time.Hour); !isConflict(err) {
			t.Errorf("a run that has ended: %v", err)
		}
		if _, err := s.Queue().Renew(ctx, 99, 1, time.Hour); !errors.Is(err, ErrNoRun) ||
			err.Error() != "cannot renew the claim on run 99: there is no such run" {
			t.Errorf("no run: %v", err)
		}
	})
}

// TestWhoIsLost: of another machine only the lease tells, where machines share
// a database; a file has one machine.
func TestWhoIsLost(t *testing.T) {
	me := ThisHost()
	tests := map[string]struct {
		host             Host
		lease            time.Duration
		sqlite, postgres bool
	}{
		"alive":                 {me, time.Hour, false, false},
		"alive, its lease over": {me, -time.Second, false, false}, // the clock was set, or the database was away
		"dead":                  {Host{PID: 1 << 30, Boot: me.Boot, Space: me.Space}, time.Hour, true, true},
		"another process of its id": {Host{PID: me.PID, Start: "1", Boot: me.Boot, Space: me.Space}, time.Hour, true,
			true},
		"another boot":                 {Host{PID: me.PID, Boot: "x", Space: me.Space}, time.Hour, true, false},
		"another boot, its lease over": {Host{PID: me.PID, Boot: "x", Space: me.Space}, -time.Second, true, true},
		"in a container":               {inContainer(2), time.Hour, true, false},
		"in a container, lease over":   {inContainer(2), -time.Second, true, true},
		"in a container, marked":       {inContainer(3), time.Hour, true, true},
		"in a container, alive":        {inContainer(4), time.Hour, false, false},
		"alive there, its lease over":  {inContainer(4), -time.Second, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, on backend) {
				ctx, s := context.Background(), on.fresh(t)
				s.Marks(markedFolder(t))
				begin(t, s, waiting("/r", 1))
				run, _, err := s.Queue().Claim(ctx, test.host, test.lease)
				if err != nil {
					t.Fatal(err)
				}
				lost, err := s.Queue().Lost(ctx)
				want := test.sqlite && on == sqliteBackend || test.postgres && on == postgresBackend
				if err != nil || len(lost) == 1 != want {
					t.Errorf("lost: %v, %v", lost, err)
				}
				err = s.Queue().Requeue(ctx, run.ID, "it is gone")
				if mine := test.host == me; (err == nil) != (want || mine) || err != nil && !isConflict(err) {
					t.Errorf("requeue: %v", err)
				}
			})
		})
	}
}

// inContainer is a process of this boot in another namespace.
func inContainer(pid int) Host {
	return Host{PID: pid, Start: "7", Boot: ThisHost().Boot, Space: "pid:[1]"}
}

// markedFolder holds the mark that the process 3 of inContainer left, and the
// one that the process 4 holds.
func markedFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for pid := 3; pid <= 4; pid++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00pid:[1]\x00%d\x007", ThisHost().Boot, pid))
		f, err := os.Create(filepath.Join(folder, hex.EncodeToString(sum[:16])+".alive"))
		if err == nil && pid == 4 {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
	}
	return folder
}

func TestARunOnAnotherMachineIsAbandonedAfterADay(t *testing.T) {
	s := postgresBackend.fresh(t)
	for _, age := range []time.Duration{23 * time.Hour, 25 * time.Hour} {
		n := newRun("/r", 1)
		n.At, n.Pusher, n.Host = time.Now().Add(-age), age.String(), Host{PID: 1, Boot: "another"}
		begin(t, s, n)
	}
	gone, err := s.Queue().Abandoned(context.Background())
	if err != nil || len(gone) != 1 || gone[0].Pusher != "25h0m0s" {
		t.Errorf("%+v %v", gone, err)
	}
}
