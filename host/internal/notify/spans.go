package notify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

// maxSpanText is how much of a message a span carries, characters.
const maxSpanText = 1000

// resultOf is a state in the words of OpenTelemetry's cicd conventions, which
// distinguish a failed test from an infrastructure error.
func resultOf(s store.State) string {
	switch s {
	case store.Passed:
		return "success"
	case store.Failed:
		return "failure"
	case store.Cancelled:
		return "cancellation"
	case store.Skipped:
		return "skip"
	}
	return "error"
}

// sendSpans sends a run that ended as one span with a child for each lane, at
// their true times. Source of the names: OpenTelemetry semantic conventions,
// "Semantic conventions for CICD spans" and the CICD and VCS registries.
func (t *Teller) sendSpans(ctx context.Context, id int64) error {
	run, err := t.runOf(ctx, id)
	if err != nil {
		return err
	}
	link, err := t.runURL(ctx, run)
	if err != nil {
		return err
	}
	kept := &keeper{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept), sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithIDGenerator(&ids{run: run}),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "pushlane"))))
	runSpans(ctx, provider.Tracer("pushlane"), link, run)
	return t.export(ctx, kept.spans)
}

func (t *Teller) export(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	client := *t.client
	seen := &codeKeeper{next: t.client.Transport}
	client.Transport = seen
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(t.config.OTLP, "/")+
		"/v1/traces"),
		otlptracehttp.WithHTTPClient(&client), otlptracehttp.WithMaxResponseSize(64<<10),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
	if err != nil {
		return permanentError{err}
	}
	defer exporter.Shutdown(context.WithoutCancel(ctx))
	err = exporter.ExportSpans(ctx, spans)
	if err == nil || seen.code/100 == 2 { // taken, but for what its answer says of it
		return nil
	}
	if verdict := (answer{code: seen.code, head: seen.head}).verdict("the collector"); seen.code != 0 {
		return verdict
	}
	return unaddressed("the collector", err)
}

// codeKeeper keeps what the exporter does not tell: the status of its answer.
type codeKeeper struct {
	next http.RoundTripper
	code int
	head http.Header
}

// RoundTrip is part of http.RoundTripper.
func (k *codeKeeper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := k.next.RoundTrip(req)
	if err == nil {
		k.code, k.head = resp.StatusCode, resp.Header
	}
	return resp, err
}

// keeper collects finished spans, so that they are sent in one request whose
// failure is ours to see.
type keeper struct{ spans []sdktrace.ReadOnlySpan }

// ExportSpans is part of sdktrace.SpanExporter.
func (k *keeper) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	k.spans = append(k.spans, spans...)
	return nil
}

// Shutdown is part of sdktrace.SpanExporter.
func (k *keeper) Shutdown(context.Context) error { return nil }

// ids gives a run's spans the same ids each time, so that a collector recognises a
// repeated delivery.
type ids struct {
	run  store.Run
	next int
}

// NewIDs is part of sdktrace.IDGenerator.
func (g *ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	sum := g.sum("trace")
	return trace.TraceID(sum[:16]), g.NewSpanID(ctx, trace.TraceID{})
}

// NewSpanID is part of sdktrace.IDGenerator.
func (g *ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	g.next++
	sum := g.sum(strconv.Itoa(g.next))
	return trace.SpanID(sum[:8])
}

func (g *ids) sum(what string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d\n%s", g.run.RepoKey, g.run.ID, g.run.Queued.UnixMilli(), what))
}

func runSpans(ctx context.Context, tracer trace.Tracer, link string, run store.Run) {
	began := run.Started
	if began.IsZero() {
		began = run.Queued
	}
	ctx, span := tracer.Start(ctx, "RUN "+run.RepoName+" "+run.Gate, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithTimestamp(began),
		trace.WithAttributes(runAttributes(link, run)...))
	for _, l := range run.Lanes {
		laneSpan(ctx, tracer, link, l)
	}
	if run.State == store.Broken {
		span.SetStatus(codes.Error, runjson.Short(run.Message, maxSpanText))
	}
	span.End(trace.WithTimestamp(run.Ended))
}

func runAttributes(link string, run store.Run) []attribute.KeyValue {
	list := append(outcome("cicd.pipeline.result", run.State),
		attribute.String("cicd.pipeline.name", run.RepoName+" "+run.Gate),
		attribute.String("cicd.pipeline.action.name", "RUN"),
		attribute.String("cicd.pipeline.run.id", strconv.FormatInt(run.ID, 10)),
		attribute.String("vcs.repository.name", run.RepoName))
	if link != "" {
		list = append(list, attribute.String("cicd.pipeline.run.url.full", link))
	}
	if len(run.Updates) == 0 {
		return list
	}
	u := run.Updates[0]
	name, kind := strings.TrimPrefix(u.Ref, "refs/heads/"), "branch"
	if tag, ok := strings.CutPrefix(u.Ref, "refs/tags/"); ok {
		name, kind = tag, "tag"
	}
	return append(list, attribute.String("vcs.ref.head.name", name), attribute.String("vcs.ref.head.type", kind),
		attribute.String("vcs.ref.head.revision", u.New))
}

// outcome is a result, with the class of error that the conventions ask for
// besides a failure and an error.
func outcome(key string, s store.State) []attribute.KeyValue {
	list := []attribute.KeyValue{attribute.String(key, resultOf(s))}
	if s == store.Failed || s == store.Broken {
		list = append(list, attribute.String("error.type", string(s)))
	}
	return list
}

// laneSpan is one attempt of one lane. One that ended before it began has its
// end alone.
func laneSpan(ctx context.Context, tracer trace.Tracer, link string, l store.LaneRun) {
	if l.Ended.IsZero() {
		return
	}
	began := l.Started
	if began.IsZero() {
		began = l.Ended
	}
	list := append(outcome("cicd.pipeline.task.run.result", l.State),
		attribute.String("cicd.pipeline.task.name", l.Lane),
		attribute.String("cicd.pipeline.task.type", "test"),
		attribute.String("cicd.pipeline.task.run.id", strconv.FormatInt(l.ID, 10)),
		attribute.Int("pushlane.attempt", l.Attempt))
	if link != "" {
		list = append(list, attribute.String("cicd.pipeline.task.run.url.full", link+"/"+l.Lane))
	}
	_, span := tracer.Start(ctx, l.Lane, trace.WithTimestamp(began), trace.WithAttributes(list...))
	if l.State == store.Broken {
		span.SetStatus(codes.Error, runjson.Short(l.Message, maxSpanText))
	}
	span.End(trace.WithTimestamp(l.Ended))
}
