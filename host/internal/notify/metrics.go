package notify

import (
	"context"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pushlane/pushlane/host/internal/store"
)

// metrics are counted here as things happen. Labels are gates and states: a
// repository or a lane would make as many series as people have names.
type metrics struct {
	registry   *prometheus.Registry
	runs       *prometheus.CounterVec
	lanes      *prometheus.CounterVec
	waited     *prometheus.HistogramVec
	ran        *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
}

func newMetrics(st *store.Store) *metrics {
	buckets := []float64{.005, .01, .05, .1, .5, 1, 5, 15, 60, 300, 900, 3600}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pushlane_runs_total", Help: "Runs that ended."},
			[]string{"gate", "state"}),
		lanes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pushlane_lane_runs_total",
			Help: "Attempts of lanes that ended."}, []string{"gate", "state"}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "pushlane_run_queued_seconds",
			Help: "How long runs waited.", Buckets: buckets}, []string{"gate"}),
		ran: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "pushlane_run_seconds",
			Help: "How long runs ran.", Buckets: buckets}, []string{"gate", "state"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pushlane_deliveries_total",
			Help: "Attempts to send a notification."}, []string{"result"}),
	}
	m.registry.MustRegister(buildInfo(), m.runs, m.lanes, m.waited, m.ran, m.deliveries, newOpen(st),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// buildInfo is 1, with what this program was built from as labels.
func buildInfo() prometheus.Collector {
	labels := prometheus.Labels{"version": "", "revision": "", "goversion": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["version"] = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				labels["revision"] = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "pushlane_build_info", ConstLabels: labels,
		Help: "Build of this host."})
	g.Set(1)
	return g
}

func (m *metrics) ended(run store.Run) {
	gate := gateLabel(run.Gate)
	m.runs.WithLabelValues(gate, string(run.State)).Inc()
	for _, l := range run.Lanes {
		if l.State.Final() {
			m.lanes.WithLabelValues(gate, string(l.State)).Inc()
		}
	}
	if !run.Started.IsZero() { // clocks may jump back
		m.waited.WithLabelValues(gate).Observe(max(0, run.Started.Sub(run.Queued).Seconds()))
		m.ran.WithLabelValues(gate, string(run.State)).Observe(max(0, run.Ended.Sub(run.Started).Seconds()))
	}
}

// gateLabel bounds the label, whatever a database holds.
func gateLabel(gate string) string {
	if slices.Contains([]string{"pre-commit", "pre-push", "pre-receive", "post-receive", "schedule", "manual"}, gate) {
		return gate
	}
	return "other"
}

// Metrics answers Prometheus.
func (t *Teller) Metrics() http.Handler {
	return promhttp.HandlerFor(t.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4})
}

// open collects what is open in the store at the moment someone asks.
type open struct {
	store               *store.Store
	runs, lanes, outbox *prometheus.Desc
}

func newOpen(st *store.Store) *open {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"state"}, nil)
	}
	return &open{st, desc("pushlane_runs_open", "Queued and running runs."),
		desc("pushlane_lane_runs_open", "Queued and running lane runs."),
		desc("pushlane_outbox_messages", "Notifications by state.")}
}

// Describe is part of prometheus.Collector.
func (o *open) Describe(to chan<- *prometheus.Desc) {
	to <- o.runs
	to <- o.lanes
	to <- o.outbox
}

// Collect is part of prometheus.Collector. States that nothing is in are shown
// as 0, so that an alarm has something to look at.
func (o *open) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stats, err := o.store.Stats(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(o.runs, err)
		return
	}
	gauge := func(desc *prometheus.Desc, n int, state string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), state)
	}
	for _, s := range []store.State{store.Queued, store.Running} {
		gauge(o.runs, stats.Runs[s], string(s))
	}
	for _, s := range []store.State{store.Queued, store.Starting, store.Running} {
		gauge(o.lanes, stats.Lanes[s], string(s))
	}
	for _, s := range []string{store.DeliveryWaiting, store.DeliveryDone, store.DeliveryFailed} {
		gauge(o.outbox, stats.Deliveries[s], s)
	}
}
