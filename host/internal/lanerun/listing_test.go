package lanerun

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

// manyChanges gives n changes that no glob of manyGlobs matches.
func manyChanges(n int) func(int) (sdk.Change, bool, error) {
	return func(i int) (sdk.Change, bool, error) {
		return sdk.Change{Path: fmt.Sprintf("d/file%d", i), Status: "A"}, i < n, nil
	}
}

func manyGlobs(n int) []byte {
	q := sdk.ChangesQuery{Globs: make([]string, n)}
	for i := range q.Globs {
		q.Globs[i] = fmt.Sprintf("**/x%d", i)
	}
	return q.AppendJSON(nil)
}

// TestListingIsPaidFor: every glob and path counts, and where there is no fuel
// left the host stops at once.
func TestListingIsPaidFor(t *testing.T) {
	t.Parallel()
	w := &Toil{Ctx: t.Context()}
	if _, err := ListChanges(manyGlobs(1000), 5000, manyChanges(5000), w); err != nil {
		t.Fatal(err)
	}
	if least := int64(1000 * 5000 * unitsPerLook); w.spent < least || w.spent > 4*least {
		t.Errorf("%d units, want %d and some more", w.spent, least)
	}
	looks := 0
	short := &Toil{Ctx: t.Context(), limit: 1_000_000}
	_, err := ListChanges(manyGlobs(1000), 1_000_000, func(i int) (sdk.Change, bool, error) {
		looks++
		return sdk.Change{Path: "x", Status: "A"}, true, nil
	}, short)
	if !errors.Is(err, errToil) || looks > 40 {
		t.Errorf("%v after %d changes", err, looks)
	}
}

// TestListingEndsWithItsRun: the lane's timeout, and the pusher's Ctrl-C, end it
// between one glob and the next.
func TestListingEndsWithItsRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	w := &Toil{Ctx: ctx}
	_, err := ListChanges(manyGlobs(1000), 1_000_000, func(i int) (sdk.Change, bool, error) {
		if i == 3 {
			cancel(ErrLaneTimeout)
		}
		return manyChanges(1_000_000)(i)
	}, w)
	if !errors.Is(err, ErrLaneTimeout) || w.spent > 10*1000*100 {
		t.Errorf("%v after %d units", err, w.spent)
	}
}

func TestListingRefusesWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	_, err := ListChanges(manyGlobs(1001), 10, manyChanges(10), &Toil{Ctx: t.Context()})
	wrong := new(wasm.OpError)
	if !errors.As(err, &wrong) || wrong.Code != wasm.Invalid ||
		wrong.Message != "cannot list changes: 1001 globs, at most 1000 are allowed" {
		t.Errorf("got %v", err)
	}
}

// TestFactsHaveABound: what a run is remembered by does not grow with what it
// asks, and the answer it got is its mark.
func TestFactsHaveABound(t *testing.T) {
	t.Parallel()
	m := &cacheEntry{inputs: map[string]string{}}
	now := environment{changes: func(string) ([]byte, error) { panic("listed again") }}
	for i := range 100 {
		q := wasm.Question{Kind: wasm.AskCall, Name: OpChanges, Data: []byte(strings.Repeat("g", 1<<20) + fmt.Sprint(i))}
		if err := m.note(t.Context(), now, q, wasm.Answer{Data: []byte("page")}); err != nil {
			t.Fatal(err)
		}
	}
	if !m.full() || m.bytes > maxInputBytes+2<<20 {
		t.Errorf("%d bytes in %d facts", m.bytes, len(m.inputs))
	}
	for _, mark := range m.inputs {
		if mark != digestOf([]byte("page")) {
			t.Fatalf("mark %s", mark)
		}
	}
}

// TestRecallDoesNoMoreWorkThanARun: facts that would take for ever to look at
// again are not looked at; the plugin is run.
func TestRecallDoesNoMoreWorkThanARun(t *testing.T) {
	t.Parallel()
	changes := make([]hooks.Change, 20_000)
	for i := range changes {
		changes[i] = hooks.Change{Path: fmt.Sprintf("d/file%d", i), Status: "A"}
	}
	l := &Lane{access: &access{permits: permits{"repo.read": reach{}},
		j: &gate.Run{Updates: []gate.Update{{Changes: changes}}, LaneRuns: []gate.LaneRun{{}}}}}
	now := environment{changes: l.changesNow(t.Context())}
	page, err := l.changesNow(t.Context())(string(manyGlobs(900)))
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]string{}
	for i := range 100 {
		facts["ch"+string(manyGlobs(900+i))] = digestOf(page)
	}
	if same, err := l.holds(t.Context(), now, &cachedRun{Inputs: facts}); same || err != nil {
		t.Errorf("%t, %v", same, err)
	}
	one := map[string]string{"ch" + string(manyGlobs(900)): digestOf(page)}
	if same, err := l.holds(t.Context(), environment{changes: l.changesNow(t.Context())},
		&cachedRun{Inputs: one}); !same || err != nil {
		t.Errorf("one of them alone: %t, %v", same, err)
	}
}

// TestChangesOfARequestEndWithTheRun: the list that is handed over as well.
func TestChangesOfARequestEndWithTheRun(t *testing.T) {
	t.Parallel()
	l := &Lane{access: &access{permits: permits{"repo.read": reach{}},
		j: &gate.Run{Updates: []gate.Update{{Changes: make([]hooks.Change, 1000)}}, LaneRuns: []gate.LaneRun{{}}}}}
	if all, err := l.visibleChanges(t.Context()); err != nil || len(all) != 1000 {
		t.Errorf("%d, %v", len(all), err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrLaneTimeout)
	if all, err := l.visibleChanges(ctx); !errors.Is(err, ErrLaneTimeout) || all != nil {
		t.Errorf("%d, %v", len(all), err)
	}
	if _, err := ToolCall(ctx, &wasm.Call{}, &sdk.Tool{}, make([]sdk.Change, 1)); !errors.Is(err, ErrLaneTimeout) {
		t.Errorf("a tool's: %v", err)
	}
}

// TestOpenAnswersHaveABound: answers that are not closed do not add up for ever.
func TestOpenAnswersHaveABound(t *testing.T) {
	t.Parallel()
	var o operations
	var open []*PendingRequest
	for i := range 10 {
		e := &PendingRequest{Cancel: func() {}, Done: make(chan struct{}), Held: &o.replies}
		e.End(&HTTPResponse{Body: strings.Repeat("x", maxReply)}, nil)
		_, err := e.Response()
		if fits := i < maxReplies/maxReply; fits != (err == nil) {
			t.Errorf("answer %d: %v", i, err)
		}
		open = append(open, e)
	}
	for _, e := range open {
		e.Close()
	}
	if held := o.replies.Load(); held != 0 {
		t.Errorf("%d bytes are held after all are closed", held)
	}
	gone := &PendingRequest{Cancel: func() {}, Done: make(chan struct{}), Held: &o.replies}
	gone.Close()
	gone.End(&HTTPResponse{Body: "late"}, nil)
	if held := o.replies.Load(); held != 0 || gone.reply != nil {
		t.Errorf("%d bytes of an answer to nobody", held)
	}
}
