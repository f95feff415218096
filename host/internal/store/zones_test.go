package store

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// unzoned are the methods of Store that take no zone, each with the reason why
// no run of another zone gains anything by it.
var unzoned = map[string]string{
	"Begin":          "a run's record: people read it, runs do not",
	"RefusedAt":      "a run's record: people read it, runs do not",
	"Rerun":          "a run's record: people read it, runs do not",
	"Record":         "a run's record: people read it, runs do not",
	"Retry":          "a run's record: people read it, runs do not",
	"Cancel":         "a run's record: people read it, runs do not",
	"Requeue":        "a run's record: people read it, runs do not",
	"Renew":          "a run's record: people read it, runs do not",
	"Holding":        "a run's record: people read it, runs do not",
	"Find":           "a run's record: people read it, runs do not",
	"Run":            "a run's record: people read it, runs do not",
	"RunByID":        "a run's record: people read it, runs do not",
	"RunByOrigin":    "a run's record: people read it, runs do not",
	"Runs":           "a run's record: people read it, runs do not",
	"LaneRuns":       "a run's record: people read it, runs do not",
	"Findings":       "a run's record: people read it, runs do not",
	"Artifacts":      "a run's record: people read it, runs do not",
	"Events":         "a run's record: people read it, runs do not",
	"Details":        "a run's record: people read it, runs do not",
	"Lost":           "a run's record: people read it, runs do not",
	"Abandoned":      "a run's record: people read it, runs do not",
	"DropRuns":       "a run's record: people read it, runs do not",
	"Stats":          "a run's record: people read it, runs do not",
	"Wait":           "a run's record: people read it, runs do not",
	"Watch":          "a run's record: people read it, runs do not",
	"Claim":          "runs of protected refs come first",
	"ClaimProtected": "runs of protected refs come first",
	"LeaveGroup":     "a ticket knows its zone",
	"GroupLine":      "a ticket knows its zone",
	"UsedAgain":      "one that Recall gave, which takes a zone",
	"Forget":         "drops by age alone",
	"TrustRoot":      "the host's decision, which zones follow from",
	"SetTrustRoot":   "the host's decision, which zones follow from",
	"Register":       "the owner's",
	"Unregister":     "the owner's",
	"Repositories":   "the owner's",
	"Address":        "the owner's",
	"AddToken":       "the owner's",
	"Tokens":         "the owner's",
	"DropToken":      "the owner's",
	"TokenByHash":    "the owner's",
	"Fired":          "schedules are those of protected lanes",
	"AddDeliveries":  "a message carries its run, and so its zone",
	"ClaimDelivery":  "a message carries its run, and so its zone",
	"DeliveriesOf":   "a message carries its run, and so its zone",
	"DeliveryDone":   "a message carries its run, and so its zone",
	"DeliveryFailed": "a message carries its run, and so its zone",
	"WakeParked":     "wakes all that wait; who may go is asked again",
	"Without":        "a view of the queue",
	"Mine":           "a run's record: people read it, runs do not",
	"Known":          "the owner's",
	"Marks":          "stores nothing",
	"Close":          "stores nothing",
	"LastRun":        "a number",
	"SkipTo":         "a number",
	"Head":           "a run's record: people read it, runs do not",
	"Pulse":          "a run's record: people read it, runs do not",
	"OldVerdicts":    "a run's record: people read it, runs do not",
	"DropVerdicts":   "drops by age alone",
	"Unaccepted":     "a run's record: people read it, runs do not",
	"Path":           "stores nothing",
}

// takesZone reports whether a type is a zone or holds one.
func takesZone(t reflect.Type) bool {
	z := reflect.TypeFor[zone.Zone]()
	if t == z {
		return true
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if t.Field(i).Type == z {
			return true
		}
	}
	return false
}

// TestWhateverOutlivesARunTakesAZone fails at a new method of the store that
// neither takes a zone nor says why it needs none.
func TestWhateverOutlivesARunTakesAZone(t *testing.T) {
	t.Parallel()
	s := reflect.TypeFor[*Store]()
	for name := range unzoned {
		if _, there := s.MethodByName(name); !there {
			t.Errorf("Store.%s is excused and is not there", name)
		}
	}
	for i := range s.NumMethod() {
		m, zoned := s.Method(i), false
		for k := 1; k < m.Type.NumIn(); k++ {
			zoned = zoned || takesZone(m.Type.In(k))
		}
		if _, excused := unzoned[m.Name]; !zoned && !excused {
			t.Errorf("Store.%s takes no zone.Zone: what it writes is shared by runs of every ref", m.Name)
		}
	}
}

func TestAZoneHasABudgetOfValues(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), open(t, t.TempDir()+"/runs.db")
	branch := zone.Zone{Repository: "/r"}
	for i := range MaxZoneBytes / MaxValueBytes {
		if err := s.SetValue(ctx, Space{branch, string(rune('a' + i))}, "v", make([]byte, MaxValueBytes)); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := s.SetValue(ctx, Space{branch, "another module"}, "v", []byte{1}); !errors.Is(err, ErrSpaceFull) {
		t.Errorf("beyond the zone's budget: %v", err)
	}
	main := Space{zone.Zone{Repository: "/r", Trust: zone.Protected}, "a"}
	if err := s.SetValue(ctx, main, "v", []byte{1}); err != nil {
		t.Errorf("a branch's values took the room of the protected zone: %v", err)
	}
	if err := s.SetValue(ctx, Space{zone.Zone{}, "a"}, "v",
		[]byte{1}); err == nil || err.Error() != `zone "unprotected:" names no repository` {
		t.Errorf("of no repository: %v", err)
	}
}

func TestGroupsOfTwoZonesDoNotWaitForEachOther(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		l := lanesInLine(t, s, 3)
		branch, main := zone.Zone{Repository: "/r"}, zone.Zone{Repository: "/r", Trust: zone.Protected}
		for i, want := range []struct {
			in zone.Zone
			ok bool
		}{{branch, true}, {main, true}, {branch, false}} {
			if ok, err := s.EnterGroup(ctx, want.in, "db", 1, l[i].ID); err != nil || ok != want.ok {
				t.Errorf("lane %d of zone %s: %v, %v", i, want.in.Key(), ok, err)
			}
		}
		if got := line(t, s, l[2].ID); got != "1 behind 1" {
			t.Errorf("the branch's second lane is %s", got)
		}
	})
}

func TestProtectedRunsAreClaimedFirst(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		eager, slow := waiting("/r", 1), waiting("/r", 1)
		eager.Priority, slow.Priority = 1, -1
		for i := range slow.Updates {
			eager.Updates[i].Protected, slow.Updates[i].Protected = false, true
		}
		first, second := begin(t, s, eager), begin(t, s, slow)
		if run, ok, err := s.ClaimProtected(ctx, ThisHost(), time.Hour); !ok || err != nil || run.ID != second.ID {
			t.Errorf("claimed %d, %v, %v: want the protected run %d", run.ID, ok, err, second.ID)
		}
		if _, ok, err := s.ClaimProtected(ctx, ThisHost(), time.Hour); ok || err != nil {
			t.Errorf("a branch's run was claimed as a protected one: %v", err)
		}
		third := begin(t, s, slow)
		for _, want := range []int64{third.ID, first.ID} {
			if got := claimed(t, s, time.Hour); got.ID != want {
				t.Errorf("claimed %d, want %d", got.ID, want)
			}
		}
	})
}

func TestTrustRoot(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		if _, known, err := s.TrustRoot(ctx, "/r"); known || err != nil {
			t.Errorf("of a new repository: %v, %v", known, err)
		}
		want := TrustRoot{Ref: "refs/heads/main", Head: "refs/heads/master", Dangling: true, ID: "abc",
			At: time.UnixMilli(5000)}
		for _, seen := range []bool{false, true} {
			want.Seen = seen
			if err := s.SetTrustRoot(ctx, "/r", want); err != nil {
				t.Fatal(err)
			}
			got, known, err := s.TrustRoot(ctx, "/r")
			if got.At = local(got.At); !known || err != nil || got.ID != "abc" || got.Seen != seen || !got.Dangling ||
				got.Ref != want.Ref || got.Head != want.Head || !got.At.Equal(want.At) {
				t.Errorf("%+v, %v, %v", got, known, err)
			}
		}
		if _, known, _ := s.TrustRoot(ctx, "/q"); known {
			t.Error("another repository has it too")
		}
	})
}
