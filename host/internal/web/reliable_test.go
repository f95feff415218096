package web

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/lanelog"
	"github.com/pushlane/pushlane/host/internal/store"
)

// TestAllLinesAsTheTemplateWritesThem: a page with all lines is, byte for byte,
// the page that holds them in memory, but for the link to all lines.
func TestAllLinesAsTheTemplateWritesThem(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"groups": {"before", "--- a", "one", "+++ b <x>", "\x1b[1;31mred\x1b[0m " + evil, "::endgroup::", "after",
			"::group::c", "last"},
		"no groups":         {"one", "two"},
		"only a group":      {"--- a"},
		"the marker's text": {string(streamed), "\x00the lines\x00"},
	} {
		for _, state := range []store.State{store.Passed, store.Failed} {
			f := newFixture(t)
			run := f.begin("post-receive")
			f.say(run, lines...)
			f.end(run, state)
			h := f.handler()
			whole, all := get(t, h, "/r/app/runs/1/test").Body.String(), get(t, h, "/r/app/runs/1/test?all=1").Body.String()
			if squeeze(whole) != squeeze(all) {
				t.Errorf("%s, %s:\n%s\nas a stream:\n%s", name, state, whole, all)
			}
		}
	}
}

// squeeze leaves out what differs in layout alone.
func squeeze(page string) string {
	return strings.NewReplacer("\n", "").Replace(page)
}

// countingWriter is a reader of a page who saves nothing of it.
type countingWriter struct {
	header http.Header
	bytes  int
	most   uint64 // of the heap in use, as seen while the page came
}

func (w *countingWriter) Header() http.Header { return w.header }
func (w *countingWriter) WriteHeader(int)     {}
func (w *countingWriter) Write(p []byte) (int, error) {
	if w.bytes += len(p); w.bytes>>22 != (w.bytes-len(p))>>22 { // every 4 MiB
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.most = max(w.most, m.HeapAlloc)
	}
	return len(p), nil
}

// TestALargeLogInLittleMemory: pages of a log of 64 MiB, with all lines or the
// last ones, take a part of that. Not parallel: it measures the heap.
func TestALargeLogInLittleMemory(t *testing.T) {
	f := newFixture(t)
	run := f.begin("post-receive")
	path := f.logPath(run)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{strings.Repeat("x", 60), strings.Repeat("y", 16<<10)} { // many lines, then long ones
		for size := 0; size < 32<<20; {
			n, err := file.Write(lanelog.Line{At: time.Now(), Stream: 'o', Text: text}.Append(nil))
			if size += n; err != nil {
				t.Fatal(err)
			}
		}
	}
	file.Close()
	f.end(run, store.Failed)
	h := f.handler()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for query, least := range map[string]int{"": 4 << 20, "?all=1": 64 << 20, "?raw=1": 55 << 20} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:7331/r/app/runs/1/test"+query,
			nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &countingWriter{header: http.Header{}}
		h.ServeHTTP(w, r)
		if w.bytes < least {
			t.Errorf("page %q has %d bytes", query, w.bytes)
		}
		if used := int64(w.most) - int64(before.HeapAlloc); used > 48<<20 {
			t.Errorf("page %q: %d MiB of heap", query, used>>20)
		}
	}
}

// TestBranchVerdict: the branch says failed where the gate failed and what came
// after passed, and names the lane.
func TestBranchVerdict(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.end(f.begin("pre-receive"), store.Failed)
	f.end(f.begin("post-receive"), store.Passed) // a newer run of the same lane
	h := f.handler()
	if page := get(t, h, "/r/app/branches/feature/new").Body.String(); !strings.Contains(page,
		`<dt>Verdict</dt><dd><span class="state passed">passed</span> <a href="/r/app/runs/2">run #2</a></dd>`) {
		t.Errorf("repeated and passed:\n%s", page)
	}
	run, err := f.st.Begin(t.Context(), store.NewRun{RepoKey: f.key, RepoName: "app", Gate: "pre-receive",
		Updates: []store.Update{{Ref: "refs/heads/feature/new", New: f.commit["two"]}},
		Lanes:   []store.NewLane{{Lane: "lint", Picked: true, Required: true}}})
	if err != nil {
		t.Fatal(err)
	}
	id := run.Lanes[0].ID
	f.record(run, store.Move{LaneRun: id, From: store.Queued, To: store.Starting},
		store.Move{LaneRun: id, From: store.Starting, To: store.Running},
		store.Result{LaneRun: id, State: store.Failed}, store.End{State: store.Failed})
	f.end(f.begin("post-receive"), store.Passed)
	if page := get(t, h, "/r/app/branches/feature/new").Body.String(); !strings.Contains(page,
		`<dt>Verdict</dt><dd><span class="state failed">failed</span> lane lint <a href="/r/app/runs/3">run #3</a></dd>`) {
		t.Errorf("one lane failed:\n%s", page)
	}
}

// TestRerunWhereItWorks: a run whose commits the repository has can be repeated;
// one of a push that was refused cannot, and the page and the API say so.
func TestRerunWhereItWorks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.end(f.begin("post-receive"), store.Failed)
	f.commit["two"] = strings.Repeat("5", 40) // a commit that the repository does not have
	f.end(f.begin("pre-receive"), store.Failed)
	h := f.handler()
	for number, can := range map[int]bool{1: true, 2: false} {
		page := get(t, h, fmt.Sprint("/r/app/runs/", number)).Body.String()
		if strings.Contains(page, "/rerun") != can || strings.Contains(page,
			"This run cannot be repeated: the commits are not in the repository.") == can {
			t.Errorf("run #%d, repeatable %t:\n%s", number, can, page)
		}
		if body := get(t, h, fmt.Sprint("/api/v1/repositories/app/runs/", number)).Body.String(); strings.Contains(body,
			`"rerunnable":true`) != can {
			t.Errorf("run #%d, repeatable %t: %s", number, can, body)
		}
	}
}

// TestMissingLog: the page does not say why a log is not there where it cannot
// know.
func TestMissingLog(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.begin("post-receive")
	id := run.Lanes[0].ID
	f.record(run, store.Result{LaneRun: id, State: store.Passed,
		Log: store.File{Path: filepath.Join(f.dir, "none.log"), SHA256: "x"}})
	for _, query := range []string{"", "?all=1"} {
		page := get(t, f.handler(), "/r/app/runs/1/test"+query).Body.String()
		if !strings.Contains(page,
			"The log is not on this host: another host ran the lane, or the log was removed because of its age "+
				"(retention.runs)") {
			t.Errorf("%q:\n%s", query, page)
		}
	}
}

// TestOneLookForManyPages: pages that ask after the same change share a look,
// and a look of before the change is not used.
func TestOneLookForManyPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := newSite(f.opts, nil)
	ctx := t.Context()
	empty, err := s.people.pulse(ctx, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.begin("post-receive")
	changed := time.Now()
	var wg sync.WaitGroup
	texts := make([]string, 50)
	for i := range texts {
		wg.Go(func() { texts[i], _ = s.people.pulse(ctx, changed) })
	}
	wg.Wait()
	for _, text := range texts {
		if text != texts[0] || text == empty {
			t.Fatalf("%q, %q, before %q", text, texts[0], empty)
		}
	}
	first := s.people.pulses.get(nil).began
	if _, err := s.people.pulse(ctx, changed); err != nil || !s.people.pulses.get(nil).began.Equal(first) {
		t.Errorf("another look was made: %v", err)
	}
	if _, err := s.people.pulse(ctx, time.Now()); err != nil || s.people.pulses.get(nil).began.Equal(first) {
		t.Errorf("no look was made after a change: %v", err)
	}
}
