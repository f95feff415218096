package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

// painter colours words if the terminal can.
type painter bool

func (p painter) wrap(code, text string) string {
	if !p {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p painter) bad(text string) string  { return p.wrap("31", text) }
func (p painter) good(text string) string { return p.wrap("32", text) }
func (p painter) dim(text string) string  { return p.wrap("2", text) }

// state is the state's name, padded so that lanes line up.
func (p painter) state(s store.State) string {
	text := fmt.Sprintf("%-9s", s)
	switch s {
	case store.Passed:
		return p.good(text)
	case store.Failed, store.Broken, store.Cancelled:
		return p.bad(text)
	case store.Running:
		return p.wrap("36", text)
	}
	return p.dim(text)
}

// Source is what a view of a run asks the host for.
type Source interface {
	WaitNumber() int64                  // of the run, once it is on record
	Expected() map[string]time.Duration // what lanes took before, by id
}

// progress shows a run while it goes on. Without a terminal it prints each
// lane's line once, in lane order, as soon as all before it have ended, and a line
// for each lane that is under way for long. On a terminal it prints a lane's line
// when it ends, and redraws below them what is running: never more lines than the
// terminal has rows.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	run      *gate.Run
	source   Source
	term     gate.Terminal
	paint    painter
	titles   []string // of the lane runs, which change while they run
	width    int
	finals   []*gate.LaneRun
	running  map[int]time.Time
	told     map[int]int // lines that said that a lane is still running
	last     []string
	expected map[string]time.Duration
	asked    bool   // what is expected; of the goroutine of follow
	printed  int    // lane runs whose line was printed, in lane order
	shown    []bool // on a terminal: whose line was printed
	drawn    int    // live lines below the cursor's home
	held     bool   // nothing is printed yet: the address comes first
	stop     chan struct{}
	ended    sync.WaitGroup
	quiet    bool
}

const redrawEvery = 100 * time.Millisecond

// Watch shows a run while it goes on.
func (o Output) Watch(j *gate.Run, source Source) *progress {
	titles := make([]string, len(j.LaneRuns))
	for i := range j.LaneRuns {
		titles[i] = laneTitle(&j.LaneRuns[i])
	}
	p := &progress{titles: titles, w: o.Err, run: j, source: source, term: o.term, paint: painter(o.term.Color),
		width: titleWidth(titles), finals: make([]*gate.LaneRun, len(j.LaneRuns)), last: make([]string, len(j.LaneRuns)),
		running: map[int]time.Time{}, told: map[int]int{}, shown: make([]bool, len(j.LaneRuns)),
		stop: make(chan struct{}), quiet: o.format != "" && o.format != "text"}
	if p.quiet {
		return p
	}
	io.WriteString(p.w, header(j))
	if p.held = j.Receives() && j.Address != ""; p.held {
		p.ended.Go(p.writeAddress)
	}
	p.ended.Go(p.follow)
	return p
}

// writeAddress says where the run can be followed, before anything is said of its
// lanes.
func (p *progress) writeAddress() {
	number := p.source.WaitNumber()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	if number > 0 {
		fmt.Fprintf(p.w, "pushlane: run #%d: %s\n", number, runjson.Page(p.run.Policy.URL, p.run.Address, number, ""))
	}
	p.draw()
}

func (p *progress) Started(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[i] = time.Now()
}

func (p *progress) Line(i int, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[i] = text
}

func (p *progress) Ended(i int, o gate.LaneRun) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, i)
	p.finals[i] = &o
	p.draw()
}

// follow redraws a terminal, and tells others what runs for long.
func (p *progress) follow() {
	every := time.Second
	if p.term.Live {
		every = redrawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			p.tick(now)
		}
	}
}

func (p *progress) tick(now time.Time) {
	var expected map[string]time.Duration
	asks := p.term.Live && !p.asked
	if asks {
		expected = p.source.Expected() // not before the first redraw: most runs are over by then
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if asks {
		p.asked, p.expected = true, expected
	}
	if p.term.Live {
		p.draw()
	} else {
		p.beat(now)
	}
}

// beat writes a line for each lane that has been running for 10 s, 30 s, and each
// further minute.
func (p *progress) beat(now time.Time) {
	for i := range p.titles {
		since, runs := p.running[i]
		if !runs || p.held || now.Sub(since) < nextBeat(p.told[i]) {
			continue
		}
		p.told[i]++
		fmt.Fprintf(p.w, "  %s  %-*s  %s so far\n", p.paint.state(store.Running), p.width, p.titles[i],
			printable.Elapsed(now.Sub(since).Truncate(time.Second)))
	}
}

// nextBeat is how long a lane runs until the line that comes after n of them.
func nextBeat(n int) time.Duration {
	switch n {
	case 0:
		return 10 * time.Second
	case 1:
		return 30 * time.Second
	}
	return time.Duration(n-1) * time.Minute
}

// draw prints what is new and, on a terminal, the live lines again.
func (p *progress) draw() {
	if p.quiet || p.held {
		return
	}
	var b bytes.Buffer
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
	if p.term.Live {
		p.drawLive(&b)
	} else {
		for p.printed < len(p.finals) && p.finals[p.printed] != nil {
			b.WriteString(resultLine(p.paint, *p.finals[p.printed], p.width))
			p.printed++
		}
	}
	if b.Len() > 0 {
		p.w.Write(b.Bytes())
	}
}

// drawLive prints the lines of lanes that ended, and below them those of running
// lanes, the longest first, and one of all the others.
func (p *progress) drawLive(b *bytes.Buffer) {
	for i, o := range p.finals {
		if o != nil && !p.shown[i] {
			p.shown[i] = true
			b.WriteString(p.fit(resultLine(false, *o, p.width), o.State))
		}
	}
	room := max(1, cmp.Or(p.term.Rows, 24)-3)
	under := p.underWay()
	for k, i := range under[:min(len(under), room)] {
		if k == room-1 && len(under) > room {
			fmt.Fprintf(b, "  and %d more running\n", len(under)-k)
			p.drawn++
			break
		}
		b.WriteString(p.fit(p.runningLine(i), store.Running))
		p.drawn++
	}
	if n := p.waiting(len(under)); n > 0 {
		b.WriteString(p.fit(fmt.Sprintf("  %-9s  %s\n", store.Queued, printable.Count(n, "lane")), store.Queued))
		p.drawn++
	}
}

// underWay lists the lane runs that run, by when they began.
func (p *progress) underWay() []int {
	var all []int
	for i := range p.running {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Or(p.running[a].Compare(p.running[b]), a-b) })
	return all
}

// waiting counts the lane runs that have not begun.
func (p *progress) waiting(running int) int {
	n := len(p.finals) - running
	for _, o := range p.finals {
		if o != nil {
			n--
		}
	}
	return n
}

func (p *progress) runningLine(i int) string {
	took := printable.Elapsed(time.Since(p.running[i]))
	if usual := p.expected[p.run.LaneRuns[i].Lane().ID]; usual >= time.Second {
		took += " of about " + printable.Elapsed(usual.Round(time.Second))
	}
	return fmt.Sprintf("  %-9s  %-*s  %s  %s\n", store.Running, p.width, p.titles[i], took, p.last[i])
}

// fit cuts a line that begins with a state to the terminal's width, since a wrapped
// line could not be drawn over, and colours the state.
func (p *progress) fit(line string, state store.State) string {
	columns := p.term.Columns - 1
	if columns < 20 {
		columns = 79
	}
	line = cutCells(strings.TrimRight(line, " \n"), columns)
	padded := fmt.Sprintf("  %-9s", state)
	if rest, ok := strings.CutPrefix(line, padded); ok {
		line = "  " + p.paint.state(state) + rest
	}
	return line + "\n"
}

// cutCells cuts a text to as many cells of a terminal, the last of which says that
// something was cut.
func cutCells(text string, most int) string {
	used, keep := 0, 0
	for at, r := range text {
		if used <= most-1 {
			keep = at
		}
		if used += cells(r); used > most {
			return text[:keep] + "…"
		}
	}
	return text
}

// cells is how many cells of a terminal a character takes.
func cells(r rune) int {
	switch {
	case r == utf8.RuneError:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Close draws for the last time; nothing live is left standing.
func (p *progress) Close() {
	close(p.stop)
	p.ended.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw()
}

// Watcher receives the progress of lane runs; i is the index in gate.Run.LaneRuns.
// Its methods are called from several goroutines.
type Watcher interface {
	Started(i int)
	Line(i int, text string)
	Ended(i int, o gate.LaneRun)
}
