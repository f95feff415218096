package notify

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

func scrape(t *Teller) (int, string) {
	rw := httptest.NewRecorder()
	t.Metrics().ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return rw.Code, rw.Body.String()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = answers(500, 200, 410)
	teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL, Events: []string{"run.ended"}}}})
	for range 2 {
		w.work(teller, w.say(teller, w.ended("pre-receive", 1)))
	}
	w.say(teller, w.ended("post-receive", 1))
	w.begin("post-receive")
	code, text := scrape(teller)
	for _, want := range []string{`pushlane_runs_total{gate="pre-receive",state="failed"} 2`,
		`pushlane_lane_runs_total{gate="pre-receive",state="passed"} 2`,
		`pushlane_runs_open{state="queued"} 0`, `pushlane_runs_open{state="running"} 1`,
		`pushlane_lane_runs_open{state="queued"} 2`, `pushlane_lane_runs_open{state="starting"} 0`,
		`pushlane_run_queued_seconds_count{gate="pre-receive"} 2`,
		`pushlane_run_seconds_count{gate="pre-receive",state="failed"} 2`,
		`pushlane_outbox_messages{state="waiting"} 1`, `pushlane_outbox_messages{state="done"} 1`,
		`pushlane_outbox_messages{state="failed"} 1`,
		`pushlane_deliveries_total{result="retried"} 1`, "process_resident_memory_bytes", "go_goroutines"} {
		if !strings.Contains(text, want+"\n") && !strings.Contains(text, want+" ") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if build := `pushlane_build_info{goversion="` + runtime.Version() + `"`; !strings.Contains(text, build) {
		t.Errorf("no %s in\n%s", build, text)
	}
	if code != http.StatusOK {
		t.Errorf("got %d", code)
	}
}

// However many repositories, lanes and gates there are, the series are the
// same few; two tellers in one process have each their own.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{})
	run := w.ended("post-receive", 1)
	for _, gate := range []string{"x", "y", "z\nz"} {
		run.Gate, run.RepoName, run.Lanes[0].Lane = gate, "repo-"+gate, "lane-"+gate
		teller.metrics.ended(run)
	}
	_, text := scrape(teller)
	if !strings.Contains(text, `pushlane_runs_total{gate="other",state="failed"} 3`) || strings.Contains(text, "repo-") ||
		strings.Contains(text, "lane-") {
		t.Errorf("got\n%s", text)
	}
	if _, text := scrape(w.teller(Config{})); strings.Contains(text, "pushlane_runs_total{") {
		t.Error("two tellers count together")
	}
}

// A database that is gone leaves the numbers that are counted here.
func TestMetricsWithoutTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{})
	w.say(teller, w.ended("post-receive", 1))
	if err := w.st.Close(); err != nil {
		t.Fatal(err)
	}
	if code, text := scrape(teller); code != http.StatusOK || !strings.Contains(text, "pushlane_runs_total{") {
		t.Errorf("got %d\n%s", code, text)
	}
}
