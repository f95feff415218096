package tell

import (
	"context"
	"net/http"

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

func newMetrics() *metrics {
	buckets := []float64{.005, .01, .05, .1, .5, 1, 5, 15, 60, 300, 900, 3600}
	m := &metrics{
		registry:   prometheus.NewRegistry(),
		runs:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pushlane_runs_total", Help: "Runs that ended."}, []string{"gate", "state"}),
		lanes:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pushlane_lane_runs_total", Help: "Attempts of lanes that ended."}, []string{"gate", "state"}),
		waited:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "pushlane_run_queued_seconds", Help: "How long runs waited.", Buckets: buckets}, []string{"gate"}),
		ran:        prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "pushlane_run_seconds", Help: "How long runs ran.", Buckets: buckets}, []string{"gate", "state"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pushlane_deliveries_total", Help: "Attempts to tell others."}, []string{"result"}),
	}
	m.registry.MustRegister(m.runs, m.lanes, m.waited, m.ran, m.deliveries,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) ended(run store.Run) {
	m.runs.WithLabelValues(run.Gate, string(run.State)).Inc()
	for _, l := range run.Lanes {
		m.lanes.WithLabelValues(run.Gate, string(l.State)).Inc()
	}
	if !run.Started.IsZero() {
		m.waited.WithLabelValues(run.Gate).Observe(run.Started.Sub(run.Queued).Seconds())
		m.ran.WithLabelValues(run.Gate, string(run.State)).Observe(run.Ended.Sub(run.Started).Seconds())
	}
}

func (m *metrics) delivered(result string) { m.deliveries.WithLabelValues(result).Inc() }

// Metrics answers Prometheus.
func (t *Teller) Metrics() http.Handler {
	t.metrics.registry.MustRegister(open{t.store})
	return promhttp.HandlerFor(t.metrics.registry, promhttp.HandlerOpts{})
}

// open collects what is open in the store at the moment somebody asks.
type open struct{ store *store.Store }

var _ prometheus.Collector = open{}

func (o open) runs() *prometheus.Desc {
	return prometheus.NewDesc("pushlane_runs_open", "Runs that wait or run.", []string{"state"}, nil)
}

func (o open) lanes() *prometheus.Desc {
	return prometheus.NewDesc("pushlane_lane_runs_open", "Lane runs that wait or run.", []string{"state"}, nil)
}

func (o open) outbox() *prometheus.Desc {
	return prometheus.NewDesc("pushlane_deliveries", "Messages of the outbox.", []string{"state"}, nil)
}

// Describe is part of prometheus.Collector.
func (o open) Describe(to chan<- *prometheus.Desc) {
	to <- o.runs()
	to <- o.lanes()
	to <- o.outbox()
}

// Collect is part of prometheus.Collector.
func (o open) Collect(to chan<- prometheus.Metric) {
	stats, err := o.store.Stats(context.Background())
	if err != nil {
		to <- prometheus.NewInvalidMetric(o.runs(), err)
		return
	}
	for _, s := range []store.State{store.Queued, store.Running} {
		to <- prometheus.MustNewConstMetric(o.runs(), prometheus.GaugeValue, float64(stats.Runs[s]), string(s))
		to <- prometheus.MustNewConstMetric(o.lanes(), prometheus.GaugeValue, float64(stats.Lanes[s]), string(s))
	}
	for state, n := range stats.Deliveries {
		to <- prometheus.MustNewConstMetric(o.outbox(), prometheus.GaugeValue, float64(n), state)
	}
}
