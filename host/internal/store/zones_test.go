package store

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/zone"
)

// unzoned are the methods of Store, and of the types it leads to, that take no
// zone, each with the reason why no run of another zone gains anything by it.
var unzoned = map[string]string{
	"Store.Begin":               "a run's record: people read it, runs do not",
	"Store.RefusedAt":           "a run's record: people read it, runs do not",
	"Store.Rerun":               "a run's record: people read it, runs do not",
	"Store.Record":              "a run's record: people read it, runs do not",
	"Store.Retry":               "a run's record: people read it, runs do not",
	"Store.Cancel":              "a run's record: people read it, runs do not",
	"Queue.Requeue":             "a run's record: people read it, runs do not",
	"Queue.Renew":               "a run's record: people read it, runs do not",
	"Store.Holding":             "a run's record: people read it, runs do not",
	"Store.Find":                "a run's record: people read it, runs do not",
	"Store.Run":                 "a run's record: people read it, runs do not",
	"Store.RunByID":             "a run's record: people read it, runs do not",
	"Store.RunByOrigin":         "a run's record: people read it, runs do not",
	"Store.Runs":                "a run's record: people read it, runs do not",
	"Store.LaneRuns":            "a run's record: people read it, runs do not",
	"Store.Findings":            "a run's record: people read it, runs do not",
	"Store.Artifacts":           "a run's record: people read it, runs do not",
	"Store.Events":              "a run's record: people read it, runs do not",
	"Store.Details":             "a run's record: people read it, runs do not",
	"Store.LaneTimes":           "a run's record: people read it, runs do not",
	"Queue.Lost":                "a run's record: people read it, runs do not",
	"Queue.Abandoned":           "a run's record: people read it, runs do not",
	"Store.DropRuns":            "a run's record: people read it, runs do not",
	"Store.Stats":               "a run's record: people read it, runs do not",
	"Queue.Wait":                "a run's record: people read it, runs do not",
	"Store.Watch":               "a run's record: people read it, runs do not",
	"Queue.Claim":               "runs of protected refs come first",
	"Queue.ClaimProtected":      "runs of protected refs come first",
	"Groups.Leave":              "a ticket knows its zone",
	"Groups.Line":               "a ticket knows its zone",
	"Results.Used":              "one that Find gave, which takes a zone",
	"Results.DropUnused":        "drops by age alone",
	"Repositories.TrustRoot":    "the host's decision, which zones follow from",
	"Repositories.SetTrustRoot": "the host's decision, which zones follow from",
	"Repositories.Register":     "the owner's",
	"Repositories.Unregister":   "the owner's",
	"Repositories.List":         "the owner's",
	"Repositories.Address":      "the owner's",
	"Tokens.Add":                "the owner's",
	"Tokens.List":               "the owner's",
	"Tokens.Drop":               "the owner's",
	"Tokens.ByHash":             "the owner's",
	"Repositories.Fired":        "schedules are those of protected lanes",
	"Outbox.Add":                "a message carries its run, and so its zone",
	"Outbox.Claim":              "a message carries its run, and so its zone",
	"Outbox.Of":                 "a message carries its run, and so its zone",
	"Outbox.Done":               "a message carries its run, and so its zone",
	"Outbox.Failed":             "a message carries its run, and so its zone",
	"Queue.WakeParked":          "wakes all that wait; who may go is asked again",
	"Queue.Without":             "a view of the queue",
	"Queue.Mine":                "a run's record: people read it, runs do not",
	"Repositories.Known":        "the owner's",
	"Store.Marks":               "stores nothing",
	"Store.Close":               "stores nothing",
	"Store.LastRun":             "a number",
	"Store.SkipTo":              "a number",
	"Verdicts.Of":               "a run's record: people read it, runs do not",
	"Store.Pulse":               "a run's record: people read it, runs do not",
	"Verdicts.Old":              "a run's record: people read it, runs do not",
	"Verdicts.Drop":             "drops by age alone",
	"Store.Unaccepted":          "a run's record: people read it, runs do not",
	"Store.Path":                "stores nothing",
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

// storeTypes are Store and what its methods lead to.
func storeTypes() []reflect.Type {
	s := reflect.TypeFor[*Store]()
	all := []reflect.Type{s}
	for i := range s.NumMethod() {
		m := s.Method(i).Type
		if m.NumIn() == 1 && m.NumOut() == 1 && m.Out(0).Kind() == reflect.Pointer && m.Out(0).NumMethod() > 0 {
			all = append(all, m.Out(0))
		}
	}
	return all
}

// TestWhateverOutlivesARunTakesAZone fails at a new method of the store that
// neither takes a zone nor says why it needs none.
func TestWhateverOutlivesARunTakesAZone(t *testing.T) {
	t.Parallel()
	types := storeTypes()
	if len(types) != 9 {
		t.Errorf("%d types: Store and the 8 it leads to have methods that are looked at here", len(types))
	}
	there := map[string]bool{}
	for _, s := range types {
		for i := range s.NumMethod() {
			m, zoned := s.Method(i), false
			for k := 1; k < m.Type.NumIn(); k++ {
				zoned = zoned || takesZone(m.Type.In(k))
			}
			name := s.Elem().Name() + "." + m.Name
			there[name] = true
			leads := m.Type.NumOut() == 1 && slices.Contains(types, m.Type.Out(0))
			if _, excused := unzoned[name]; !zoned && !excused && !leads {
				t.Errorf("%s takes no zone.Zone: what it writes is shared by runs of every ref", name)
			}
		}
	}
	for name := range unzoned {
		if !there[name] {
			t.Errorf("%s is excused and is not there", name)
		}
	}
}

func TestAZoneHasABudgetOfValues(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), open(t, t.TempDir()+"/runs.db")
	branch := zone.Zone{Repository: "/r"}
	for i := range MaxZoneBytes / MaxValueBytes {
		if err := s.Values().Set(ctx, Space{branch, string(rune('a' + i))}, "v", make([]byte, MaxValueBytes)); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := s.Values().Set(ctx, Space{branch, "another module"}, "v", []byte{1}); !errors.Is(err, ErrSpaceFull) {
		t.Errorf("beyond the zone's budget: %v", err)
	}
	main := Space{zone.Zone{Repository: "/r", Trust: zone.Protected}, "a"}
	if err := s.Values().Set(ctx, main, "v", []byte{1}); err != nil {
		t.Errorf("a branch's values took the room of the protected zone: %v", err)
	}
	if err := s.Values().Set(ctx, Space{zone.Zone{}, "a"}, "v",
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
			if ok, err := s.Groups().Enter(ctx, want.in, "db", 1, l[i].ID); err != nil || ok != want.ok {
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
		if run, ok, err := s.Queue().ClaimProtected(ctx, ThisHost(), time.Hour); !ok || err != nil || run.ID != second.ID {
			t.Errorf("claimed %d, %v, %v: want the protected run %d", run.ID, ok, err, second.ID)
		}
		if _, ok, err := s.Queue().ClaimProtected(ctx, ThisHost(), time.Hour); ok || err != nil {
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
		if _, known, err := s.Repositories().TrustRoot(ctx, "/r"); known || err != nil {
			t.Errorf("of a new repository: %v, %v", known, err)
		}
		want := TrustRoot{Ref: "refs/heads/main", Head: "refs/heads/master", Dangling: true, ID: "abc",
			At: time.UnixMilli(5000)}
		for _, seen := range []bool{false, true} {
			want.Seen = seen
			if err := s.Repositories().SetTrustRoot(ctx, "/r", want); err != nil {
				t.Fatal(err)
			}
			got, known, err := s.Repositories().TrustRoot(ctx, "/r")
			if got.At = local(got.At); !known || err != nil || got.ID != "abc" || got.Seen != seen || !got.Dangling ||
				got.Ref != want.Ref || got.Head != want.Head || !got.At.Equal(want.At) {
				t.Errorf("%+v, %v, %v", got, known, err)
			}
		}
		if _, known, _ := s.Repositories().TrustRoot(ctx, "/q"); known {
			t.Error("another repository has it too")
		}
	})
}
