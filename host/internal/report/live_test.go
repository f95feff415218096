package report

import (
	"bytes"
	"fmt"
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
	w := Output{Err: &b}.Watch(&j, quick{})
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
	quiet := Output{Err: &b}.For(gate.Call{Format: "json"}).Watch(&j, quick{})
	quiet.Ended(0, ended("vet", store.Passed, ""))
	if quiet.Close(); b.Len() > 0 {
		t.Errorf("between a machine's lines: %q", b.String())
	}
}

// quick is a host that has the run on record at once.
type quick map[string]time.Duration

func (quick) WaitNumber() int64                    { return 7 }
func (q quick) Expected() map[string]time.Duration { return q }

// terminal is a progress on a terminal of some columns and rows, drawn by hand.
func terminal(w *bytes.Buffer, columns, rows int, color bool, titles ...string) *progress {
	j := &gate.Run{}
	for _, title := range titles {
		j.LaneRuns = append(j.LaneRuns, ended(title, "", ""))
	}
	return &progress{w: w, run: j, term: gate.Terminal{Live: true, Columns: columns, Rows: rows, Color: color},
		paint: painter(color), titles: titles, width: titleWidth(titles),
		finals: make([]*gate.LaneRun, len(titles)), last: make([]string, len(titles)), running: map[int]time.Time{},
		told: map[int]int{}, shown: make([]bool, len(titles)), stop: make(chan struct{})}
}

// drawn is what a progress draws now.
func drawn(p *progress, b *bytes.Buffer) string {
	b.Reset()
	p.draw()
	return b.String()
}

// TestLive: on a terminal what goes on is drawn below what has ended, over what was drawn before, in lines that fit.
func TestLive(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := terminal(&b, 30, 10, false, "vet", "test")
	if got := drawn(p, &b); got != "  queued     2 lanes\n" {
		t.Errorf("queued: %q", got)
	}
	p.Started(1)
	p.Line(1, strings.Repeat("x", 100))
	if got := drawn(p, &b); got != "\x1b[1A\x1b[J  running    test  0ms  xxxx…\n  queued     1 lane\n" {
		t.Errorf("running: %q", got)
	}
	b.Reset()
	p.Ended(1, ended("test", store.Failed, "no"))
	if got := b.String(); got != "\x1b[2A\x1b[J  failed     test  1.5s  no\n  queued     1 lane\n" {
		t.Errorf("one before its turn: %q", got)
	}
	b.Reset()
	p.Ended(0, ended("vet", store.Passed, ""))
	if got := b.String(); got != "\x1b[1A\x1b[J  passed     vet   1.5s\n" {
		t.Errorf("ended: %q", got)
	}
	b.Reset()
	if p.Close(); b.Len() > 0 {
		t.Errorf("closed: %q", b.String())
	}
	if got := terminal(&b, 5, 0, false).fit(strings.Repeat("y", 200)+"\n", ""); len([]rune(got)) != 80 {
		t.Errorf("a terminal of no width: %d columns", len([]rune(got)))
	}
}

// TestRows: thirty running lanes on a small terminal never draw more lines than it has rows.
func TestRows(t *testing.T) {
	t.Parallel()
	titles := make([]string, 30)
	for i := range titles {
		titles[i] = fmt.Sprint("lane-", i)
	}
	var b bytes.Buffer
	p := terminal(&b, 80, 8, false, titles...)
	for i := range 20 {
		p.Started(i)
	}
	got := drawn(p, &b)
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if len(lines) != 6 || p.drawn != 6 || !strings.HasPrefix(lines[0], "  running    lane-0 ") ||
		lines[4] != "  and 16 more running" || lines[5] != "  queued     10 lanes" {
		t.Errorf("got %d lines\n%s", p.drawn, got)
	}
}

// TestExpected: a lane's line says what it took before; colours are on while it runs.
func TestExpected(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := terminal(&b, 80, 24, true, "test")
	p.source = quick{"test": 41200 * time.Millisecond}
	p.Started(0)
	p.tick(time.Now())
	if got := b.String(); !strings.HasPrefix(got, "  \x1b[36mrunning  \x1b[0m  test  ") ||
		!strings.HasSuffix(got, "ms of about 41.0s\n") {
		t.Errorf("got %q", got)
	}
}

// TestBeat: without a terminal a line says of a lane that it is still running, after 10 s, 30 s and each minute.
func TestBeat(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := terminal(&b, 0, 0, false, "vet", "test")
	p.term.Live = false
	began := time.Now()
	p.running[1] = began
	for second := range 181 {
		p.tick(began.Add(time.Duration(second) * time.Second))
	}
	want := ""
	for _, took := range []string{"10.0s", "30.0s", "1m00s", "2m00s", "3m00s"} {
		want += "  running    test  " + took + " so far\n"
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// slow is a host that has the run on record once it is told to.
type slow struct {
	quick
	begun chan struct{}
}

func (s slow) WaitNumber() int64 { <-s.begun; return 7 }

// TestAddressFirst: a push to a server is told where its run can be followed before it is told anything of a lane.
func TestAddressFirst(t *testing.T) {
	t.Parallel()
	j := runOf(ended("vet", "", ""))
	j.Gate, j.Address, j.Policy.URL = "pre-receive", "team/app", "https://ci.example.org"
	var b bytes.Buffer
	source := slow{begun: make(chan struct{})}
	w := Output{Err: &b}.Watch(&j, source)
	w.Ended(0, ended("vet", store.Passed, ""))
	close(source.begun)
	w.Close()
	want := "pushlane: main 1111111..2222222: 1 of 1 lane\n" +
		"pushlane: run #7: https://ci.example.org/r/team%2Fapp/runs/7\n  passed     vet  1.5s\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestCells: wide and combining characters are counted as terminals show them.
func TestCells(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"abcdef": "abcdef", "abcdefg": "abcde…", "日本語": "日本語",
		"日本語日": "日本…",
		"e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301": "e\u0301e\u0301e\u0301e\u0301e\u0301…",
		"a\xffb": "a\xffb", "": ""} {
		if got := cutCells(text, 6); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestPainter: states have their colours where the terminal can, and line up.
func TestPainter(t *testing.T) {
	t.Parallel()
	for state, code := range map[store.State]string{store.Passed: "32", store.Failed: "31", store.Broken: "31",
		store.Cancelled: "31", store.Skipped: "2", store.Running: "36"} {
		padded := (string(state) + "          ")[:9]
		if got := painter(true).state(state); got != "\x1b["+code+"m"+padded+"\x1b[0m" {
			t.Errorf("%s: %q", state, got)
		}
		if got := painter(false).state(state); got != padded {
			t.Errorf("%s without colour: %q", state, got)
		}
	}
}
