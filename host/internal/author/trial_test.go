package author

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/lanerun"
	"github.com/pushlane/pushlane/host/internal/trace"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/sdk"
)

func trialPolicy(t *testing.T) config.Policy {
	t.Helper()
	p, err := config.Load(func(name string) string {
		return map[string]string{"HOME": t.TempDir(), "PUSHLANE_CONFIG": os.DevNull}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// manifestOf asks for capabilities with a scope of example.org and KEY.
func manifestOf(names ...string) sdk.Manifest {
	m := sdk.Manifest{Name: "p", ABI: 1, Output: "jsonl"}
	for _, name := range names {
		m.Capabilities = append(m.Capabilities, sdk.Capability{Name: name,
			Scope: map[string][]string{"http": {"example.org"}, "secret": {"KEY"}}[name]})
	}
	return m
}

// saying is a plugin that prints records, first these, then none.
func saying(records ...string) trace.Runner {
	return func(_ context.Context, call wasm.Call) (wasm.Result, error) {
		if strings.Contains(string(call.Stdin), `"results":[{`) {
			return wasm.Result{}, nil
		}
		return wasm.Result{Stdout: []byte(strings.Join(records, "\n"))}, nil
	}
}

// A trial refuses what a host refuses, in the host's words.
func TestTrialHoldsContainers(t *testing.T) {
	t.Parallel()
	container := func(text string) string { return `{"type":"container","container":` + text + `}` }
	for name, c := range map[string]struct {
		m       sdk.Manifest
		records []string
		want    string
	}{
		"a good one": {manifestOf("container"), []string{container(`{"id":"a","command":["true"]}`)}, ""},
		"one with artifacts": {manifestOf("container"),
			[]string{container(`{"id":"a","command":["true"],"artifacts":["/tmp/x"]}`)}, ""},
		"no capability": {manifestOf("repo.read"), []string{container(`{"id":"a","command":["true"]}`)},
			`plugin "p" used capability container, which its manifest does not ask for`},
		"no network": {manifestOf("container"),
			[]string{container(`{"id":"a","command":["true"],"network":true}`)},
			`plugin "p" used capability container.network, which its manifest does not ask for`},
		"a network": {manifestOf("container", "container.network"),
			[]string{container(`{"id":"a","command":["true"],"network":true}`)}, ""},
		"another secret": {manifestOf("container", "secret"),
			[]string{container(`{"id":"a","command":["true"],"secrets":["OTHER"]}`)},
			`plugin "p" asks for the secret "OTHER", which is not in its scope`},
		"a bad id": {manifestOf("container"), []string{container(`{"id":"BAD ID","command":["true"]}`)},
			`cannot start container "BAD ID": its id "BAD ID" is not of the form [a-z0-9][a-z0-9_-]*`},
		"a relative folder": {manifestOf("container"), []string{container(`{"id":"a","command":["true"],"cwd":"x"}`)},
			`cannot start container "a": cwd "x" is not a clean absolute path`},
		"more than is allowed": {manifestOf("container"),
			[]string{container(`{"id":"a","command":["true"],"memory":"999GiB"}`)},
			`cannot start container "a": it asks for memory 999GiB, the policy allows 4GiB`},
		"an id twice": {manifestOf("container"),
			[]string{container(`{"id":"a","command":["true"]}`), container(`{"id":"a","command":["true"]}`)},
			`plugin "p" asks twice for a container called "a"`},
		"a contradiction first": {manifestOf("container"),
			[]string{container(`{"id":"a","command":["true"]}`), `{"type":"verdict","verdict":"fail"}`},
			`the plugin contradicts itself: it says "fail" and exits with status 0`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := trialOf(c.m, nil, nil, nil)
			tr.policy = trialPolicy(t)
			done := tr.run(t.Context(), c.m, saying(c.records...))
			if done.cause() != c.want {
				t.Errorf("got %q, want %q", done.cause(), c.want)
			}
		})
	}
}

// The shape of a request holds in every round: results are in it.
func TestTrialShapesEveryRound(t *testing.T) {
	t.Parallel()
	m := manifestOf("container")
	tr := trialOf(m, nil, nil, []byte("{}"))
	tr.policy, tr.shape = trialPolicy(t), greased
	done := tr.run(t.Context(), m, saying(`{"type":"container","container":{"id":"a","command":["true"]}}`))
	if done.err != nil || done.rounds != 2 || len(done.asked) != 1 {
		t.Errorf("%d rounds, %d containers, %v", done.rounds, len(done.asked), done.err)
	}
}

// calling asks a trial for operations, one after the other.
func calling(t *testing.T, m sdk.Manifest, ops ...[2]string) (answers []string) {
	tr := trialOf(m, nil, nil, nil)
	tr.policy = trialPolicy(t)
	tr.replies = []scriptedReply{{Match: "/good", Body: "hello"}}
	s := &script{trial: &tr, manifest: m, state: &trialState{asked: map[string]bool{}, kept: map[string]string{}}}
	world := &wasm.Local{Ops: s}
	defer world.Close()
	for _, op := range ops {
		a, err := world.Ask(t.Context(), wasm.Question{Kind: wasm.AskCall, Name: op[0], Data: []byte(op[1])})
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, string(a.Data))
	}
	return answers
}

func TestTrialOperations(t *testing.T) {
	t.Parallel()
	all := manifestOf("container", "kv", "http")
	for name, c := range map[string]struct {
		m    sdk.Manifest
		ops  [][2]string
		want []string
	}{
		"kv": {all, [][2]string{{lanerun.OpGet, `{"name":"a"}`}, {lanerun.OpSet, `{"name":"a","value":"1"}`},
			{lanerun.OpGet, `{"name":"a"}`}, {lanerun.OpSet, `{"name":"a"}`}, {lanerun.OpGet, `{"name":"a"}`},
			{lanerun.OpGet, `{"name":5}`}},
			[]string{`{}`, `{}`, `{"value":"1"}`, `{}`, `{}`,
				`{"code":-22,"message":"want an object with name and value, both texts"}`}},
		"kv without a capability": {manifestOf(), [][2]string{{lanerun.OpGet, `{"name":"a"}`}},
			[]string{`{"code":-13,"message":"plugin \"p\" used capability kv, which its manifest does not ask for"}`}},
		"http": {all, [][2]string{{lanerun.OpRequest, `{"url":"https://example.org/good"}`},
			{lanerun.OpResponse, `{"handle":1}`}},
			[]string{`{"handle":1}`, `{"status":200,"headers":{},"body":"hello"}`}},
		"http to another host": {all, [][2]string{{lanerun.OpRequest, `{"url":"https://example.com/"}`}},
			[]string{`{"code":-13,"message":"plugin \"p\" sends a request to example.com, which is not in its scope"}`}},
		"containers": {all, [][2]string{{lanerun.OpStart, `{"id":"a","command":["true"]}`},
			{lanerun.OpStart, `{"id":"a","command":["true"]}`}, {lanerun.OpStart, `{}`},
			{lanerun.OpStart, `{"id":"b","command":["true"],"processes":99999}`}},
			[]string{`{"handle":1}`, `{"code":-22,"message":"plugin \"p\" asks twice for a container called \"a\""}`,
				`{"code":-22,"message":"cannot start container \"\": its id \"\" is not of the form [a-z0-9][a-z0-9_-]*"}`,
				`{"code":-13,"message":"cannot start container \"b\": it asks for 99999 processes, the policy allows 4 to 4096"}`}},
		"an operation that there is not": {all, [][2]string{{"x@1", `{}`}},
			[]string{`{"code":-38,"message":"no such operation: x@1"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := calling(t, c.m, c.ops...)
			for i, want := range c.want {
				if !strings.HasPrefix(got[i], strings.TrimSuffix(want, "}")) {
					t.Errorf("%s %s:\n got %s\nwant %s", c.ops[i][0], c.ops[i][1], got[i], want)
				}
			}
		})
	}
	if got := calling(t, all, many(9)...); !strings.Contains(got[8], `{"code":-24,`) {
		t.Errorf("the ninth container: %s", got[8])
	}
}

func many(n int) (ops [][2]string) {
	for i := range n {
		ops = append(ops, [2]string{lanerun.OpStart, `{"id":"c` + string(rune('a'+i)) + `","command":["true"]}`})
	}
	return ops
}

// A tool that opens none of the changed files has not judged them.
func TestToolThatLooksAtNothing(t *testing.T) {
	t.Parallel()
	src := memTree{"a.sh": {data: []byte("x\n")}, "conf": {data: []byte("x\n")}}
	for name, c := range map[string]struct {
		args []string
		asks []wasm.Question
		exit int
		want string
	}{
		"it opens a changed file": {[]string{"{changed}"}, []wasm.Question{{Kind: wasm.AskOpen, Name: "a.sh"}}, 0, ""},
		"it opens another one": {[]string{"{changed}"}, []wasm.Question{{Kind: wasm.AskOpen, Name: "conf"}}, 0,
			"cannot accept exit status 0 as a pass: it opened none of 1 changed file"},
		"it cannot open it": {[]string{"{changed}"},
			[]wasm.Question{{Kind: wasm.AskStat, Name: "a.sh"}, {Kind: wasm.AskOpen, Name: "gone"}}, 0,
			"cannot accept exit status 0 as a pass: it opened none of 1 changed file"},
		"it says no all the same": {[]string{"{changed}"}, nil, 1, ""},
		"it walks":                {nil, []wasm.Question{{Kind: wasm.AskList, Name: "."}}, 0, ""},
		"it does nothing":         {nil, nil, 0, "cannot accept exit status 0 as a pass: it opened no file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := sdk.Manifest{Name: "p", ABI: 1, Output: "gnu", Tool: &sdk.Tool{Args: c.args},
				Capabilities: []sdk.Capability{{Name: "repo.read"}}}
			if c.args != nil {
				m.Tool.Files = []string{"*.sh"}
			}
			tr := trialOf(m, src, memTree{}, nil)
			tr.policy = trialPolicy(t)
			done := tr.run(t.Context(), m, func(ctx context.Context, call wasm.Call) (wasm.Result, error) {
				for _, q := range c.asks {
					if _, err := call.World.Ask(ctx, q); err != nil {
						t.Error(err)
					}
				}
				return wasm.Result{Exit: c.exit}, nil
			})
			if done.cause() != c.want {
				t.Errorf("got %q, want %q", done.cause(), c.want)
			}
		})
	}
}
