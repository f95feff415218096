package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// A receiver that is down for good is tried for a day, ever more seldom.
func TestTriedForADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = func(_ int, rw http.ResponseWriter) { rw.WriteHeader(http.StatusBadGateway) }
	teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL}}})
	run := w.say(teller, w.ended("post-receive", 1))
	began := w.now
	d := w.one(w.work(teller, run))
	if took := w.now.Sub(began); d.State != "failed" || took < 24*time.Hour || took > 26*time.Hour {
		t.Errorf("got %+v after %s", d, took)
	}
	if n := len(w.got); n < 20 || n > 70 {
		t.Errorf("%d attempts", n)
	}
}

// A host that was off for two days still tries.
func TestTriedAfterALongRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = answers(500, 500)
	teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL}}})
	run := w.say(teller, w.ended("post-receive", 1))
	w.now = w.now.Add(48 * time.Hour)
	if d := w.one(w.work(teller, run)); d.State != "done" {
		t.Errorf("got %+v", d)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration][2]time.Duration{
		-time.Hour: {firstRetry / 2, firstRetry}, 0: {firstRetry / 2, firstRetry},
		time.Minute: {30 * time.Second, time.Minute}, 100 * time.Hour: {30 * time.Minute, time.Hour},
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			got := retryAfter(age)
			seen[got] = true
			if got < want[0] || got > want[1] {
				t.Errorf("%s: got %s, want %s to %s", age, got, want[0], want[1])
			}
		}
		if len(seen) < 2 {
			t.Errorf("%s: nothing is left to chance", age)
		}
	}
}

// Who says when to come back is asked again then, and not before; who says so
// for a year is asked after an hour.
func TestReceiverSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]time.Duration{"1800": 30 * time.Minute, "31536000": time.Hour,
		"99999999999999999999": 0, "-5": 0, "soon": 0} {
		w := newWorld(t)
		w.answer = func(_ int, rw http.ResponseWriter) {
			rw.Header().Set("Retry-After", asked)
			rw.WriteHeader(http.StatusTooManyRequests)
		}
		teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL}}})
		run := w.ended("post-receive", 1)
		w.now = run.Ended
		w.say(teller, run)
		d, ok, err := w.st.Outbox().Claim(t.Context(), w.now, time.Minute)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		teller.deliver(t.Context(), d)
		all, err := w.st.Outbox().Of(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if wait := all[0].Next.Sub(w.now); wait < want-time.Second || wait > max(want, firstRetry)+time.Second {
			t.Errorf("%s: again in %s, want %s", asked, wait, want)
		}
	}
}

// Receivers that misbehave cost an attempt and no more.
func TestHostileReceivers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	endless := func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusInternalServerError)
		for r.Context().Err() == nil {
			if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	defer close(release)
	escapes := func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(rw, "\x1b[31mno\x00\u202e\xff\n\nway "+strings.Repeat("x", 3000))
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		timeout time.Duration
		want    string
	}{
		"endless body": {endless, 10 * time.Second, "responded with 500"},
		"no answer":    {hang, 50 * time.Millisecond, "context deadline exceeded"},
		"escapes":      {escapes, 10 * time.Second, "responded with 500 Internal Server Error: [31mno way xxx"},
	} {
		w := newWorld(t)
		server := httptest.NewServer(c.handler)
		t.Cleanup(server.CloseClientConnections)
		teller := w.teller(Config{Webhooks: []Webhook{{URL: server.URL}}})
		teller.client.Timeout = c.timeout
		run := w.say(teller, w.ended("post-receive", 1))
		d := w.one(w.step(teller, run))
		if d.State != "waiting" || !strings.Contains(d.Error, c.want) || len(d.Error) > 400 ||
			strings.ContainsAny(d.Error, "\x00\x1b\n\u202e") {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}

// Headers without an end are not read to the end.
func TestEndlessHeaders(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	sent := make(chan int, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, err = http.ReadRequest(bufio.NewReader(conn)) // an answer before the request is another error
		n, _ := io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		for err == nil && n < 64<<20 {
			var more int
			more, err = io.WriteString(conn, "X-More: "+strings.Repeat("x", 4000)+"\r\n")
			n += more
		}
		sent <- n
	}()
	w := newWorld(t)
	teller := w.teller(Config{Webhooks: []Webhook{{URL: "http://" + listener.Addr().String()}}})
	run := w.say(teller, w.ended("post-receive", 1))
	if d := w.one(w.step(teller, run)); d.State != "waiting" || !strings.Contains(d.Error, "exceeded") {
		t.Errorf("got %+v", d)
	}
	if n := <-sent; n > 32<<20 {
		t.Errorf("%d bytes of headers were taken", n)
	}
}

// A certificate of no one known, and one of another host, get no request.
func TestWrongTLS(t *testing.T) {
	t.Parallel()
	for name, trust := range map[string]bool{"unknown authority": false, "other host": true} {
		w := newWorld(t)
		server := httptest.NewUnstartedServer(w)
		server.Config.ErrorLog = nil
		server.StartTLS()
		t.Cleanup(server.Close)
		address := server.URL
		if trust { // its certificate is for 127.0.0.1 and example.com
			address = strings.Replace(address, "127.0.0.1", "localhost", 1)
		}
		teller := w.teller(Config{Names: named(w), Statuses: []Status{{Repo: "app", Kind: "gitea", API: address,
			Project: "team/app", TokenFile: w.secret("hush")}}})
		transport := teller.client.Transport.(*http.Transport)
		transport.TLSClientConfig = &tls.Config{}
		if trust {
			transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		}
		run := w.say(teller, w.ended("post-receive", 1))
		if d := w.one(w.step(teller, run)); d.State != "waiting" || !strings.Contains(d.Error, "certificate") ||
			len(w.got) != 0 {
			t.Errorf("%s: got %+v, %d requests", name, d, len(w.got))
		}
	}
}

// A redirect takes neither a token nor a message elsewhere.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(http.RedirectHandler(w.receiver.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	teller := w.teller(Config{OTLP: server.URL, Webhooks: []Webhook{{URL: server.URL}},
		Names:    named(w),
		Statuses: []Status{{Repo: "app", Kind: "gitea", API: server.URL, Project: "team/app", TokenFile: w.secret("hush")}}})
	all := w.work(teller, w.say(teller, w.ended("post-receive", 0)))
	for _, d := range all {
		if d.State != "failed" || !strings.Contains(d.Error, "307") {
			t.Errorf("got %+v", d)
		}
	}
	if len(all) != 3 || len(w.got) != 0 {
		t.Errorf("%d deliveries, %d of them elsewhere", len(all), len(w.got))
	}
}

// A receiver that never answers does not keep others waiting, however much is
// to be told to it.
func TestOneThatHangsKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hanging.Close)
	got := make(chan struct{}, 100)
	w.answer = func(int, http.ResponseWriter) { got <- struct{}{} }
	teller := w.teller(Config{Webhooks: []Webhook{{URL: hanging.URL}}})
	teller.now = time.Now
	for range 3 * workers {
		w.say(teller, w.ended("post-receive", 1))
	}
	teller.config.Webhooks = append(teller.config.Webhooks, Webhook{URL: w.receiver.URL})
	for range workers {
		w.say(teller, w.ended("post-receive", 1))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		teller.Run(ctx)
	}()
	for range workers {
		<-got
	}
	cancel() // also ends what hangs
	<-done
	close(release)
}

// What was being sent when the host stopped is sent again.
func TestStoppedWhileSending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.answer = func(n int, _ http.ResponseWriter) {
		if n == 0 {
			cancel()
		}
	}
	teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL}}})
	run := w.say(teller, w.ended("post-receive", 1))
	w.now = w.now.Add(time.Second)
	teller.Run(ctx)
	if d := w.one(w.work(teller, run)); d.State != "done" || len(w.got) < 1 || len(w.got) > 2 {
		t.Errorf("got %+v after %d requests", d, len(w.got))
	}
}

// A host is killed when its message has arrived and before that is kept: the
// next host sends it again, under the same number.
func TestKilledBetweenSendingAndKeeping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	process := make(chan *os.Process, 1)
	w.answer = func(n int, _ http.ResponseWriter) {
		if n == 0 {
			_ = (<-process).Kill()
		}
	}
	teller := w.teller(Config{Webhooks: []Webhook{{URL: w.receiver.URL}}})
	run := w.say(teller, w.ended("post-receive", 1))
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "TELL_TEST_CHILD="+w.receiver.URL, "TELL_TEST_STORE="+filepath.Join(w.dir, "db"))
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	process <- child.Process
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the host was not killed: %v", err)
	}
	if d := w.one(w.work(teller, run)); d.State != "done" || d.Attempts != 2 || len(w.got) != 2 {
		t.Fatalf("got %+v after %d requests", d, len(w.got))
	}
	if a, b := w.got[0].head.Get("webhook-id"), w.got[1].head.Get("webhook-id"); a != b {
		t.Errorf("one message is numbered %s and %s", a, b)
	}
}

// A run that was dropped takes what was to be told of it along.
func TestRunThatWasDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.teller(Config{Notes: true, OTLP: w.receiver.URL})
	run := w.say(teller, w.ended("post-receive", 0))
	d, ok, err := w.st.Outbox().Claim(t.Context(), w.now.Add(time.Second), time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := w.st.DropRuns(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	teller.deliver(t.Context(), d)
	if all := w.step(teller, run); len(all) != 0 {
		t.Errorf("got %+v", all)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	now := time.Now()
	all := newTargets()
	enter := func(want bool) {
		t.Helper()
		wait, because := all.enter("a", now)
		if (wait == 0) != want || (because == "") != want {
			t.Errorf("it waits %s (%q), want to enter: %v", wait, because, want)
		}
	}
	for range crowd {
		enter(true)
	}
	enter(false)
	for range crowd {
		all.leave("a", now, time.Second, errors.New("down"))
	}
	enter(false)
	now = now.Add(longestRest)
	enter(true)
	enter(false) // one at a time
	all.leave("a", now, slow+1, nil)
	enter(true)
	enter(false) // slow is trouble too
	all.leave("a", now, time.Second, permanentError{errors.New("that one I do not want")})
	if len(all.known) != 0 {
		t.Errorf("%d are remembered that are well", len(all.known))
	}
}

func TestRoads(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"status https://a/api team/app": "status https://a/api", "webhook a#1": "webhook a#1",
		"notes /srv/my repo.git": "notes /srv/my repo.git", "spans": "spans ",
	} {
		if got := roadOf(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// BenchmarkOutbox is one message from the outbox to a receiver on this machine
// and back, of many at once.
func BenchmarkOutbox(b *testing.B) {
	st, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "db"))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	var taken sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { taken.Done() }))
	defer server.Close()
	teller, err := New(Config{Webhooks: []Webhook{{URL: server.URL}}}, st, nil)
	if err != nil {
		b.Fatal(err)
	}
	run, err := st.Begin(b.Context(), store.NewRun{RepoKey: "/r", RepoName: "r", Gate: "post-receive", Waiting: true})
	if err != nil {
		b.Fatal(err)
	}
	taken.Add(b.N)
	for range b.N {
		if err := st.Outbox().Add(b.Context(), []store.Delivery{
			{Run: run.ID, Target: teller.config.Webhooks[0].target(), Kind: "run.queued", Body: []byte("{}")}}); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	b.ResetTimer()
	var working sync.WaitGroup
	working.Go(func() { teller.Run(ctx) })
	taken.Wait()
	b.StopTimer()
	cancel()
	working.Wait()
}
