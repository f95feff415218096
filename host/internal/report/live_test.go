package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/lanes"
)

// TestWatch: without a terminal each lane's line is printed once, in lane order, when all before it have ended.
func TestWatch(t *testing.T) {
	t.Parallel()
	j := runOf(ended("vet", "", ""), ended("test", "", ""), ended("a-long-one", "", ""))
	j.Updates = append(j.Updates, updateOf("refs/heads/topic"), updateOf("refs/heads/old"))
	j.Updates[0].Notes = []string{"main changes the lanes file"}
	j.Updates[1].Protected, j.Updates[1].Picked = false, make([]lanes.Picked, 1)
	j.Updates[2].Delete = true
	j.LaneRuns[1].Picked.Lane.Title = "All \x1b[1mtests"
	const header = "pushlane: main 1111111..2222222: 3 of 3 lanes\npushlane: note: main changes the lanes file\n" +
		"pushlane: topic 1111111..2222222: 0 of 1 lane, not protected\npushlane: old (deleted) 1111111\n"
	var b bytes.Buffer
	w := Output{Err: &b}.Watch(&j)
	if w.Started(0); b.String() != header {
		t.Errorf("it begins\n%s\nwant\n%s", b.String(), header)
	}
	w.Line(0, "half")
	w.Ended(1, ended("test", store.Failed, "2 errors\nand more"))
	if b.String() != header {
		t.Errorf("a lane before its turn:\n%s", b.String())
	}
	w.Ended(0, ended("vet", store.Passed, ""))
	skipped := ended("a-long-one", store.Skipped, "not needed")
	skipped.Started = time.Time{}
	w.Ended(2, skipped)
	w.Close()
	want := header + "  passed     vet               1.5s\n  failed     test              1.5s  2 errors\n" +
		"  skipped    a-long-one        not needed\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	quiet := Output{Err: &b}.For(gate.Call{Format: "json"}).Watch(&j)
	quiet.Ended(0, ended("vet", store.Passed, ""))
	if quiet.Close(); b.Len() > 0 {
		t.Errorf("between a machine's lines: %q", b.String())
	}
}

// terminal is a progress on a terminal of some columns, drawn by hand.
func terminal(w *bytes.Buffer, columns int, color bool, titles ...string) *progress {
	return &progress{w: w, term: gate.Terminal{Live: true, Columns: columns, Color: color},
		paint: painter(color), titles: titles, width: titleWidth(titles),
		finals: make([]*gate.LaneRun, len(titles)), last: make([]string, len(titles)), running: map[int]time.Time{},
		stop: make(chan struct{})}
}

// TestLive: on a terminal what goes on is drawn below what has ended, over what was drawn before, in lines that fit.
func TestLive(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := terminal(&b, 30, false, "vet", "test")
	p.draw()
	if want := "  queued     vet\n  queued     test\n"; b.String() != want {
		t.Errorf("queued:\n%s", b.String())
	}
	b.Reset()
	p.Started(1)
	p.Line(1, strings.Repeat("x", 100))
	p.draw()
	lines := strings.Split(b.String(), "\n")
	if !strings.HasPrefix(b.String(), "\x1b[2A\x1b[J  queued     vet\n  running    test  ") || len(lines) != 3 ||
		len(lines[1]) != 28 {
		t.Errorf("running: %q", lines)
	}
	b.Reset()
	p.Ended(1, ended("test", store.Failed, "no"))
	if want := "\x1b[2A\x1b[J  queued     vet\n  failed     test  1.5s  no\n"; b.String() != want {
		t.Errorf("one before its turn: %q", b.String())
	}
	b.Reset()
	p.Ended(0, ended("vet", store.Passed, ""))
	if want := "\x1b[2A\x1b[J  passed     vet   1.5s\n  failed     test  1.5s  no\n"; b.String() != want {
		t.Errorf("ended: %q", b.String())
	}
	b.Reset()
	if p.Close(); b.Len() > 0 {
		t.Errorf("closed: %q", b.String())
	}
	if got := terminal(&b, 5, false).fit(strings.Repeat("y", 200) + "\n"); len(got) != 79 {
		t.Errorf("a terminal of no width: %d columns", len(got))
	}
}

// TestPainter: states have their colours where the terminal can, and line up.
func TestPainter(t *testing.T) {
	t.Parallel()
	for state, code := range map[store.State]string{store.Passed: "32", store.Failed: "31", store.Broken: "31",
		store.Cancelled: "31", store.Skipped: "2", store.Running: "2"} {
		padded := (string(state) + "          ")[:9]
		if got := painter(true).state(state); got != "\x1b["+code+"m"+padded+"\x1b[0m" {
			t.Errorf("%s: %q", state, got)
		}
		if got := painter(false).state(state); got != padded {
			t.Errorf("%s without colour: %q", state, got)
		}
	}
}
