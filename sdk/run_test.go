package sdk_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

func TestVerdicts(t *testing.T) {
	one := map[string]string{"a.go": "x"}
	for name, c := range map[string]struct {
		check    func(*sdk.Run) error
		verdict  string
		findings []sdk.Finding
	}{
		"nothing said passes": {func(*sdk.Run) error { return nil }, "pass", nil},
		"an error finding fails": {func(r *sdk.Run) error { r.Error("a.go", 1, "no"); return nil }, "fail",
			[]sdk.Finding{{Path: "a.go", Line: 1, Message: "no"}}},
		"a warning passes": {func(r *sdk.Run) error { r.Warn("a.go", 1, "hm"); return nil }, "pass",
			[]sdk.Finding{{Path: "a.go", Line: 1, Level: "warning", Message: "hm"}}},
		"skip gives its reason": {func(r *sdk.Run) error { return r.Skip("nothing to do") }, "skip: nothing to do", nil},
		"pass gives its reason": {func(r *sdk.Run) error { return r.Pass("3 files") }, "pass: 3 files", nil},
		"fail gives its reason": {func(r *sdk.Run) error { return r.Fail("too late") }, "fail: too late", nil},
		"the first fail stays": {func(r *sdk.Run) error { r.Fail("one"); r.Skip("two"); return r.Fail("three") },
			"fail: one", nil},
		"an error beats skip": {func(r *sdk.Run) error { r.Error("", 0, "no"); return r.Skip("x") }, "fail: ",
			[]sdk.Finding{{Message: "no"}}},
		"an error beats pass": {func(r *sdk.Run) error { r.Pass("x"); r.Error("", 0, "no"); return nil }, "fail: ",
			[]sdk.Finding{{Message: "no"}}},
		"a returned error is broken": {func(*sdk.Run) error { return errors.New("cannot read the moon") },
			"broken: cannot read the moon", nil},
		"broken beats fail": {func(r *sdk.Run) error { r.Error("", 0, "no"); return errors.New("x") }, "broken: x", nil},
		"a bad glob is broken": {func(r *sdk.Run) error {
			for range r.Changed("[") {
			}
			return nil
		}, `broken: cannot match "[": syntax error in pattern`, nil},
		"a setting of another type is broken": {func(r *sdk.Run) error { _ = r.With("n").String(); return nil },
			"broken: setting n: want a string, found a number", nil},
		"a path out of the tree": {func(r *sdk.Run) error {
			_, err := r.Read("../x")
			return err
		}, "broken: open ../x: invalid argument", nil},
		"a container never waited for": {func(r *sdk.Run) error {
			r.Start(sdk.Container{ID: "a", Command: []string{"true"}})
			return nil
		}, "broken: container a was started and never waited for", nil},
		"a container id used twice": {func(r *sdk.Run) error {
			r.Container(sdk.Container{ID: "a", Command: []string{"true"}})
			_, err := r.Container(sdk.Container{ID: "a", Command: []string{"true"}})
			return err
		}, "broken: cannot start container a: the id is used twice", nil},
		"a container without a command": {func(r *sdk.Run) error {
			_, err := r.Container(sdk.Container{ID: "a"})
			return err
		}, "broken: cannot start container a: no command", nil},
		"a container's bad id": {func(r *sdk.Run) error {
			_, err := r.Container(sdk.Container{ID: "A", Command: []string{"true"}})
			return err
		}, `broken: cannot start container "A": an id is [a-z0-9][a-z0-9_-]*, at most 40 bytes`, nil},
	} {
		sdktest.Case{Name: name, Files: one, With: `{"n":5}`, Containers: map[string]sdk.Result{"a": {}},
			WantVerdict: c.verdict, WantFindings: c.findings}.Run(t, c.check)
	}
}

func TestContainersAcrossCalls(t *testing.T) {
	step := func(id string) sdk.Container { return sdk.Container{ID: id, Command: []string{"make", id}} }
	calls := 0
	check := func(r *sdk.Run) error {
		calls++
		r.Progress("building")
		built, err := r.Container(step("build"))
		if err != nil || built.Exit != 0 {
			return err
		}
		r.Progress("testing")
		var wg sync.WaitGroup
		var results [2]sdk.Result
		a, b := r.Start(step("a")), r.Start(step("b"))
		for i, j := range []*sdk.Job{a, b} {
			wg.Go(func() { results[i], _ = j.Wait() })
		}
		wg.Wait()
		for _, got := range results {
			if got.Exit != 0 {
				r.Error("", 0, got.ID+": "+got.Tail)
			}
		}
		return nil
	}
	sdktest.Case{
		Name:           "build, then two in parallel",
		Containers:     map[string]sdk.Result{"build": {}, "a": {}, "b": {Exit: 1, Tail: "boom"}},
		WantContainers: []sdk.Container{step("build"), step("a"), step("b")},
		WantProgress:   []string{"building", "testing"},
		WantVerdict:    "fail",
		WantFindings:   []sdk.Finding{{Message: "b: boom"}},
	}.Run(t, check)
	if calls != 3 {
		t.Errorf("check ran %d times, want 3", calls)
	}
}

func TestFindingsAboveTheLimit(t *testing.T) {
	sdktest.Case{
		Name:         "are counted",
		Request:      sdk.Request{Limits: sdk.Limits{Findings: 1}},
		WantFindings: []sdk.Finding{{Message: "1"}},
		WantProgress: []string{"2 more findings are not listed"},
		WantVerdict:  "fail",
	}.Run(t, func(r *sdk.Run) error {
		for _, m := range []string{"1", "2", "3"} {
			r.Error("", 0, m)
		}
		return nil
	})
}

func TestFilesAndArtifacts(t *testing.T) {
	name := "a \xff\nb.txt"
	sdktest.Case{
		Name:          "are read and kept",
		Files:         map[string]string{name: "new", "d/e.go": "x", "same": "s", "top.go": "y"},
		Base:          map[string]string{name: "old", "same": "s", "gone": "g"},
		Containers:    map[string]sdk.Result{"t": {Artifacts: []string{"r.xml"}}},
		Artifacts:     map[string]string{"t/r.xml": "<r/>"},
		WantArtifacts: map[string]string{"x/y": "new old <r/>"},
		WantFindings: []sdk.Finding{{Path: name, Level: "note", Message: "M"}, {Path: "d/e.go", Level: "note", Message: "A"},
			{Path: "top.go", Level: "note", Message: "A"}},
	}.Run(t, func(r *sdk.Run) error {
		for c := range r.Changed("a*", "**/*.go") {
			r.Note(c.Path, 0, c.Status)
		}
		a, err1 := r.Read(name)
		b, err2 := r.ReadBase(name)
		_, err3 := r.Container(sdk.Container{ID: "t", Command: []string{"x"}})
		c, err4 := r.ReadResult("t", "r.xml")
		text := strings.Join([]string{string(a), string(b), string(c)}, " ")
		return errors.Join(err1, err2, err3, err4, r.Artifact("x/y", []byte(text)))
	})
}

func TestRequestsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"no request":    {"", "cannot read request: want an object, found the end at byte 0\n"},
		"another ABI":   {`{"abi":2}`, "cannot read request: the host speaks ABI 2, this plugin 1\n"},
		"settings list": {`{"abi":1,"with":[]}`, "setting n: want an object, found an array\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, log strings.Builder
			exit := sdk.Session{In: strings.NewReader(c.in), Out: &out, Log: &log}.Serve(func(r *sdk.Run) error {
				r.With("n").Int()
				return nil
			})
			if exit != 2 || out.String() != "" || !strings.HasSuffix(log.String(), strings.TrimPrefix(c.want, "setting n")) {
				t.Errorf("exit %d, out %q, log %q, want 2 and %q", exit, out.String(), log.String(), c.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		glob, path string
		want       bool
	}{
		{"*.go", "a.go", true}, {"*.go", "d/a.go", false}, {"**/*.go", "a.go", true}, {"**/*.go", "d/e/a.go", true},
		{"docs/**", "docs/a/b", true}, {"docs/**", "docs", false}, {"docs/**", "docsx/a", false}, {"**", "a/b", true},
		{"a/**/b", "a/b", true}, {"a/**/b", "a/x/y/b", true}, {"a/**/b", "a/x/y/c", false},
		{"a/**/b/**/c", "a/b/b/x/c", true},
		{"[ab].txt", "b.txt", true}, {"a?c", "abc", true}, {"a?c", "a/c", false}, {"\\*", "*", true}, {"**/**/x", "x", true},
		{strings.Repeat("**/a/", 30) + "b", strings.Repeat("a/", 60) + "c", false},
	} {
		if got, err := sdk.Match(c.glob, c.path); got != c.want || err != nil {
			t.Errorf("Match(%q, %q) = %v, %v, want %v", c.glob, c.path, got, err, c.want)
		}
	}
	if _, err := sdk.Match("a/[", "b"); err == nil {
		t.Error("a bad pattern was taken")
	}
}

func TestSettings(t *testing.T) {
	sdktest.Case{
		Name:        "of every kind",
		With:        `{"s":"x","n":7,"b":true,"l":["a","b"],"m":{"k":"v"},"o":[{"name":"db"}],"z":null}`,
		WantVerdict: "pass: x 7 true ab v db def 9 true",
	}.Run(t, func(r *sdk.Run) error {
		text := []string{r.With("s").String(), "", "", strings.Join(r.With("l").Strings(), ""), r.With("m").Map()["k"],
			r.With("o").Items()[0].Get("name").String(), r.With("z").StringOr("def"), "", ""}
		if r.With("n").Int() == 7 {
			text[1] = "7"
		}
		if r.With("b").Bool() {
			text[2] = "true"
		}
		if r.With("none").IntOr(9) == 9 {
			text[7] = "9"
		}
		if r.With("none").BoolOr(true) && !r.With("none").Exists() {
			text[8] = "true"
		}
		return r.Pass(strings.Join(text, " "))
	})
}
