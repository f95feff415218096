package gate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// someHistory is a history in which lanes come, change and go.
func someHistory(t *testing.T) history {
	t.Helper()
	return newHistory(t,
		made{name: "plain", files: map[string]string{"a.txt": "a"}},
		made{"one", "plain", map[string]string{"lanes.toml": lanesFile("files")}},
		made{"two", "one", map[string]string{"a.txt": "b"}},
		made{"three", "two", map[string]string{"a.txt": "c"}},
		made{"more", "one", map[string]string{"lanes.toml": lanesFile("files", "test")}},
		made{"open", "one", map[string]string{"lanes.toml": lanesFile()}},
		made{"bare", "one", map[string]string{"lanes.toml": gone}},
		made{"both", "one", map[string]string{".pushlane/lanes.toml": lanesFile()}},
		made{"single", "both", map[string]string{"lanes.toml": gone}},
		made{"broken", "one", map[string]string{"lanes.toml": "version = 1\n[[lane]]\n"}},
		made{"away", "one", map[string]string{"lanes.toml": gone, ".pushlane/lanes.toml": lanesFile("files")}},
		made{name: "orphan", files: map[string]string{"lanes.toml": lanesFile("own")}},
		made{"side", "plain", map[string]string{"b.txt": "b"}})
}

// pushRow is one push: the repository before it, its lines and what is decided.
type pushRow struct {
	refs   string // of the repository before the push; see guarded.set
	policy config.Policy
	push   []string // lines "REF OLD NEW"
	want   string   // see guarded.story
}

func testPushes(t *testing.T, h history, rows map[string]pushRow) {
	t.Helper()
	for name, c := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, c.refs)
			j, err := g.decide(g.call("pre-receive", c.push...), c.policy)
			if got := g.story(j, err); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if refused := strings.Contains(c.want, "refused: "); err == nil && (j.Exit() == ExitRefuse) != refused {
				t.Errorf("exit status %d", j.Exit())
			}
		})
	}
}

// TestWhoseLanesJudge: lanes that were there before the push judge it, and a protected ref's are never those of one
// that any pusher may move.
func TestWhoseLanesJudge(t *testing.T) {
	t.Parallel()
	const ownFirst = "; note: main has the first lanes of this repository: they judge it, without network, " +
		"and are trusted from now on"
	testPushes(t, someHistory(t), map[string]pushRow{
		"a branch by its own tip": {"main=one", refusing(), []string{"main one two"},
			"main, by <one>[files], since <one>"},
		"a new branch by the default branch": {"main=one", refusing(), []string{"topic 0 two"},
			"topic, free, by <one>[files], since <one>"},
		"a branch that has lanes by these": {"main=one topic=open", refusing(), []string{"topic open more"},
			"topic, free, by <open>[], since <one>; note: topic changes the lanes file (adds files, adds test); " +
				"this push is judged by the lanes of <open>"},
		"a branch whose tip has none by the default branch": {"main=one topic=plain", refusing(),
			[]string{"topic plain two"}, "topic, free, by <one>[files], since <plain>"},
		"a new protected branch by a protected one": {"main=one topic=open", refusing("main", "release/*"),
			[]string{"release/9 0 open"}, "release/9, by <one>[files], since <one>; note: release/9 changes the " +
				"lanes file (drops files); this push is judged by the lanes of <one>"},
		"a tag by the default branch": {"main=one", refusing(), []string{"refs/tags/v1 0 two"},
			"refs/tags/v1, free, by <one>[files], since <one>"},
		"a tag that moves not by what it was on": {"main=one refs/tags/v1=open", refusing(),
			[]string{"refs/tags/v1 open two"}, "refs/tags/v1, free, by <one>[files], since <one>"},
		"an unprotected default branch judges what is not protected": {"main=one rel=open",
			refusing("rel"), []string{"topic 0 two"}, "topic, free, by <open>[], since <one>; note: topic changes " +
				"the lanes file (adds files); this push is judged by the lanes of <open>"},
		"the first push by its own": {"", refusing(), []string{"main 0 one"},
			"main, by its own <one>[files]" + ownFirst},
		"the first push of a branch while HEAD names another": {"", refusing(), []string{"topic 0 one"},
			"topic, by its own <one>[files]" + strings.Replace(ownFirst, "main", "topic", 1)},
		"a first push that is not protected": {"", refusing("main"), []string{"topic 0 one"},
			"topic, free, by its own <one>[files]; note: topic is judged by its own lanes, without network: " +
				"no trusted ref has any"},
		"a protected branch without lanes by what it gets": {"main=plain", refusing(), []string{"main plain one"},
			"main, by its own <one>[files], since <plain>" + ownFirst},
		"no lanes anywhere": {"main=plain", refusing(), []string{"main plain side"},
			"error: refs/heads/main: cannot judge <side>: it has no lanes file (looked for .pushlane/lanes.toml, " +
				"lanes.toml, ci/lanes.toml)"},
		"no lanes anywhere, accepted": {"main=plain", config.Policy{NoLanes: "accept"}, []string{"main plain side"},
			"main, by .[], since <plain>"},
		"lanes that come where none are needed": {"main=plain", config.Policy{NoLanes: "accept"},
			[]string{"main plain one"}, "main, by .[], since <plain>; note: main changes the lanes file " +
				"(adds files); this push is judged by the host's default lanes"},
		"the first lanes are two files": {"", refusing(), []string{"main 0 both"},
			"error: refs/heads/main: cannot determine " +
				"which lanes file counts: there are two lanes files, .pushlane/lanes.toml and lanes.toml"},
		"the first lanes are broken": {"", refusing(), []string{"main 0 broken"}, "error: refs/heads/main: " +
			"lanes.toml:2: lane \"\" has no plugin\nlanes.toml:2: lane 1 has no id"},
		"of two lanes files that are there already the first, until a push takes one away": {"main=both", refusing(),
			[]string{"main both single"}, "main, by <both>[], since <both>"},
		"a symbolic ref as the branch that it ends at": {"main=one alias=@main", refusing(),
			[]string{"alias one two"},
			"alias, by <one>[files], since <one>; note: alias is another name of main, which is judged"},
		"a symbolic ref that the policy protects": {"main=one old=one rel=@old", refusing("main", "rel"),
			[]string{"old one open"}, "old, by <one>[files], since <one>; note: old changes the lanes file " +
				"(drops files); this push is judged by the lanes of <one>"},
		"several refs, each by its own": {"main=one topic=open", refusing(), []string{"topic open two",
			"main one two"},
			"topic, free, by <open>[], since <one>; note: topic changes the lanes file (adds files); this push is " +
				"judged by the lanes of <open>\nmain, by <one>[files], since <one>"},
		"a deletion of what is not protected": {"main=one topic=one", refusing(), []string{"topic one 0"}, ""},
	})
}

// TestPushesThatAreRefused before any lane runs, in the words that the pusher reads.
func TestPushesThatAreRefused(t *testing.T) {
	t.Parallel()
	forced := config.Policy{NoLanes: "refuse", AllowForce: true, AllowDelete: true}
	const notes = "refs/notes/pushlane holds this host's verdicts and cannot be pushed"
	const elsewhere = "refused: another ref of this push does not have the value that the push expects"
	testPushes(t, someHistory(t), map[string]pushRow{
		"the default branch deleted": {"main=one", refusing(), []string{"main one 0"},
			"main; refused: main is protected and cannot be deleted"},
		"the default branch deleted where it may be": {"main=one", forced, []string{"main one 0"}, ""},
		"a symbolic ref to it deleted": {"main=one alias=@main", refusing(), []string{"alias one 0"},
			"alias; refused: main is protected and cannot be deleted"},
		"rewound": {"main=two", refusing(), []string{"main two one"},
			"main, since <two>; refused: main is protected " +
				"and <one> does not contain what it has (<two>): only a fast-forward may move it"},
		"replaced": {"main=two", refusing(), []string{"main two more"},
			"main, since <two>; refused: main is protected " +
				"and <more> does not contain what it has (<two>): only a fast-forward may move it"},
		"replaced where it may be, and judged from what it had": {"main=two", forced, []string{"main two more"},
			"main, by <two>[files], since <two>; note: main changes the lanes file (adds test); this push is judged " +
				"by the lanes of <two>"},
		"another branch replaced, judged from the common commit": {"main=one topic=two", refusing(),
			[]string{"topic two more"},
			"topic, free, by <two>[files], since <one>; note: topic changes the lanes " +
				"file (adds test); this push is judged by the lanes of <two>"},
		"a protected tag moved": {"main=one refs/tags/v1=one", refusing("main", "refs/tags/v*"),
			[]string{"refs/tags/v1 one two"},
			"refs/tags/v1, since <one>; refused: tags/v1 is a protected tag and cannot be moved"},
		"a protected tag made": {"main=one", refusing("main", "refs/tags/v*"), []string{"refs/tags/v1 0 two"},
			"refs/tags/v1, by <one>[files], since <one>"},
		"the host's notes": {"main=one", refusing(), []string{"refs/notes/pushlane 0 two"},
			"refs/notes/pushlane, free, since <one>; refused: " + notes},
		"a ref below the notes": {"main=one", refusing(), []string{"refs/notes/pushlane/x 0 two"},
			"refs/notes/pushlane/x, free, since <one>; refused: " + notes},
		"other notes": {"main=one", refusing(), []string{"refs/notes/pushlanes 0 two"},
			"refs/notes/pushlanes, free, by <one>[files], since <one>"},
		"the notes deleted": {"main=one refs/notes/pushlane=two", refusing(), []string{"refs/notes/pushlane two 0"},
			"refs/notes/pushlane, free; refused: " + notes},
		"an old value that the ref has not": {"main=two", refusing(), []string{"main one three"},
			"main; refused: refs/heads/main is at <two>, but the push expects it at <one>: git fetch, then push again"},
		"an old value of a ref that is not there": {"main=one", refusing(), []string{"topic one two"},
			"topic, free; refused: refs/heads/topic is not there, but the push expects it at <one>: " +
				"git fetch, then push again"},
		"a ref taken to be new": {"main=one", refusing(), []string{"main 0 two"},
			"main; refused: refs/heads/main is at <one>, but the push expects it not there: git fetch, then push again"},
		"lies about one of several refs": {"main=one topic=two", refusing(), []string{"main one two",
			"topic one three"},
			"main; " + elsewhere + "\ntopic, free; refused: refs/heads/topic is at <two>, but the push expects it " +
				"at <one>: git fetch, then push again"},
		"a lie about a symbolic ref, by the name that was pushed": {"main=two alias=@main", refusing(),
			[]string{"alias one three"}, "alias; refused: refs/heads/alias is at <two>, but the push expects it at " +
				"<one>: git fetch, then push again"},
		"one ref by two names": {"main=one alias=@main", refusing(), []string{"main one two", "alias one two"},
			"error: cannot judge the push: refs/heads/main and refs/heads/alias are one ref"},
		"an object that is not there": {"main=one", refusing(), []string{"main one ?"},
			"error: cannot find what the push changes in refs/heads/main: object " + strings.Repeat("7", 40) +
				" is missing"},
	})
}

// TestNewRefsAreComparedWith: a new protected ref with protected ones alone, as what another branch brought was never
// held to its lanes; another new ref with all.
func TestNewRefsAreComparedWith(t *testing.T) {
	t.Parallel()
	testPushes(t, someHistory(t), map[string]pushRow{
		"protected": {"main=one topic=two", refusing("main", "rel"), []string{"rel 0 three"},
			"rel, by <one>[files], since <one>"},
		"not protected": {"main=one topic=two", refusing("main", "rel"), []string{"other 0 three"},
			"other, free, by <one>[files], since <two>"},
		"both in one push": {"main=one topic=two", refusing("main", "rel"), []string{"other 0 three", "rel 0 three"},
			"other, free, by <one>[files], since <two>\nrel, by <one>[files], since <one>"},
		"what the push itself moves counts as it was": {"main=one", refusing("main", "rel"),
			[]string{"main one two", "rel 0 three"}, "main, by <one>[files], since <one>\n" +
				"rel, by <one>[files], since <one>"},
	})
}

// TestDefaultLanes: the owner's file judges what has none, and is believed where others may not write it.
func TestDefaultLanes(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	file := filepath.Join(t.TempDir(), "default.toml")
	if err := os.WriteFile(file, []byte(lanesFile("house")), 0o600); err != nil {
		t.Fatal(err)
	}
	policy := config.Policy{NoLanes: "refuse", DefaultLanes: file}
	testPushes(t, h, map[string]pushRow{
		"of what has none": {"main=plain", policy, []string{"main plain side"},
			"main, by default.toml[house], since " +
				"<plain>"},
		"not of what has some": {"main=one", policy, []string{"main one two"},
			"main, by <one>[files], since <one>"},
		"also the first push with lanes": {"", policy, []string{"main 0 one"},
			"main, by default.toml[house]; note: main " +
				"changes the lanes file (adds files, drops house); this push is judged by the host's default lanes"},
		"and lanes may go then": {"main=one", policy, []string{"main one bare"},
			"main, by <one>[files], since <one>; " +
				"note: main loses its lanes file lanes.toml; it is judged by the old one"},
	})
	for name, what := range map[string]string{"lanes.toml": "lanes file", LockName: "lock file"} {
		t.Run(what+" that others may write", func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			theirs, lanesToml := filepath.Join(dir, name), filepath.Join(dir, "lanes.toml")
			if err := errors.Join(os.WriteFile(lanesToml, []byte(lanesFile()), 0o600), os.WriteFile(theirs, nil,
				0o600),
				os.Chmod(theirs, 0o666)); err != nil {
				t.Fatal(err)
			}
			_, err := defaultLanes(h.id("one"), config.Policy{DefaultLanes: lanesToml})
			want := "cannot use " + what + " " + theirs + ": others may write it (mode 0666)"
			if err == nil || err.Error() != want || problem.Hint(err) != "chmod go-w "+theirs {
				t.Errorf("got %v, hint %q", err, problem.Hint(err))
			}
		})
	}
}

// TestAfterThePush: what git has taken is judged by the lanes of before it, and refused no more.
func TestAfterThePush(t *testing.T) {
	t.Parallel()
	h := someHistory(t)
	for name, c := range map[string]struct{ refs, push, want string }{
		"a fast-forward":   {"main=two", "main one two", "main, by <one>[files], since <one>"},
		"a rewind":         {"main=one", "main two one", "main, by <two>[files], since <two>"},
		"a deletion":       {"topic=one", "main two 0", ""},
		"lanes that break": {"main=broken", "main one broken", "main, by <one>[files], since <one>"},
		"a new branch":     {"main=one topic=two", "topic 0 two", "topic, free, by <one>[files], since <one>"},
		"the notes": {"main=one refs/notes/pushlane=two", "refs/notes/pushlane 0 two",
			"refs/notes/pushlane, free, by <one>[files], since <one>"},
		"what is elsewhere by now": {"main=three", "main one two", "main, by <one>[files], since <one>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := h.guard(t, c.refs)
			if got := g.story(g.decide(g.call("post-receive", c.push), refusing())); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if r, known, err := g.store.Repositories().TrustRoot(t.Context(), g.dir); known || err != nil {
				t.Errorf("it decided about trust: %+v, %v", r, err)
			}
		})
	}
}

// TestKnownTips: what the receiver has is not new, but to a protected ref only what protected refs have.
func TestKnownTips(t *testing.T) {
	t.Parallel()
	g := someHistory(t).guard(t, "main=one topic=two")
	j, err := g.decide(g.call("pre-receive", "main one three", "other 0 three"), refusing())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"<one>", "<one> <two>"} {
		tips, err := j.Updates[i].KnownTips(t.Context())
		if got := g.sorted(tips); got != want || err != nil {
			t.Errorf("%s: %s, %v", j.Updates[i].Ref, got, err)
		}
	}
	if tips, err := (Update{Update: hooks.Update{New: g.id("two")}}).KnownTips(t.Context()); tips != nil ||
		err != nil {
		t.Errorf("without a receiver: %v, %v", tips, err)
	}
}
