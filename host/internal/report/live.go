package report

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// painter colours words where the terminal can.
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
	}
	return p.dim(text)
}

// progress shows a run while it goes on. Without a terminal it prints each
// lane's line once, in lane order, as soon as all before it have ended. On a
// terminal a line per running lane is redrawn below them: elapsed time and the
// last line of its output.
type progress struct {
	mu      sync.Mutex
	w       io.Writer
	term    gate.Terminal
	paint   painter
	titles  []string // of the outcomes, which change while they run
	width   int
	finals  []*gate.LaneRun
	running map[int]time.Time
	last    []string
	printed int // outcomes whose line was printed
	drawn   int // live lines below the cursor's home
	stop    chan struct{}
	quiet   bool
}

const redrawEvery = 100 * time.Millisecond

// Watch shows a run while it goes on.
func (o Output) Watch(j *gate.Run) *progress {
	titles := make([]string, len(j.LaneRuns))
	for i := range j.LaneRuns {
		titles[i] = laneTitle(&j.LaneRuns[i])
	}
	p := &progress{titles: titles, w: o.Err, term: o.term, paint: painter(o.term.Color), width: titleWidth(titles),
		finals: make([]*gate.LaneRun, len(j.LaneRuns)), last: make([]string, len(j.LaneRuns)),
		running: map[int]time.Time{}, stop: make(chan struct{}), quiet: o.format != "" && o.format != "text"}
	if !p.quiet {
		io.WriteString(p.w, header(j))
	}
	if o.term.Live && !p.quiet {
		go p.redraw()
	}
	return p
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

func (p *progress) redraw() {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// draw prints what is new and, on a terminal, the live lines again.
func (p *progress) draw() {
	if p.quiet {
		return
	}
	var b bytes.Buffer
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
	for p.printed < len(p.finals) && p.finals[p.printed] != nil {
		b.WriteString(resultLine(p.paint, *p.finals[p.printed], p.width))
		p.printed++
	}
	if p.term.Live {
		p.drawLive(&b)
	}
	if b.Len() > 0 {
		p.w.Write(b.Bytes())
	}
}

func (p *progress) drawLive(b *bytes.Buffer) {
	for i := p.printed; i < len(p.finals); i++ {
		since, runs := p.running[i]
		switch {
		case p.finals[i] != nil:
			b.WriteString(p.fit(resultLine(painter(false), *p.finals[i], p.width)))
		case runs:
			b.WriteString(p.fit(fmt.Sprintf("  %-9s  %-*s  %s  %s\n", store.Running, p.width, p.titles[i],
				printable.Elapsed(time.Since(since)), p.last[i])))
		default:
			b.WriteString(p.fit(fmt.Sprintf("  %-9s  %s\n", store.Queued, p.titles[i])))
		}
		p.drawn++
	}
}

// fit cuts a live line to the terminal's width: a wrapped line could not be
// drawn over.
func (p *progress) fit(line string) string {
	width := p.term.Columns - 1
	if width < 20 {
		width = 79
	}
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width-1]) + "\n"
}

// Close draws for the last time; nothing live is left standing.
func (p *progress) Close() {
	close(p.stop)
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
