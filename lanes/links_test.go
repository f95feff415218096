package lanes

import (
	"context"
	"slices"
	"testing"
)

// TestLinks: a lane is picked by what changes behind a link that its pattern
// names, and by the link.
func TestLinks(t *testing.T) {
	t.Parallel()
	text := "version = 1\n"
	for i, pattern := range []string{"deploy/**", "deploy/sub/*.md", "conf.yml", "all/**", "**/*.go", "src[ab]/x"} {
		text += "[[lane]]\nid = \"l" + string(rune('a'+i)) + "\"\nplugin = \"files\"\npaths = ['" + pattern + "']\n"
	}
	set, err := Load("lanes.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := set.Literals(), []string{"all", "conf.yml", "deploy", "deploy/sub"}; !slices.Equal(got, want) {
		t.Errorf("literals %q, want %q", got, want)
	}
	reached := map[string][]string{"deploy": {"deploy", "docs"}, "deploy/sub": {"deploy", "docs/sub"},
		"conf.yml": {"conf.yml", "etc/c"}}
	for path, want := range map[string][]string{
		"docs/x.md":     {"deploy/**"},
		"docs/sub/x.md": {"deploy/**", "deploy/sub/*.md"},
		"deploy":        {"deploy/**", "deploy/sub/*.md"},
		"etc/c":         {"conf.yml"},
		"etc/other":     nil,
		"docs.md":       nil,
	} {
		picked, err := set.Pick(context.Background(), Event{Paths: []string{path}, Reached: reached})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range picked {
			if p.Picked {
				got = append(got, p.Glob)
				if want := "reaches " + path + " through a symbolic link"; p.Reason != p.Glob+" "+want || p.Path != path {
					t.Errorf("%s: reason %q, path %q", path, p.Reason, p.Path)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: picked by %q, want %q", path, got, want)
		}
	}
}
