package hooks

import (
	"context"
	"strings"
	"testing"
)

func TestMergedInto(t *testing.T) {
	g := newRepo(t)
	ids := g.history("a:", "b: a", "c: b", "d: a", "m: b d", "e: m", "z:")
	for name, c := range map[string]struct {
		head, target string
		want         Merge
	}{
		"merged, and the target went on": {"d", "e", Merge{true, ids["m"], ids["a"]}},
		"merged just now":                {"d", "m", Merge{true, ids["m"], ids["a"]}},
		"open":                           {"c", "m", Merge{false, "", ids["b"]}},
		"nothing in common":              {"z", "m", Merge{false, "", ZeroID}},
		"the same commit":                {"m", "m", Merge{true, ids["m"], ids["m"]}},
		"a fast-forward":                 {"b", "c", Merge{true, ids["b"], ids["b"]}},
	} {
		got, err := g.open().MergedInto(context.Background(), ids[c.head], ids[c.target])
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
	}
	if _, err := g.open().MergedInto(context.Background(), strings.Repeat("1", 40), ids["a"]); err == nil {
		t.Error("a commit that is not there was compared")
	}
}
