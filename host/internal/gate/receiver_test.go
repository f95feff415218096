package gate

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/config"
)

// TestProtects: which refs a push may not move without a pass.
func TestProtects(t *testing.T) {
	t.Parallel()
	policy := func(protect ...string) receiver {
		return receiver{head: "refs/heads/main", policy: config.Policy{Protect: protect}}
	}
	plain, every := policy(), policy()
	plain.root = RefAt{Ref: "refs/heads/rel"}
	every.every = true
	detached := receiver{every: true}
	aliased := policy("main")
	aliased.aliased = []string{"refs/heads/old"}
	for name, c := range map[string]struct {
		of       receiver
		yes, not string
	}{
		"HEAD's branch and what judges the others": {plain, "refs/heads/main refs/heads/rel",
			"refs/heads/topic refs/heads/MAIN refs/heads/main/x refs/tags/main refs/main"},
		"every branch, where nothing says which one matters": {every, "refs/heads/main refs/heads/x/y",
			"refs/tags/v1 refs/notes/x refs/headsx"},
		"a detached HEAD too": {detached, "refs/heads/main HEAD", "refs/tags/v1"},
		"what the policy names, and not HEAD's branch": {policy("rel/*", "refs/tags/v*"),
			"refs/heads/rel/1 refs/tags/v1",
			"refs/heads/main refs/heads/rel refs/heads/rel/1/x refs/tags/w refs/heads/v1"},
		"names that differ in case are others": {policy("Main"), "refs/heads/Main",
			"refs/heads/main refs/heads/MAIN"},
		"any depth": {policy("**"), "refs/heads/main refs/heads/a/b/c", "refs/tags/v1"},
		"every ref": {policy("refs/**"), "refs/heads/main refs/tags/v1 refs/notes/x",
			"HEAD"},
		"what an alias ends at": {aliased, "refs/heads/main refs/heads/old", "refs/heads/older"},
	} {
		for want, refs := range map[bool]string{true: c.yes, false: c.not} {
			for ref := range strings.FieldsSeq(refs) {
				if c.of.protects(ref) != want {
					t.Errorf("%s: %s is protected: %t", name, ref, !want)
				}
			}
		}
	}
}

// TestMoves: how a protected ref may not move.
func TestMoves(t *testing.T) {
	t.Parallel()
	old, next, zero := strings.Repeat("a", 40), strings.Repeat("b", 40), hooks.ZeroID
	const rewound = "main is protected and bbbbbbb does not contain what it has (aaaaaaa): only a fast-forward may move it"
	strict := config.Policy{Protect: []string{"main", "refs/tags/v*", "\u202e*"}}
	lax := strict
	lax.AllowForce, lax.AllowDelete = true, true
	update := func(ref, from, to string, forced bool) hooks.Update {
		return hooks.Update{Ref: ref, Old: from, New: to, Forced: forced, Delete: to == zero}
	}
	for name, c := range map[string]struct {
		u           hooks.Update
		strict, lax string
	}{
		"forward":                      {update("refs/heads/main", old, next, false), "", ""},
		"made":                         {update("refs/heads/main", zero, next, false), "", ""},
		"made, and taken to be forced": {update("refs/heads/main", zero, next, true), "", ""},
		"rewound":                      {update("refs/heads/main", old, next, true), rewound, ""},
		"where it is":                  {update("refs/heads/main", old, old, true), "", ""},
		"deleted": {update("refs/heads/main", old, zero, false),
			"main is protected and cannot be deleted", ""},
		"another, rewound": {update("refs/heads/topic", old, next, true), "", ""},
		"another, deleted": {update("refs/heads/topic", old, zero, false), "", ""},
		"a tag made":       {update("refs/tags/v1", zero, next, false), "", ""},
		"a tag moved forward": {update("refs/tags/v1", old, next, false),
			"tags/v1 is a protected tag and cannot be moved", ""},
		"a tag moved": {update("refs/tags/v1", old, next, true), "tags/v1 is a protected tag and cannot " +
			"be moved", ""},
		"a tag deleted": {update("refs/tags/v1", old, zero, false),
			"tags/v1 is protected and cannot be deleted", ""},
		"another tag moved": {update("refs/tags/w", old, next, true), "", ""},
		"a name that would turn the line around": {update("refs/heads/\u202e1", old, zero, false),
			"1 is protected and cannot be deleted", ""},
	} {
		for want, policy := range map[*string]config.Policy{&c.strict: strict, &c.lax: lax} {
			if got := (&receiver{policy: policy}).moves(c.u); got != *want {
				t.Errorf("%s: got %q, want %q", name, got, *want)
			}
		}
	}
	only := func(change func(*config.Policy)) *receiver {
		p := strict
		change(&p)
		return &receiver{policy: p}
	}
	if got := only(func(p *config.Policy) { p.AllowForce = true }).moves(update("refs/heads/main", old, zero,
		false)); got == "" {
		t.Error("allow_force allows a deletion")
	}
	if got := only(func(p *config.Policy) { p.AllowDelete = true }).moves(update("refs/heads/main", old, next,
		true)); got != rewound {
		t.Errorf("allow_delete: %q", got)
	}
}

// TestTrusted: the commits whose lanes may judge an update, the nearest first.
func TestTrusted(t *testing.T) {
	t.Parallel()
	r := receiver{head: "refs/heads/main", headID: "head", root: RefAt{"refs/heads/rel", "root"},
		policy: config.Policy{Protect: []string{"rel", "next", "refs/tags/v*"}}}
	for ref, c := range map[string]struct{ old, want string }{
		"refs/heads/rel":   {"old", "old root"},
		"refs/heads/next":  {hooks.ZeroID, "root"},
		"refs/heads/main":  {"old", "old root head"},
		"refs/heads/topic": {hooks.ZeroID, "root head"},
		"refs/tags/v1":     {"old", "root"},
		"refs/tags/w":      {"old", "root head"},
		"refs/notes/x":     {"old", "root head"},
	} {
		if got := strings.Join(r.trusted(hooks.Update{Ref: ref, Old: c.old}), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", ref, got, c.want)
		}
	}
	empty := receiver{}
	if got := empty.trusted(hooks.Update{Ref: "refs/heads/x", Old: hooks.ZeroID}); len(got) != 0 {
		t.Errorf("in an empty repository: %q", got)
	}
}

// TestNotesRefusal: neither the host's notes, nor a ref that would make theirs impossible.
func TestNotesRefusal(t *testing.T) {
	t.Parallel()
	for ref, refused := range map[string]bool{"refs/notes/pushlane": true, "refs/notes/pushlane/x": true,
		"refs/notes": true, "refs": true, "refs/notes/commits": false, "refs/notes/pushlanes": false,
		"refs/heads/notes/pushlane": false, "refs/notes/push": false} {
		want := ""
		if refused {
			want = "refs/notes/pushlane holds this host's verdicts and cannot be pushed"
		}
		if got := notesRefusal(ref); got != want {
			t.Errorf("%s: %q", ref, got)
		}
	}
}

// TestForcedOverWhatCannotBeRead: what a protected ref loses is judged, so it must be there.
func TestForcedOverWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	g := someHistory(t).guard(t, "main=one refs/tags/v1=one")
	r := &receiver{repo: g.open(), policy: config.Policy{Protect: []string{"main"}}}
	for name, c := range map[string]struct {
		u    hooks.Update
		base string
		err  string
	}{
		"forced": {hooks.Update{Ref: "refs/heads/main", Old: g.id("two"), Forced: true, Base: "x"}, "<two>", ""},
		"forced over nothing that is here": {hooks.Update{Ref: "refs/heads/main", Old: g.id("?"), Forced: true}, "",
			"cannot judge refs/heads/main: the commit that it has now, 7777777, cannot be read"},
		"not forced":    {hooks.Update{Ref: "refs/heads/main", Old: g.id("two"), Base: "x"}, "x", ""},
		"not protected": {hooks.Update{Ref: "refs/heads/topic", Old: g.id("two"), Forced: true, Base: "x"}, "x", ""},
		"deleted": {hooks.Update{Ref: "refs/heads/main", Old: g.id("two"), Forced: true, Delete: true, Base: "x"},
			"x",
			""},
	} {
		err := r.judgeEffect(t.Context(), &c.u)
		if got := g.named(c.u.Base); got != c.base || (err == nil) != (c.err == "") || err != nil &&
			err.Error() != c.err {
			t.Errorf("%s: since %q, %v", name, got, err)
		}
	}
}
