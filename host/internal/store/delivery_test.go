package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"
)

func claimDelivery(t *testing.T, s *Store, now time.Time) string {
	t.Helper()
	d, ok, err := s.Outbox().Claim(context.Background(), now, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s %s %d", d.Target, d.Kind, d.Attempts)
}

func TestADeliveryFromAddToEnd(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		run := begin(t, s, newRun("/r", 1)).ID
		list := []Delivery{
			{Run: run, Target: "a", Kind: "pending", Body: []byte("{\x00\xff}"), Next: day},
			{Run: run, Target: "a", Kind: "success", Next: day},
			{Run: run, Target: "b", Kind: "pending", Next: day.Add(time.Second)},
		}
		if err := s.Outbox().Add(ctx, list); err != nil {
			t.Fatal(err)
		}
		if got := claimDelivery(t, s, day.Add(-time.Millisecond)); got != "" {
			t.Errorf("%s is due early", got)
		}
		first, ok, err := s.Outbox().Claim(ctx, day.Add(time.Second), time.Minute)
		want := Delivery{ID: first.ID, Run: run, Target: "a", Kind: "pending", Body: []byte("{\x00\xff}"), Attempts: 1,
			Next: local(day.Add(61 * time.Second)), State: "waiting"}
		if err != nil || !ok || !reflect.DeepEqual(first, want) {
			t.Errorf("\n got %+v\nwant %+v %v", first, want, err)
		}
		// One target's messages come in order; another's do not wait for them.
		if got := claimDelivery(t, s, day.Add(time.Second)); got != "b pending 1" {
			t.Error(got)
		}
		if got := claimDelivery(t, s, day.Add(time.Second)); got != "" {
			t.Errorf("%s was claimed next to its elder", got)
		}
		if err := s.Outbox().Failed(ctx, first.ID, day.Add(time.Hour), "503", false); err != nil {
			t.Fatal(err)
		}
		if got := claimDelivery(t, s, day.Add(30*time.Second)); got != "" {
			t.Errorf("%s went before what is tried again", got)
		}
		if got := claimDelivery(t, s, day.Add(2*time.Hour)); got != "b pending 2" { // its lease ended
			t.Error(got)
		}
		if got := claimDelivery(t, s, day.Add(2*time.Hour)); got != "a pending 2" {
			t.Error(got)
		}
		if err := s.Outbox().Failed(ctx, first.ID, time.Time{}, "410 gone", true); err != nil {
			t.Fatal(err)
		}
		if got := claimDelivery(t, s, day.Add(2*time.Hour)); got != "a success 1" {
			t.Errorf("what comes after one that was given up: %s", got)
		}
		endOfDeliveries(t, s, run, first.ID)
	})
}

func endOfDeliveries(t *testing.T, s *Store, run, failed int64) {
	t.Helper()
	ctx := context.Background()
	if err := s.Outbox().Done(ctx, failed+1); err != nil {
		t.Fatal(err)
	}
	all, err := s.Outbox().Of(ctx, run)
	var got []string
	for _, d := range all {
		got = append(got, fmt.Sprintf("%s %s %s %q", d.Target, d.Kind, d.State, d.Error))
	}
	want := []string{`a pending failed "410 gone"`, `a success done ""`, `b pending waiting ""`}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q %v", got, err)
	}
	for _, err := range []error{s.Outbox().Done(ctx, failed), s.Outbox().Done(ctx, 99),
		s.Outbox().Failed(ctx, failed+1, day, "x", false)} {
		if !errors.Is(err, ErrNoDelivery) {
			t.Errorf("the end of what does not wait: %v", err)
		}
	}
	err = s.Outbox().Add(ctx, []Delivery{{Run: run, Target: "c"}, {Run: 99, Target: "c"}})
	if all, _ := s.Outbox().Of(ctx, run); err == nil || len(all) != 3 {
		t.Errorf("a delivery of no run: %v, %d are kept", err, len(all))
	}
}

func TestNoDeliveryIsClaimedTwice(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		const deliveries = 40
		ctx, where := context.Background(), on.where(t)
		s := open(t, where)
		run := begin(t, s, newRun("/r", 1)).ID
		var list []Delivery
		for i := range deliveries {
			list = append(list, Delivery{Run: run, Target: fmt.Sprint(i), Next: day})
		}
		if err := s.Outbox().Add(ctx, list); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := map[int64]int{}
		for range 4 {
			s := open(t, where)
			wg.Go(func() {
				for {
					d, ok, err := s.Outbox().Claim(ctx, day, time.Minute)
					if err != nil {
						t.Error(err)
					}
					if !ok {
						return
					}
					mu.Lock()
					got[d.ID]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for id, n := range got {
			if n != 1 {
				t.Errorf("delivery %d was claimed %d times", id, n)
			}
		}
		// What another held a lock on was passed over; the next look finds it.
		for claimDelivery(t, s, day) != "" {
			got[-int64(len(got))] = 1
		}
		if len(got) != deliveries {
			t.Errorf("%d of %d were claimed", len(got), deliveries)
		}
	})
}

func TestTokens(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), on.fresh(t)
		a := Token{Name: "a", Scope: "read", Repositories: []string{"/r", "/s\xff\n,"}, Hash: [32]byte{0, 0xff},
			Created: local(day)}
		b := Token{Name: "b", Scope: "admin", Hash: [32]byte{1}, Created: local(day)}
		for _, token := range []Token{b, a} {
			if err := s.Tokens().Add(ctx, token); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := s.Tokens().List(ctx); err != nil || !reflect.DeepEqual(all, []Token{a, b}) {
			t.Errorf("%+v %v", all, err)
		}
		if got, err := s.Tokens().ByHash(ctx, a.Hash); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := s.Tokens().ByHash(ctx, [32]byte{}); err != ErrNoToken {
			t.Error(err)
		}
		if err := s.Tokens().Add(ctx, Token{Name: "a", Hash: [32]byte{9}}); !errors.Is(err, ErrTokenName) ||
			err.Error() != "cannot add token a: a token of that name already exists" {
			t.Error(err)
		}
		if got, _ := s.Tokens().ByHash(ctx, a.Hash); !reflect.DeepEqual(got, a) {
			t.Errorf("a second token of its name changed it: %+v", got)
		}
		for _, none := range [][]string{{}, {""}} {
			if err := s.Tokens().Add(ctx, Token{Name: "d", Repositories: none, Hash: [32]byte{7}}); err == nil {
				t.Errorf("a token for the repositories %q is one for all", none)
			}
		}
		if err := s.Tokens().Add(ctx, Token{Hash: [32]byte{8}}); err == nil {
			t.Error("a token without a name")
		}
		if err := s.Tokens().Add(ctx, Token{Name: "c", Hash: a.Hash}); err == nil {
			t.Error("two names of one token")
		}
		if err := s.Tokens().Drop(ctx, "a"); err != nil {
			t.Error(err)
		}
		if _, err := s.Tokens().ByHash(ctx, a.Hash); err != ErrNoToken {
			t.Errorf("a dropped token lets in: %v", err)
		}
		if err := s.Tokens().Drop(ctx, "a"); !errors.Is(err, ErrNoToken) {
			t.Error(err)
		}
	})
}
