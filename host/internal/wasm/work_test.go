package wasm

import (
	"context"
	"errors"
	"testing"
)

// working are operations that cost the host units of work each.
type working struct {
	*testOps
	units, since int64
}

func (w *working) Call(ctx context.Context, handles *Handles, op string, req []byte) ([]byte, error) {
	w.since += w.units
	return w.testOps.Call(ctx, handles, op, req)
}

func (w *working) Work() int64 {
	units := w.since
	w.since = 0
	return units
}

// TestTheRunPaysForTheHostsWork: what the host does for a plugin is fuel as
// what the plugin does itself, also for calls that are refused.
func TestTheRunPaysForTheHostsWork(t *testing.T) {
	m := load(t, open(t, Options{}), "calls")
	run := func(units, fuel int64) (Result, error) {
		return m.Run(t.Context(), Call{World: &Local{Ops: &working{testOps: &testOps{}, units: units}}, Fuel: fuel})
	}
	free, err := run(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	const units = 1_000_000
	paid, err := run(units, 0)
	if err != nil {
		t.Fatal(err)
	}
	if calls := (paid.Used.Fuel - free.Used.Fuel) / units; calls < 64 || calls > 100 {
		t.Errorf("%d units more: %d calls were paid for", paid.Used.Fuel-free.Used.Fuel, calls)
	}
	_, err = run(units, free.Used.Fuel+10*units)
	if limit := new(LimitError); !errors.As(err, &limit) || limit.What != "fuel" ||
		limit.Used.Fuel > free.Used.Fuel+12*units {
		t.Errorf("got %v", err)
	}
}

// TestAnAnswerThatComesTooLateIsNone: an operation that ends with its context
// ends the run, whatever it said.
func TestAnAnswerThatComesTooLateIsNone(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("time is up")
	l := &Local{Ops: late{cancel, why}}
	a, err := l.Ask(ctx, Question{Kind: AskCall, Name: "x@1", Data: []byte("{}")})
	if !errors.Is(err, why) || a.Data != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

type late struct {
	cancel context.CancelCauseFunc
	why    error
}

func (l late) Call(context.Context, *Handles, string, []byte) ([]byte, error) {
	l.cancel(l.why)
	return []byte(`{"changes":[]}`), nil
}
