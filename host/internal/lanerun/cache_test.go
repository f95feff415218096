package lanerun

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/record"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
)

// edits is how many random edits TestRememberedIsFresh makes.
const edits = 10_000

// TestRememberedIsFresh is an adversary: after each of ten thousand random
// edits of a small repository, a remembered verdict must be the one that a
// fresh run gives. The plugin looks at files, modes, folders, changes and
// things that are not there, by what it finds in one of them.
func TestRememberedIsFresh(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	repo := randomRepository(t, filepath.Join(dir, "work"))
	h := probeHost(t, dir, "testdata/plugins/wander",
		"name = \"wander\"\nversion = \"1\"\nabi = 1\noutput = \"jsonl\"\ninput = []\n[[capabilities]]\nname = "+
			"\"repo.read\"\nwhy = \"wanders\"\n")
	r, err := hooks.Open(t.Context(), hooks.Env{Dir: repo.dir, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	st, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, tip := 0, strings.Repeat("0", 40)
	for i, commit := range repo.commits {
		changes, err := r.Changes(t.Context(), tip, commit)
		if err != nil {
			t.Fatal(err)
		}
		fresh := probeLane(h, r, st, "wander", hooks.Update{Base: tip, New: commit}, changes)
		said, exit := fresh.answer(t)
		recalling := probeLane(h, r, st, "wander", hooks.Update{Base: tip, New: commit}, changes)
		if run := recalling.remembered(t); run != nil {
			again++
			if was, is := fmt.Sprint(run.result(), run.Exit), fmt.Sprint(said, exit); was != is {
				t.Fatalf("edit %d (%s): remembered %s, fresh %s", i, commit, was, is)
			}
		} else {
			fresh.keep(t, said, exit)
		}
		tip = commit
	}
	if again < edits/20 || again > edits*19/20 {
		t.Errorf("%d of %d were remembered: that tries too little", again, edits)
	}
	t.Logf("%d of %d edits were judged by memory", again, edits)
}

type randomRepo struct {
	dir     string
	commits []string
}

// randomRepository makes a commit for each edit, by fast-import.
func randomRepository(t *testing.T, dir string) randomRepo {
	t.Helper()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var in bytes.Buffer
	names := []string{"which", "a", "b", "d/a", "d/b", "d/e/c", "e", "x/y"}
	for i := range edits {
		fmt.Fprintf(&in, "commit refs/heads/main\nmark :%d\ncommitter T <t@example.org> %d +0000\ndata 0\n", i+1,
			1_700_000_000+i)
		if i > 0 {
			fmt.Fprintf(&in, "from :%d\n", i)
		}
		name := names[random.IntN(len(names))]
		text := fmt.Sprint(random.IntN(3))
		if name == "which" || random.IntN(8) == 0 {
			text = names[random.IntN(len(names))]
		}
		switch random.IntN(7) {
		case 0:
			fmt.Fprintf(&in, "D %s\n", name)
		case 1:
			fmt.Fprintf(&in, "M 100755 inline %s\ndata %d\n%s\n", name, len(text), text)
		case 2:
			fmt.Fprintf(&in, "M 120000 inline %s\ndata %d\n%s\n", name, len(text), text)
		case 3: // a folder becomes a file
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", filepath.Dir(name+"/x"), len(text), text)
		default:
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
		}
	}
	marks := filepath.Join(dir, "marks")
	cmd := exec.Command("git", "fast-import", "--quiet", "--export-marks="+marks)
	cmd.Dir, cmd.Stdin = dir, &in
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	r := randomRepo{dir, make([]string, edits)}
	for line := range strings.Lines(string(data)) {
		var mark int
		var id string
		fmt.Sscanf(line, ":%d %s", &mark, &id)
		r.commits[mark-1] = id
	}
	return r
}

// probe is one lane run, without the rest of a judgement.
type probe struct {
	*Lane
}

func probeLane(h *testHost, r *hooks.Repo, st *store.Store, plugin string, u hooks.Update,
	changes []hooks.Change) probe {
	set := &lanes.Set{Source: "lanes.toml"}
	lane := lanes.Lane{ID: plugin, Plugin: plugin, Remember: lanes.RememberPlugin, Timeout: h.policy.MaxTime,
		Grant: lanes.Grant{Read: true}}
	j := &gate.Run{Repo: "work", GitDir: "/work", Gate: "manual", Policy: h.policy,
		Updates:  []gate.Update{{Update: u, LanesFile: gate.LanesFile{Set: set}, Changes: changes}},
		LaneRuns: []gate.LaneRun{{Picked: lanes.Picked{Lane: lane}, Address: "work@" + u.New[:7] + ":" + plugin}}}
	l := &Lane{access: &access{runner: h.lanes, repo: r, j: j, rec: record.Of(st, store.Run{}), Attempt: 1}}
	l.log, l.asked = newLaneLog(func() string { return filepath.Join(h.state, "log") }, func(string) {}), map[string]bool{}
	return probe{l}
}

// answer runs the plugin.
func (p probe) answer(t testing.TB) (Result, int) {
	t.Helper()
	p.j.Asked.Fresh = true
	said, exit, err := p.judge(t.Context(), p.outcome())
	if err != nil {
		t.Fatal(err)
	}
	return said, exit
}

// remembered looks for a run that can be used again.
func (p probe) remembered(t *testing.T) *cachedRun {
	t.Helper()
	if err := p.prepare(t.Context(), p.outcome()); err != nil {
		t.Fatal(err)
	}
	run, err := p.cachedResult(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func (p probe) keep(t *testing.T, said Result, exit int) {
	t.Helper()
	settle(t.Context(), p.outcome(), said, exit, nil)
	p.storeResult(t.Context(), p.outcome(), said, exit)
	if p.cache == nil || len(p.cache.inputs) == 0 {
		t.Fatal("nothing was noted")
	}
}

// TestFactOf: the subject of a request, and what is not a fact.
func TestFactOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		q    wasm.Question
		want string
	}{
		{wasm.Question{Kind: wasm.AskOpen, Name: "a"}, "p0a"},
		{wasm.Question{Kind: wasm.AskStat, Tree: wasm.TreeBase, Name: "a/b"}, "p1a/b"},
		{wasm.Question{Kind: wasm.AskList, Name: "."}, "l0."},
		{wasm.Question{Kind: wasm.AskList, Tree: wasm.TreeResults, Name: "."}, ""},
		{wasm.Question{Kind: wasm.AskRead, Handle: 1}, ""},
		{wasm.Question{Kind: wasm.AskCall, Name: OpGet, Data: []byte(`{"name":"x"}`)}, "kvx"},
		{wasm.Question{Kind: wasm.AskCall, Name: OpChanges, Data: []byte(`{"status":"D"}`)}, `ch{"status":"D"}`},
		{wasm.Question{Kind: wasm.AskCall, Name: OpInfo, Data: []byte(`{}`)}, ""},
	} {
		if got := inputOf(test.q); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.q, got, test.want)
		}
	}
}
