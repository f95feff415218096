package gate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/lanes"
)

// pinned is a lock with a plugin look of 64 times a digit, that may have capabilities "NAME" or "NAME=SCOPE".
func pinned(digit string, capabilities ...string) string {
	text := fmt.Sprintf("version = 1\n[[plugin]]\nname = \"look\"\nsource = \"look.wasm\"\nsha256 = %q\n",
		strings.Repeat(digit, 64))
	for _, c := range capabilities {
		name, scope, scoped := strings.Cut(c, "=")
		text += fmt.Sprintf("[[plugin.capability]]\nname = %q\n", name)
		if scoped {
			text += fmt.Sprintf("scope = [%q]\n", scope)
		}
	}
	return text
}

// TestReviewOfLanes: what a push changes about the lanes of later pushes is told, and never judges the push itself.
// On a
// protected ref what could judge no later push is refused.
func TestReviewOfLanes(t *testing.T) {
	t.Parallel()
	lax := lanesFile("files") + "required = false\n"
	h := newHistory(t,
		made{name: "one", files: map[string]string{"lanes.toml": lanesFile("files", "vet")}},
		made{"add", "one", map[string]string{"lanes.toml": lanesFile("files", "vet", "test")}},
		made{"drop", "one", map[string]string{"lanes.toml": lanesFile("files")}},
		made{"rewrite", "one", map[string]string{"lanes.toml": lax}},
		made{"swap", "one", map[string]string{"lanes.toml": lanesFile("vet", "files")}},
		made{"remark", "one", map[string]string{"lanes.toml": "# hello\n" + lanesFile("files", "vet")}},
		made{"move", "one", map[string]string{"lanes.toml": gone, "ci/lanes.toml": lanesFile("files", "vet")}},
		made{"second", "one", map[string]string{"ci/lanes.toml": lanesFile()}},
		made{"broken", "one", map[string]string{"lanes.toml": "version = 1\n[[lane]]\nid = \"x\n"}},
		made{"bare", "one", map[string]string{"lanes.toml": gone}},
		made{"upper", "one", map[string]string{"LANES.toml": lanesFile()}},
		made{name: "none", files: map[string]string{"a": "a"}})
	const by, note = "by <one>[files vet]", "changes the lanes file"
	const old = "; this push is judged by the lanes of <one>"
	const gets = "lanes.toml:3: broken TOML: basic strings cannot have new lines"
	rows := map[string]pushRow{}
	for name, c := range map[string]struct {
		to        string
		main, top string // of main, which is protected, and of topic
	}{
		"a lane more":               {"add", "; note: main " + note + " (adds test)" + old, ""},
		"a lane less":               {"drop", "; note: main " + note + " (drops vet)" + old, ""},
		"one less, one that is lax": {"rewrite", "; note: main " + note + " (changes files, drops vet)" + old, ""},
		"another order":             {"swap", "; note: main " + note + " (changes no lane)" + old, ""},
		"a remark":                  {"remark", "; note: main " + note + " (changes no lane)" + old, ""},
		"another place":             {"move", "", ""},
		"a name in another case":    {"upper", "", ""},
		"two files": {"second",
			"; refused: main would get a lanes file that cannot be used: cannot determine which lanes " +
				"file counts: there are two lanes files, lanes.toml and ci/lanes.toml", ""},
		"a broken one": {"broken", "; refused: main would get a lanes file that cannot be used: " + gets,
			"; note: topic gets a lanes file that cannot be used: " + gets},
		"none": {"bare", "; refused: main would be left without a lanes file (lanes.toml is removed); " +
			"keep one, `version = 1` alone is enough",
			"; note: topic loses its lanes file lanes.toml; it is judged by the old one"},
	} {
		top := c.top
		if top == "" {
			top = strings.ReplaceAll(c.main, "main ", "topic ")
		}
		rows[name+", main"] = pushRow{"main=one", refusing(), []string{"main one " + c.to}, "main, " + by +
			", since <one>" + c.main}
		rows[name+", topic"] = pushRow{"main=one topic=one", refusing(), []string{"topic one " + c.to},
			"topic, free, " + by +
				", since <one>" + top}
	}
	rows["a new branch without lanes"] = pushRow{"main=one", refusing(), []string{"topic 0 none"}, "topic, free, " +
		by}
	rows["no lanes where none are needed"] = pushRow{"main=one", config.Policy{NoLanes: "accept"},
		[]string{"main one bare"}, "main, " + by +
			", since <one>; note: main loses its lanes file lanes.toml; it is " +
			"judged " +
			"by the old one"}
	testPushes(t, h, rows)
}

// TestReviewOfLocks: the lock that counts is the one next to the lanes that judge, out of the same commit.
func TestReviewOfLocks(t *testing.T) {
	t.Parallel()
	const lock = ".pushlane/lanes.lock"
	h := newHistory(t,
		made{name: "one", files: map[string]string{".pushlane/lanes.toml": lanesFile("files")}},
		made{"pin", "one", map[string]string{lock: pinned("a", "repo.read", "kv")}},
		made{"elsewhere", "one", map[string]string{"lanes.lock": pinned("a")}},
		made{"move", "pin", map[string]string{lock: pinned("b", "repo.read", "kv")}},
		made{"grant", "pin", map[string]string{lock: pinned("a", "repo.read", "kv", "http=example.org")}},
		made{"take", "pin", map[string]string{lock: pinned("a", "repo.read")}},
		made{"drop", "pin", map[string]string{lock: gone}},
		made{"remark", "pin", map[string]string{lock: "# x\n" + pinned("a", "repo.read", "kv")}},
		made{"broken", "pin", map[string]string{lock: "version = 2\n"}},
		made{"fixed", "broken", map[string]string{lock: pinned("b")}},
		made{"lanes", "pin", map[string]string{lock: pinned("b"), ".pushlane/lanes.toml": lanesFile()}})
	const note, old = "; note: main brings another lanes.lock ", "; this push is judged by the old one"
	const broken = "main would get a lanes.lock that cannot be used: .pushlane/lanes.lock: version is 2, " +
		"this pushlane knows version 1"
	rows := map[string]pushRow{}
	for name, c := range map[string]struct{ from, to, want string }{
		"a plugin more":      {"one", "pin", note + "(pins plugin look (repo.read, kv))" + old},
		"a lock of no lanes": {"one", "elsewhere", ""},
		"another module":     {"pin", "move", note + "(moves plugin look to bbbbbbbbbbbb)" + old},
		"more that it may": {"pin", "grant", note + "(moves plugin look to aaaaaaaaaaaa + http (example.org))" +
			old},
		"less that it may": {"pin", "take", note + "(moves plugin look to aaaaaaaaaaaa - kv)" + old},
		"a plugin less":    {"pin", "drop", note + "(drops plugin look)" + old},
		"a remark":         {"pin", "remark", ""},
		"a broken lock":    {"pin", "broken", "; refused: " + broken},
		"after a broken one every plugin is new": {"broken", "fixed", note + "(pins plugin look ())" +
			old},
		"lanes and lock": {"pin", "lanes",
			"; note: main changes the lanes file (drops files); this push is judged by " +
				"the " +
				"lanes of <pin>" + note + "(moves plugin look to bbbbbbbbbbbb - repo.read; - kv)" + old},
	} {
		rows[name] = pushRow{"main=" + c.from, refusing(), []string{"main " + c.from + " " + c.to},
			fmt.Sprintf("main, by <%s>[files], since <%s>%s", c.from, c.from, c.want)}
	}
	rows["a broken lock where no pass is needed"] = pushRow{"main=one topic=pin", refusing(),
		[]string{"topic pin broken"},
		"topic, free, by <pin>[files], since <pin>"}
	testPushes(t, h, rows)
}

// TestLock: of the lanes' own commit, next to their file, or none.
func TestLock(t *testing.T) {
	t.Parallel()
	h := newHistory(t,
		made{name: "both", files: map[string]string{"lanes.lock": pinned("a"), "ci/lanes.lock": pinned("c")}},
		made{name: "broken", files: map[string]string{"lanes.lock": "version = 1\n[[plugin]]\nname = \"Look\"\n"}},
		made{name: "folder", files: map[string]string{"lanes.lock/x": ""}})
	repo := h.guard(t, "").open()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, LockName), []byte(pinned("b")), 0o600); err != nil {
		t.Fatal(err)
	}
	large := t.TempDir()
	if err := os.WriteFile(filepath.Join(large, LockName), make([]byte, lanes.MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		source, rev, path string
		want              string // the digest's digit, or the error
	}{
		"next to the lanes":     {"lanes.toml", h.id("both"), "", "a"},
		"in their folder":       {"ci/lanes.toml", h.id("both"), "", "c"},
		"not in another folder": {".pushlane/lanes.toml", h.id("both"), "", ""},
		"of a file":             {"x.toml", "", filepath.Join(dir, "x.toml"), "b"},
		"of a file without":     {"x.toml", "", filepath.Join(t.TempDir(), "x.toml"), ""},
		"of no file":            {"(none)", "", "", ""},
		"of a file, too long": {"x.toml", "", filepath.Join(large, "x.toml"),
			"cannot read lanes.lock: it is longer than " +
				"1 MiB"},
		"broken": {"lanes.toml", h.id("broken"), "",
			`lanes.lock: bad plugin name "Look": an id is made of a-z, 0-9, ` +
				`_ and -, at most 100 bytes, and begins with a letter or digit`},
		"a folder": {"lanes.toml", h.id("folder"), "", "cannot read lanes.lock: "},
	} {
		lock, err := LanesFile{Set: &lanes.Set{Source: c.source}, Rev: c.rev, Path: c.path}.Lock(t.Context(), repo)
		switch {
		case err != nil:
			if len(c.want) < 2 || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		case lock.Version != 1 || len(c.want) > 1 || strings.Trim(digests(lock), c.want) != "" ||
			(digests(lock) == "") != (c.want == ""):
			t.Errorf("%s: got %+v", name, lock)
		}
	}
}

// digests are those of a lock's plugins.
func digests(l *lanes.Lock) string {
	var all string
	for _, p := range l.Plugins {
		all += p.SHA256
	}
	return all
}

// TestLanesTouched: a lane that watches one place of the lanes is picked whichever of them changes.
func TestLanesTouched(t *testing.T) {
	t.Parallel()
	places := ".pushlane/lanes.lock .pushlane/lanes.toml ci/lanes.lock ci/lanes.toml lanes.lock lanes.toml"
	for paths, c := range map[string]struct {
		other bool
		want  string
	}{
		"a.txt b.txt": {false, "a.txt b.txt"},
		"":            {true, places},
		"a.txt": {true, ".pushlane/lanes.lock .pushlane/lanes.toml a.txt ci/lanes.lock ci/lanes.toml " +
			"lanes.lock lanes.toml"},
		"lanes.toml":       {false, places},
		"ci/lanes.lock":    {false, places},
		"docs/lanes.toml":  {false, "docs/lanes.toml"},
		"LANES.toml":       {false, "LANES.toml"},
		"lanes.toml z.txt": {false, places + " z.txt"},
	} {
		given := strings.Fields(paths)
		got := LanesTouched(given, c.other)
		if strings.Join(got, " ") != c.want || strings.Join(given, " ") != paths {
			t.Errorf("%s: got %q, given %q", paths, got, given)
		}
	}
}

// TestLanesAreWatchedEverywhere: a lane that guards one place of the lanes is picked when they come at another.
func TestLanesAreWatchedEverywhere(t *testing.T) {
	t.Parallel()
	guarding := "version = 1\n[[lane]]\nid = \"guard\"\nplugin = \"files\"\npaths = [\"lanes.toml\"]\n"
	h := newHistory(t,
		made{name: "one", files: map[string]string{"lanes.toml": guarding}},
		made{"text", "one", map[string]string{"a.txt": "a"}},
		made{"lock", "one", map[string]string{"ci/lanes.lock": pinned("a")}},
		made{"move", "one", map[string]string{"lanes.toml": gone, ".pushlane/lanes.toml": guarding}},
		made{"folded", "one", map[string]string{"Lanes.TOML": lanesFile()}},
		made{"lax", "one", map[string]string{"lanes.toml": lanesFile("files")}},
		made{"later", "lax", map[string]string{"a.txt": "b"}})
	for to, want := range map[string]bool{"text": false, "lock": true, "move": true, "folded": true} {
		g := h.guard(t, "main=one")
		j, err := g.decide(g.call("pre-receive", "main one "+to), refusing())
		if err != nil || len(j.Updates) != 1 || j.Updates[0].Picked[0].Picked != want ||
			(len(j.LaneRuns) == 1) != want {
			t.Errorf("%s: %+v, %v", to, j.Updates, err)
		}
	}
	// Lanes that another protected ref added before are not a change of this push, and do not judge it.
	for refs, want := range map[string]string{"main=one rel=lax": "matches lanes.toml", "main=lax rel=lax": ""} {
		g := h.guard(t, refs)
		j, err := g.decide(g.call("pre-receive", "next 0 later"), refusing("main", "rel", "next"))
		if err != nil || len(j.Updates) != 1 || g.named(j.Updates[0].Base) != "<lax>" {
			t.Fatalf("%s: %+v, %v", refs, j.Updates, err)
		}
		if got := j.Updates[0].Picked[0]; want != "" && got.Reason != want ||
			j.Updates[0].OtherLanes != (want != "") {
			t.Errorf("%s: %s %s, other lanes %t", refs, got.Lane.ID, got.Reason, j.Updates[0].OtherLanes)
		}
	}
	g := h.guard(t, "main=text")
	j, err := g.decide(g.call("pre-receive", "topic 0 one"), refusing())
	if got := slices.Collect(func(yield func(string) bool) {
		for _, p := range j.Updates[0].Picked {
			yield(p.Reason)
		}
	}); err != nil || !slices.Equal(got, []string{"no changed path matches"}) {
		t.Errorf("without a change of lanes: %q, %v", got, err)
	}
}
