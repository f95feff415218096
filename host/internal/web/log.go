package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/lanelog"
	"github.com/pushlane/pushlane/host/internal/store"
)

// maxShown is how many lines of a log a page holds; the rest is a link away.
const maxShown = 5000

// logLine is one line of a log on a page.
type logLine struct {
	N      int
	At     time.Time
	Stream string
	HTML   template.HTML
}

// logPart is a group of lines, folded under a name, or lines outside any.
type logPart struct {
	Name  string
	Open  bool
	Lines []logLine
}

type laneData struct {
	Repo     repository
	Run      runView
	Lane     laneView
	Attempt  store.LaneRun
	Attempts []store.LaneRun
	Parts    []logPart
	Skipped  int    // lines before the first one shown
	Offset   int64  // byte of the log after the last line shown
	Lines    int    // number of the last line shown
	Follow   string // address of what comes after; "" it has ended
	Gone     bool   // the log was removed
	hider    *strings.Replacer
	All      bool // all lines, which are written as they are read
	lastPart int  // of All: which group is the last, from 1
}

// logs serves the logs of lane runs.
type logs struct {
	catalog *catalog
	out     *renderer
}

// lane finds the lane run that a request names: a lane, its attempt (?attempt=,
// the newest without) and update (?update=).
func (s *logs) lane(r *http.Request) (laneData, error) {
	repo, run, err := s.catalog.run(r)
	d := laneData{Repo: repo, Run: run, hider: s.catalog.hider(r.Context(), repo.Key, repo.Slug)}
	if err != nil {
		return d, err
	}
	update, _ := strconv.Atoi(r.URL.Query().Get("update"))
	attempt, _ := strconv.Atoi(r.URL.Query().Get("attempt"))
	lanes, err := s.catalog.lanes(r.Context(), run, nil)
	if err != nil {
		return d, err
	}
	for _, l := range lanes {
		if l.LaneRun.Lane != r.PathValue("lane") || max(0, l.Update) != update {
			continue
		}
		d.Lane, d.Attempts = l, append(l.Earlier, l.LaneRun)
		for _, a := range d.Attempts {
			if attempt == 0 || a.Attempt == attempt {
				d.Attempt = a
			}
		}
	}
	if d.Attempt.ID == 0 {
		return d, errNotHere
	}
	return d, nil
}

func (s *logs) page(w http.ResponseWriter, r *http.Request) {
	d, err := s.lane(r)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	if r.URL.Query().Get("raw") != "" {
		s.raw(w, r, d)
		return
	}
	if r.URL.Query().Get("all") != "" {
		err = d.measure()
	} else {
		err = d.read()
	}
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	if !d.Attempt.State.Final() {
		d.Follow = fmt.Sprintf("%s/events?update=%d&attempt=%d", strings.SplitN(d.Lane.Link, "?", 2)[0],
			max(0, d.Lane.Update), d.Attempt.Attempt)
	}
	title := fmt.Sprintf("%s of run #%d, %s", d.Lane.LaneRun.Lane, d.Run.Number, d.Attempt.State)
	p := page{Title: title, Data: d}
	if d.All {
		s.out.stream(w, r, p, d.writeAll)
		return
	}
	s.out.show(w, r, http.StatusOK, "lane", p)
}

// open opens the attempt's log; nil: there is none.
func (d *laneData) open() (io.ReadCloser, error) {
	if d.Attempt.Log.Path == "" {
		return nil, nil
	}
	f, err := lanelog.Open(d.Attempt.Log.Path)
	if errors.Is(err, os.ErrNotExist) {
		d.Gone = d.Attempt.Log.SHA256 != ""
		return nil, nil
	}
	return f, err
}

// maxShownBytes bounds the text of the lines that a page holds.
const maxShownBytes = 4 << 20

// read takes in the end of the log as far as it is written, folded into its
// groups.
func (d *laneData) read() error {
	f, err := d.open()
	if f == nil {
		return err
	}
	defer f.Close()
	var last lastLines
	d.Offset, err = lanelog.Read(f, 0, func(_ int64, l lanelog.Line) error {
		d.Lines++
		last.add(l)
		return nil
	})
	var lines []logLine
	var texts []string
	for i, l := range last.lines {
		lines = append(lines, d.line(d.Lines-len(last.lines)+i+1, l))
		texts = append(texts, l.Text)
	}
	d.Skipped = d.Lines - len(last.lines)
	d.Parts = fold(lines, texts, d.failed())
	return err
}

func (d *laneData) line(n int, l lanelog.Line) logLine {
	return logLine{N: n, At: l.At, Stream: string(l.Stream), HTML: colored(d.hide(l))}
}

// hide is a line's text without the folders of this machine that the host
// itself may name in it.
func (d *laneData) hide(l lanelog.Line) string {
	if l.Stream != 'h' {
		return l.Text
	}
	return d.hider.Replace(l.Text)
}

func (d *laneData) failed() bool { return d.Attempt.State.Final() && d.Attempt.State != store.Passed }

// lastLines are the last lines that a page holds.
type lastLines struct {
	lines []lanelog.Line
	bytes int
}

func (l *lastLines) add(line lanelog.Line) {
	l.lines, l.bytes = append(l.lines, line), l.bytes+len(line.Text)
	for len(l.lines) > maxShown || l.bytes > maxShownBytes && len(l.lines) > 1 {
		l.bytes -= len(l.lines[0].Text)
		l.lines[0].Text = "" // the rest of the array stays until it grows
		l.lines = l.lines[1:]
	}
}

// fold cuts a log into groups: "::group::name" to "::endgroup::", "--- name" a
// folded one, "+++ name" an open one, each up to the next. The last group of
// what failed is open.
func fold(lines []logLine, texts []string, failed bool) []logPart {
	parts := []logPart{{Open: true}}
	for i, l := range lines {
		name, open, ok := groupStart(texts[i])
		switch {
		case ok:
			parts = append(parts, logPart{Name: name, Open: open})
			continue
		case strings.TrimSpace(texts[i]) == "::endgroup::":
			parts = append(parts, logPart{Open: true})
			continue
		}
		last := &parts[len(parts)-1]
		last.Lines = append(last.Lines, l)
	}
	for i := len(parts) - 1; failed && i >= 0; i-- {
		if parts[i].Name != "" {
			parts[i].Open = true
			break
		}
	}
	return parts
}

func groupStart(text string) (name string, open, ok bool) {
	for prefix, open := range map[string]bool{"::group::": false, "--- ": false, "+++ ": true} {
		if rest, found := strings.CutPrefix(text, prefix); found && strings.TrimSpace(rest) != "" {
			return strings.Map(printable, stripColor(rest)), open, true
		}
	}
	return "", false, false
}

// stripColor leaves the text of a line alone.
func stripColor(line string) string {
	for {
		i := strings.IndexByte(line, 0x1b)
		if i < 0 {
			return line
		}
		_, rest, _ := cutColor(line[i:])
		line = line[:i] + rest
	}
}

// raw sends the whole log as text, as far as it is written.
func (s *logs) raw(w http.ResponseWriter, r *http.Request, d laneData) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	f, err := lanelog.Open(d.Attempt.Log.Path)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	defer f.Close()
	lanelog.Read(f, 0, func(_ int64, l lanelog.Line) error {
		_, err := io.WriteString(w, strings.Map(printable, stripColor(d.hide(l)))+"\n")
		return err
	})
}

// askEvery is how often it is asked whether a lane has ended; its log is looked
// at more often.
const askEvery = 250 * time.Millisecond

// events streams a log's lines from a byte on, and says when it has ended.
// The id of each event is the byte after it, so that a browser that comes back
// goes on where it was.
func (s *logs) events(w http.ResponseWriter, r *http.Request) {
	d, err := s.lane(r)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	from, line := position(r)
	out := newEvents(w)
	if out.send("retry: 1000\n\n") != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	path, ok := s.path(ctx, d, out)
	if !ok {
		return
	}
	var asked time.Time
	ended := func() bool {
		if time.Since(out.last) > pingEvery && out.send("") != nil {
			cancel()
		}
		if time.Since(asked) < askEvery {
			return false
		}
		asked = time.Now()
		return s.ended(ctx, d.Attempt.ID, d.Run.ID)
	}
	err = lanelog.Follow(ctx, path, from, ended, func(offset int64, l lanelog.Line) error {
		line++
		data, err := json.Marshal(map[string]any{"n": line, "at": l.At.UTC().Format(time.RFC3339), "stream": string(l.Stream),
			"html": string(colored(d.hide(l)))})
		if err != nil {
			return err
		}
		return out.send(fmt.Sprintf("id: %d.%d\ndata: %s\n\n", offset, line, data))
	})
	if err == nil {
		out.send("event: end\ndata: {}\n\n")
	}
}

// position reads where to go on: Last-Event-ID "<byte>.<line>", or ?from= and
// ?line= at the first time.
func position(r *http.Request) (from int64, line int) {
	q := r.URL.Query()
	text := q.Get("from") + "." + q.Get("line")
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		text = id
	}
	a, b, _ := strings.Cut(text, ".")
	from, _ = strconv.ParseInt(a, 10, 64)
	line, _ = strconv.Atoi(b)
	return max(0, from), max(0, line)
}

// path waits until the lane run has a log or has ended without one.
func (s *logs) path(ctx context.Context, d laneData, out *events) (string, bool) {
	for {
		l, ok := s.laneRun(ctx, d.Attempt.ID, d.Run.ID)
		switch {
		case ok && l.Log.Path != "":
			return l.Log.Path, true
		case !ok || l.State.Final():
			out.send("event: end\ndata: {}\n\n")
			return "", false
		}
		select {
		case <-ctx.Done():
			return "", false
		case <-time.After(100 * time.Millisecond):
		}
		if time.Since(out.last) > pingEvery && out.send("") != nil {
			return "", false
		}
	}
}

func (s *logs) ended(ctx context.Context, lane, run int64) bool {
	l, ok := s.laneRun(ctx, lane, run)
	return ok && l.State.Final()
}

func (s *logs) laneRun(ctx context.Context, lane, run int64) (store.LaneRun, bool) {
	all, err := s.catalog.Store.LaneRuns(ctx, run)
	if err != nil {
		return store.LaneRun{}, false
	}
	for _, l := range all {
		if l.ID == lane {
			return l, true
		}
	}
	return store.LaneRun{}, false
}
