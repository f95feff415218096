package tell

import (
	"context"
	"errors"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/pushlane/pushlane/host/internal/store"
)

// results are our states in the words of OpenTelemetry's cicd conventions,
// which keep a test that failed apart from machinery that broke.
var results = map[store.State]string{
	store.Passed: "success", store.Failed: "failure", store.Broken: "error", store.Cancelled: "cancellation", store.Skipped: "skip",
}

// sendSpans sends a run that ended as one span with a child for each lane, at
// their true times. Source of the names: OpenTelemetry semantic conventions,
// CICD, version 1.43.
func (t *Teller) sendSpans(ctx context.Context, id int64) error {
	run, err := t.store.RunByID(ctx, id)
	if errors.Is(err, store.ErrNoRun) {
		return permanentError{err}
	}
	if err != nil {
		return err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(t.config.OTLP+"/v1/traces"),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
	if err != nil {
		return permanentError{err}
	}
	defer exporter.Shutdown(context.WithoutCancel(ctx))
	kept := &keeper{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept), sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "pushlane"))))
	runSpans(ctx, provider.Tracer("pushlane"), t.config.URL, run)
	return exporter.ExportSpans(ctx, kept.spans)
}

// keeper collects finished spans, so that they are sent in one request whose
// failure is ours to see.
type keeper struct{ spans []sdktrace.ReadOnlySpan }

func (k *keeper) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	k.spans = append(k.spans, spans...)
	return nil
}

func (k *keeper) Shutdown(context.Context) error { return nil }

func runSpans(ctx context.Context, tracer trace.Tracer, page string, run store.Run) {
	began := run.Started
	if began.IsZero() {
		began = run.Queued
	}
	attributes := []attribute.KeyValue{
		attribute.String("cicd.pipeline.name", run.RepoName+" "+run.Gate),
		attribute.String("cicd.pipeline.run.id", strconv.FormatInt(run.ID, 10)),
		attribute.String("cicd.pipeline.result", results[run.State]),
		attribute.String("cicd.pipeline.run.url.full", runURL(page, run)),
		attribute.String("vcs.repository.name", run.RepoName),
	}
	if len(run.Updates) > 0 {
		attributes = append(attributes, attribute.String("vcs.ref.head.name", run.Updates[0].Ref), attribute.String("vcs.ref.head.revision", run.Updates[0].New))
	}
	ctx, span := tracer.Start(ctx, "RUN "+run.RepoName+" "+run.Gate, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(began), trace.WithAttributes(attributes...))
	for _, l := range run.Lanes {
		laneSpan(ctx, tracer, l)
	}
	if run.State == store.Broken {
		span.SetStatus(codes.Error, run.Message)
	}
	span.End(trace.WithTimestamp(run.Ended))
}

func laneSpan(ctx context.Context, tracer trace.Tracer, l store.LaneRun) {
	if l.Started.IsZero() || l.Ended.IsZero() {
		return
	}
	_, span := tracer.Start(ctx, l.Lane, trace.WithTimestamp(l.Started), trace.WithAttributes(
		attribute.String("cicd.pipeline.task.name", l.Lane),
		attribute.String("cicd.pipeline.task.run.id", strconv.FormatInt(l.ID, 10)),
		attribute.String("cicd.pipeline.task.run.result", results[l.State]),
		attribute.String("cicd.pipeline.task.type", "test"),
	))
	if l.State == store.Broken {
		span.SetStatus(codes.Error, l.Message)
	}
	span.End(trace.WithTimestamp(l.Ended))
}
