package sdk

import (
	"slices"
	"testing"
)

// TestManifestFor: input_if adds to the input of lanes that have the setting, and to no others.
func TestManifestFor(t *testing.T) {
	t.Parallel()
	m := Manifest{Input: []string{"gate"}, InputIf: map[string][]string{"git": {"update", "changes"}}}
	for with, want := range map[string][]string{
		``: {"gate"}, `{}`: {"gate"}, `{"git":false}`: {"gate"}, `{"git":null}`: {"gate"}, `{"other":true}`: {"gate"},
		`{"git":true}`: {"gate", "update", "changes"}, `{"git":"variables"}`: {"gate", "update", "changes"},
		`[1]`: {"gate"},
	} {
		if got := m.For([]byte(with)); !slices.Equal(got.Input, want) {
			t.Errorf("%s: input %q, want %q", with, got.Input, want)
		}
		r := Request{With: RawJSON(with), Update: Update{Ref: "refs/heads/main"}, Run: "x"}.Seen(m)
		if (r.Update.Ref != "") != (len(want) > 1) || r.Run != "" {
			t.Errorf("%s: seen %+v", with, r)
		}
	}
	if all := (Manifest{InputIf: m.InputIf}).For([]byte(`{"git":true}`)); all.Input != nil {
		t.Errorf("a plugin that gets everything gets %q", all.Input)
	}
}
