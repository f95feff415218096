package hooks

import "testing"

func TestAbsoluteURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "../app.git": "", "app.git": "", "./a:b": "", "https://": "", "://x": "", ":path": "", "host:": "",
		"https://example.org/app.git":            "https://example.org/app.git",
		"https://user:token@example.org/app.git": "https://example.org/app.git",
		"ssh://git@example.org:22/app.git":       "ssh://example.org:22/app.git",
		"git@example.org:team/app.git":           "git@example.org:team/app.git",
		"file:///srv/app.git":                    "file:///srv/app.git",
		"/srv/git/../app.git/":                   "/srv/app.git",
	} {
		if got := absoluteURL(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
