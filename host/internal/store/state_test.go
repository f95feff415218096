package store

import "testing"

// TestTransitionOverEveryPair draws the picture above State once more, as a
// table: what is not listed is refused.
func TestTransitionOverEveryPair(t *testing.T) {
	lane := map[State][]State{
		Queued:   {Starting, Broken, Cancelled, Skipped},
		Starting: {Running, Broken, Cancelled},
		Running:  {Passed, Failed, Broken, Cancelled, Skipped},
	}
	run := map[State][]State{
		Queued:  {Running, Broken, Cancelled},
		Running: {Passed, Failed, Broken, Cancelled, Queued},
	}
	states := append(States(), "", "odd")
	for _, from := range states {
		for _, to := range states {
			checkArrow(t, "lane run", lane, from, to, Transition(from, to))
			checkArrow(t, "run", run, from, to, RunTransition(from, to))
		}
	}
}

func checkArrow(t *testing.T, what string, arrows map[State][]State, from, to State, err error) {
	t.Helper()
	legal := false
	for _, s := range arrows[from] {
		legal = legal || s == to
	}
	if legal != (err == nil) {
		t.Errorf("%s from %q to %q: legal is %v, got %v", what, from, to, legal, err)
	}
}

func TestTransitionTells(t *testing.T) {
	if err := Transition(Passed, Running); err.Error() != `cannot go from "passed" to "running"` {
		t.Error(err)
	}
	if err := RunTransition(Queued, Passed); err.Error() != `a run cannot go from "queued" to "passed"` {
		t.Error(err)
	}
}

func TestFinalStatesHaveNoArrow(t *testing.T) {
	for _, from := range States() {
		leaves := false
		for _, to := range States() {
			leaves = leaves || Transition(from, to) == nil
		}
		if from.Final() == leaves {
			t.Errorf("%s: final is %v, and an arrow leaves it: %v", from, from.Final(), leaves)
		}
	}
}
