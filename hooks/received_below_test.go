package hooks

import (
	"context"
	"testing"
)

// A ref cannot be there where another has the name of its folder; asking for
// it is not an error, else one such name in a push shuts a repository.
func TestRefBelowARef(t *testing.T) {
	g := newRepo(t)
	g.commit("f", "1")
	r := g.open()
	id, err := r.Ref(context.Background(), "refs/heads/main/below/x")
	if id != "" || err != nil {
		t.Errorf("got %q, %v", id, err)
	}
	us := []Update{{Ref: "refs/heads/main/x", Old: ZeroID, New: g.git("rev-parse", "main")}}
	if err := r.Received(context.Background(), us, true); err != nil {
		t.Error(err)
	}
}
