package notify

import (
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/pushlane/pushlane/host/internal/store"
)

// spans are what the receiver's n-th request says, by name.
func (w *world) spans(n int) map[string]*wire.Span {
	w.t.Helper()
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(w.got[n].body, &request); err != nil {
		w.t.Fatal(err)
	}
	all := map[string]*wire.Span{}
	for _, s := range request.ResourceSpans[0].ScopeSpans[0].Spans {
		all[s.Name] = s
	}
	return all
}

func value(list []*common.KeyValue, key string) string {
	for _, a := range list {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

func TestSpans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = answers(503, 429)
	teller := w.teller(Config{URL: "https://ci", OTLP: w.receiver.URL + "/"})
	run := w.ended("post-receive", 0)
	if d := w.one(w.work(teller, w.say(teller, run))); d.State != "done" || len(w.got) != 3 ||
		w.got[2].path != "/v1/traces" {
		t.Fatalf("got %+v, %d requests", d, len(w.got))
	}
	all := w.spans(2)
	top, lint, test := all["RUN app post-receive"], all["lint"], all["test"]
	if top == nil || lint == nil || test == nil || len(all) != 3 {
		t.Fatalf("got %v", all)
	}
	for key, want := range map[string]string{"cicd.pipeline.result": "failure", "cicd.pipeline.name": "app post-receive",
		"cicd.pipeline.run.id": "1", "error.type": "failed",
		"cicd.pipeline.action.name": "RUN", "cicd.pipeline.run.url.full": "https://ci/r/app/runs/1",
		"vcs.repository.name": "app",
		"vcs.ref.head.name":   "main", "vcs.ref.head.type": "branch", "vcs.ref.head.revision": w.commit} {
		if got := value(top.Attributes, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]string{"cicd.pipeline.task.name": "test", "cicd.pipeline.task.run.result": "failure",
		"cicd.pipeline.task.type":   "test",
		"cicd.pipeline.task.run.id": "2", "cicd.pipeline.task.run.url.full": "https://ci/r/app/runs/1/test"} {
		if got := value(test.Attributes, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := value(lint.Attributes, "cicd.pipeline.task.run.result") +
		value(lint.Attributes, "error.type"); got != "success" {
		t.Errorf("lint: got %s", got)
	}
	if top.StartTimeUnixNano != uint64(run.Started.UnixNano()) || top.EndTimeUnixNano != uint64(run.Ended.UnixNano()) ||
		test.StartTimeUnixNano != uint64(run.Lanes[1].Started.UnixNano()) ||
		test.EndTimeUnixNano != uint64(run.Lanes[1].Ended.UnixNano()) {
		t.Errorf("got %v and %v, want the times of %+v", top, test, run)
	}
	if string(lint.ParentSpanId) != string(top.SpanId) || string(test.ParentSpanId) != string(top.SpanId) ||
		len(top.ParentSpanId) != 0 || string(lint.SpanId) == string(test.SpanId) {
		t.Errorf("the lanes are not children of the run: %v", all)
	}
	if top.Status.GetCode() == wire.Status_STATUS_CODE_ERROR {
		t.Error("a test that failed is not an error of the infrastructure")
	}
}

// Machinery that broke is an error, a run told twice is the same trace, and a
// lane that never began has a span all the same.
func TestSpansOfBrokenMachinery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{OTLP: w.receiver.URL})
	run := w.begin("post-receive")
	if err := w.st.Record(t.Context(), run.ID, store.Move{LaneRun: run.Lanes[0].ID, From: store.Queued,
		To: store.Starting}, store.End{State: store.Broken, Exit: 3, Message: "the disk is full"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.work(teller, w.say(teller, run))
	}
	first, second := w.spans(0), w.spans(1)
	top := first["RUN app post-receive"]
	if top.Status.GetCode() != wire.Status_STATUS_CODE_ERROR || top.Status.Message != "the disk is full" ||
		value(top.Attributes, "cicd.pipeline.result") != "error" ||
		value(first["test"].Attributes, "cicd.pipeline.task.run.result") != "error" ||
		value(top.Attributes, "error.type") != "broken" {
		t.Errorf("got %v", first)
	}
	for name, s := range first {
		if again := second[name]; string(s.TraceId) != string(again.TraceId) || string(s.SpanId) != string(again.SpanId) {
			t.Errorf("%s is another span the second time", name)
		}
	}
}

// A collector that does not want it is not asked again.
func TestSpansGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = answers(400)
	teller := w.teller(Config{OTLP: w.receiver.URL})
	if d := w.one(w.work(teller, w.say(teller, w.ended("post-receive", 0)))); d.State != "failed" || len(w.got) != 1 {
		t.Errorf("got %+v after %d requests", d, len(w.got))
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	for state, want := range map[store.State]string{store.Passed: "success", store.Failed: "failure",
		store.Broken: "error", store.Cancelled: "cancellation", store.Skipped: "skip"} {
		if got := resultOf(state); got != want {
			t.Errorf("%s: got %s, want %s", state, got, want)
		}
	}
}
