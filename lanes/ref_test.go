package lanes

import "testing"

func TestRefs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		refs Refs
		ref  string
		want bool
	}{
		{Refs{"main"}, "refs/heads/main", true},
		{Refs{"main"}, "refs/heads/main2", false},
		{Refs{"main"}, "refs/tags/main", false},
		{Refs{"release/*"}, "refs/heads/release/1", true},
		{Refs{"release/*"}, "refs/heads/release/1/x", false},
		{Refs{"release/**"}, "refs/heads/release/1/x", true},
		{Refs{"refs/tags/v*"}, "refs/tags/v1", true},
		{Refs{"refs/tags/v*"}, "refs/heads/v1", false},
		{Refs{"x", "main"}, "refs/heads/main", true},
		{Refs{"**"}, "refs/heads/a/b", true},
		{nil, "refs/heads/main", false},
		{Refs{"main"}, "", false},
		{Refs{"[bad"}, "refs/heads/any", true}, // doubt never means fewer checks
	} {
		if got := c.refs.Match(c.ref); got != c.want {
			t.Errorf("%q of %q: got %t", c.ref, c.refs, got)
		}
	}
	if err := (Refs{"main", "[bad"}).Check(); err == nil ||
		err.Error() != `bad pattern "[bad": a [ has no ]; write \[ to mean the character` {
		t.Errorf("got %v", err)
	}
}
