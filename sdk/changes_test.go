package sdk_test

import (
	"bytes"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
)

func someChanges() []sdk.Change {
	return []sdk.Change{{Path: "a.go", Status: "M"}, {Path: "b.md", Status: "A"}, {Path: "d/c.go", Status: "D"},
		{Path: "d/e.go", Status: "A"}, {Path: "d/f.md", Status: "D"}}
}

func TestPages(t *testing.T) {
	for name, c := range map[string]struct {
		q    sdk.ChangesQuery
		most int
		want string
		next int
	}{
		"all":               {sdk.ChangesQuery{}, 10, "[a.go b.md d/c.go d/e.go d/f.md]", 0},
		"a glob":            {sdk.ChangesQuery{Globs: []string{"**/*.go"}}, 10, "[a.go d/c.go d/e.go]", 0},
		"one of two globs":  {sdk.ChangesQuery{Globs: []string{"*.go", "d/*.md"}}, 10, "[a.go d/f.md]", 0},
		"a status":          {sdk.ChangesQuery{Status: "D"}, 10, "[d/c.go d/f.md]", 0},
		"both":              {sdk.ChangesQuery{Globs: []string{"**/*.go"}, Status: "AM"}, 10, "[a.go d/e.go]", 0},
		"the first page":    {sdk.ChangesQuery{}, 2, "[a.go b.md]", 2},
		"the second page":   {sdk.ChangesQuery{From: 2}, 2, "[d/c.go d/e.go]", 4},
		"the last page":     {sdk.ChangesQuery{From: 4}, 2, "[d/f.md]", 0},
		"a full last page":  {sdk.ChangesQuery{From: 3}, 2, "[d/e.go d/f.md]", 0},
		"behind the end":    {sdk.ChangesQuery{From: 5}, 2, "[]", 0},
		"a page of a glob":  {sdk.ChangesQuery{Globs: []string{"**/*.md"}}, 1, "[b.md]", 4},
		"and what followed": {sdk.ChangesQuery{Globs: []string{"**/*.md"}, From: 4}, 1, "[d/f.md]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := page(c.q, c.most)
			if text := fmt.Sprint(paths(got.Changes)); err != nil || text != c.want || got.Next != c.next {
				t.Errorf("got %s, then %d (%v), want %s, then %d", text, got.Next, err, c.want, c.next)
			}
		})
	}
}

func page(q sdk.ChangesQuery, most int) (sdk.ChangesPage, error) {
	all := someChanges()
	return q.Page(len(all), func(i int) (sdk.Change, bool, error) { return all[i], true, nil }, most,
		func(int) error { return nil })
}

func paths(changes []sdk.Change) []string {
	all := []string{}
	for _, c := range changes {
		all = append(all, c.Path)
	}
	return all
}

func TestWrongQueries(t *testing.T) {
	for want, q := range map[string]sdk.ChangesQuery{
		`cannot match "a[": syntax error in pattern`:                {Globs: []string{"a["}},
		`cannot list changes of status 'X': want A, M or D`:         {Status: "AX"},
		`cannot list changes from 6: there are 5`:                   {From: 6},
		`cannot list changes: 1001 globs, at most 1000 are allowed`: {Globs: make([]string, sdk.MaxGlobs+1)},
		`cannot list changes: globs of 65537 bytes, at most 65536 are allowed`: {Globs: []string{strings.Repeat("a",
			sdk.MaxGlobBytes), "b"}},
		`cannot list changes from -9223372036854775808: there are 5`: {From: -1 << 63},
	} {
		if _, err := page(q, 10); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestPagesTravel: names that are not UTF-8 come through as they are.
func TestPagesTravel(t *testing.T) {
	q := sdk.ChangesQuery{Globs: []string{"\xff*", "a\"b"}, Status: "AM", From: 7}
	if back, err := sdk.ParseChangesQuery(q.AppendJSON(nil)); err != nil || !reflect.DeepEqual(back, q) {
		t.Errorf("got %+v (%v)", back, err)
	}
	p := sdk.ChangesPage{Changes: []sdk.Change{{Path: "\xff\xfe", Status: "M", Mode: "100644", OldID: "1", NewID: "2"}},
		Next: 3}
	if back, err := sdk.ParseChangesPage(p.AppendJSON(nil)); err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("got %+v (%v)", back, err)
	}
	if _, err := sdk.ParseChangesQuery([]byte(`{"from":1.5}`)); err == nil {
		t.Error("a fraction was taken for a place")
	}
}

// FuzzMatcher: what a matcher looks at first changes no answer. Without "**" a
// glob is one of path.Match.
func FuzzMatcher(f *testing.F) {
	for _, glob := range []string{"*.go", "a[.]go", `a\*`, "*.g?", "d/*", "", "a/b*c", "[a-]]x"} {
		f.Add(glob, "d/a.go")
		f.Add(glob, glob)
	}
	f.Fuzz(func(t *testing.T, glob, name string) {
		if strings.Contains(glob, "**") || strings.ContainsAny(glob, "[\\") && strings.Contains(glob, "/") {
			t.Skip()
		}
		want, wantErr := path.Match(glob, name)
		m, err := sdk.NewMatcher(glob)
		if err != nil {
			return // a bad pattern is one whatever the path
		}
		if got := m.Match(name); wantErr == nil && got != want {
			t.Errorf("%q, %q: the matcher says %v", glob, name, got)
		}
	})
}

// TestNoChangesHanded: a plugin that is handed none and cannot ask must not
// take that for a push without changes.
func TestNoChangesHanded(t *testing.T) {
	var log bytes.Buffer
	s := sdk.Session{In: strings.NewReader(`{"abi":1,"changes":null}`), Out: &log, Log: &log}
	exit := s.Serve(func(run *sdk.Run) error { return run.Pass(fmt.Sprint(slices.Collect(run.Changed()))) })
	if exit != 2 || log.String() != "cannot list changes: the host gives none to this run (grant repo.read)\n" {
		t.Errorf("exit %d: %s", exit, log.String())
	}
}
