package host

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/hostlog"
	"github.com/pushlane/pushlane/host/internal/report"
)

// loggedHost is a host with a log, a clone of two commits to push from, and what
// the log says without times.
type loggedHost struct {
	*testing.T
	host            *Host
	dir, work       string
	env             []string
	base, good, bad string
	out             bytes.Buffer
}

func newJournal(t *testing.T) *loggedHost {
	t.Helper()
	dir := t.TempDir()
	j := &loggedHost{T: t, dir: dir, work: filepath.Join(dir, "app")}
	j.env = append(os.Environ(), "HOME="+dir, "PUSHLANE_CONFIG=/dev/null", "PUSHLANE_STATE="+filepath.Join(dir, "state"),
		"XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "PUSHLANE_PLUGINS="+buildFiles(t, dir), "GIT_CONFIG_NOSYSTEM=1")
	git(t, dir, j.env, "init", "-q", "-b", "main", j.work)
	write(t, j.work, "lanes.toml", "version = 1\n[[lane]]\nid = \"files\"\nplugin = \"files\"\n"+
		"[[lane]]\nid = \"next\"\nplugin = \"files\"\nneeds = [\"files\"]\nrequired = false\n")
	j.base = commit(t, j.work, j.env, "base")
	write(t, j.work, "note", "fine\n")
	j.good = commit(t, j.work, j.env, "good")
	write(t, j.work, "note", "<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n")
	j.bad = commit(t, j.work, j.env, "bad")
	policy, err := config.Load(gate.Call{Env: j.env}.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if j.host, err = Open(policy, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.host.Close(t.Context()) })
	j.host.program, j.host.journal = buildChild(t), journal{hostlog.New(&j.out, "info", "text")}
	return j
}

func (j *loggedHost) push(exit int, lines ...string) {
	j.Helper()
	j.judge(exit, gate.Call{Gate: "pre-push", Args: []string{"", ""}, Dir: j.work, Env: j.env,
		Stdin: []byte(strings.Join(lines, "\n") + "\n")})
}

func (j *loggedHost) judge(exit int, call gate.Call) {
	j.Helper()
	var said bytes.Buffer
	if code := j.host.Judge(j.Context(), call, report.Output{Out: &said, Err: &said}); code != exit {
		j.Fatalf("exit %d, want %d:\n%s", code, exit, said.String())
	}
}

var changing = regexp.MustCompile(`time="[^"]*" |,"time":"[^"]*"|duration=[0-9.]+ |"duration":[0-9.]+,`)

// wants compares what was logged since the last time.
func (j *loggedHost) wants(lines ...string) {
	j.Helper()
	got := changing.ReplaceAllString(j.out.String(), "")
	j.out.Reset()
	for id, name := range map[string]string{j.base: "BASE", j.good: "GOOD", j.bad: "BAD", strings.Repeat("0", 40): "NONE",
		j.dir: "DIR"} {
		got = strings.ReplaceAll(got, id, name)
	}
	all := slices.Sorted(strings.Lines(got)) // lanes end in any order
	if want := strings.Join(lines, "\n") + "\n"; !slices.Equal(all, slices.Sorted(strings.Lines(want))) {
		j.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLogOfPushes(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	j.push(0, fmt.Sprintf("refs/heads/main %s refs/heads/main %s", j.good, j.base))
	j.wants(`level=info msg="lane run" attempt=1 gate=pre-push lane=files new=GOOD old=BASE `+
		`reason="1 changed file looked at" ref=refs/heads/main `+
		`repository=app required=true run=1 state=passed`,
		`level=info msg="lane run" attempt=1 gate=pre-push lane=next new=GOOD old=BASE `+
			`reason="1 changed file looked at" ref=refs/heads/main `+
			`repository=app required=false run=1 state=passed`,
		`level=info msg=run gate=pre-push lanes=2 new=GOOD old=BASE ref=refs/heads/main repository=app run=1 state=passed`,
		`level=info msg=push gate=pre-push new=GOOD old=BASE ref=refs/heads/main repository=app run=1 verdict=accepted`)

	j.push(1, fmt.Sprintf("refs/heads/main %s refs/heads/main %s", j.bad, j.base))
	j.wants(`level=warning msg="lane run" attempt=1 gate=pre-push lane=files new=BAD old=BASE `+
		`reason="1 error" ref=refs/heads/main repository=app required=true run=2 state=failed`,
		`level=info msg="lane run" attempt=1 gate=pre-push lane=next new=BAD old=BASE `+
			`reason="needs \"files\", which failed" ref=refs/heads/main repository=app required=false run=2 state=skipped`,
		`level=warning msg=run gate=pre-push lanes=2 new=BAD old=BASE reason="lane \"files\" failed" ref=refs/heads/main `+
			`repository=app run=2 state=failed`,
		`level=warning msg=push gate=pre-push new=BAD old=BASE reason="lane \"files\" failed" ref=refs/heads/main `+
			`repository=app run=2 verdict=refused`)

	j.push(3, "nonsense")
	j.wants(`level=error msg=push gate=pre-push reason="cannot read git's ref lines: line 1: ` +
		`want \"<local ref> <local id> <remote ref> <remote id>\", got \"nonsense\"" repository=app verdict=undecided`)
	j.env = append(j.env, "GIT_DIR="+j.dir+"/none")
	j.push(3, "nonsense")
	j.wants(`level=error msg=push gate=pre-push reason="cannot open GIT_DIR DIR/none: not a git directory" ` +
		`repository=DIR/app verdict=undecided`)
	j.env = j.env[:len(j.env)-1]
	j.refusals()
}

// refusals: a push that a rule of the host refuses is in the log, and so is each
// of its refs.
func (j *loggedHost) refusals() {
	j.host.journal = journal{hostlog.New(&j.out, "info", "json")}
	git(j.T, j.dir, j.env, "clone", "-q", "--bare", j.work, "app.git")
	none := strings.Repeat("0", 40)
	j.judge(1, gate.Call{Gate: "pre-receive", Dir: filepath.Join(j.dir, "app.git"), Env: j.env, Stdin: fmt.Appendf(nil,
		"%s %s refs/heads/main\n%s %s refs/heads/topic\n", j.bad, none, none, j.good)})
	const skipped = `"reason":"not run: the push is refused already","ref":"refs/heads/topic","repository":"app",`
	j.wants(`{"attempt":1,"gate":"pre-receive","lane":"files","level":"info","msg":"lane run","new":"GOOD","old":"NONE",`+
		skipped+`"required":true,"run":1,"state":"skipped"}`,
		`{"attempt":1,"gate":"pre-receive","lane":"next","level":"info","msg":"lane run","new":"GOOD","old":"NONE",`+
			skipped+`"required":false,"run":1,"state":"skipped"}`,
		`{"gate":"pre-receive","lanes":2,"level":"warning","msg":"run","reason":"main is protected and cannot be deleted",`+
			`"refs":2,"repository":"app","run":1,"state":"failed"}`,
		`{"gate":"pre-receive","level":"warning","msg":"push","new":"NONE","old":"BAD",`+
			`"reason":"main is protected and cannot be deleted","ref":"refs/heads/main","repository":"app","run":1,`+
			`"verdict":"refused"}`,
		`{"gate":"pre-receive","level":"warning","msg":"push","new":"GOOD","old":"NONE",`+
			`"reason":"another ref of the push was not accepted","ref":"refs/heads/topic","repository":"app","run":1,`+
			`"verdict":"refused"}`)
}

// Of a push of many refs those that are refused themselves come first, and the
// rest is counted. What a pusher writes makes no line of its own.
func TestLogOfManyRefs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := journal{hostlog.New(&out, "info", "text")}
	run := gate.Run{Repo: "app", Gate: "pre-receive", Number: 7}
	for i := range 60 {
		run.Updates = append(run.Updates, gate.Update{Update: hooks.Update{Ref: fmt.Sprint("refs/heads/", i)}})
	}
	run.Updates[59].Ref = "refs/heads/x\nlevel=info msg=push verdict=accepted"
	run.Updates[59].Refusal = "no\x1b[2K\r\nlevel=info msg=push"
	h.push(run, gate.ExitRefuse, nil, 0)
	lines := strings.Split(strings.TrimSuffix(changing.ReplaceAllString(out.String(), ""), "\n"), "\n")
	for i, want := range map[int]string{
		0: `level=warning msg=push gate=pre-receive new= old= reason="no; level=info msg=push" ` +
			`ref="refs/heads/x; level=info msg=push verdict=accepted" repository=app run=7 verdict=refused`,
		1: `level=warning msg=push gate=pre-receive new= old= reason="another ref of the push was not accepted" ` +
			`ref=refs/heads/0 repository=app run=7 verdict=refused`,
		maxLoggedRefs: `level=info msg="push: more refs, which are not listed" gate=pre-receive refs=10 repository=app run=7`,
	} {
		if len(lines) != maxLoggedRefs+1 || lines[i] != want {
			t.Errorf("line %d of %d:\ngot  %s\nwant %s", i, len(lines), lines[i], want)
		}
	}
}

// A host without a log, as hooks are without a resident, says nothing.
func TestNoLog(t *testing.T) {
	t.Parallel()
	h := journal{}
	h.push(gate.Run{}, 0, nil, 0)
	h.run(gate.Run{})
	h.lane(&gate.Run{}, 0, 0)
}

// BenchmarkLog writes what a push of one ref and ten lanes leaves in the log.
func BenchmarkLog(b *testing.B) {
	h := journal{hostlog.New(io.Discard, "info", "text")}
	run := gate.Run{Repo: "app", Gate: "pre-receive", Number: 7, LaneRuns: make([]gate.LaneRun, 10),
		Updates: []gate.Update{{Update: hooks.Update{Ref: "refs/heads/main", Old: strings.Repeat("a", 40),
			New: strings.Repeat("b", 40)}}}}
	for b.Loop() {
		for i := range run.LaneRuns {
			h.lane(&run, i, run.Number)
		}
		h.run(run)
		h.push(run, gate.ExitAccept, nil, 0)
	}
}
