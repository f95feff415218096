package store

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		all  map[string]string // key -> name
		want map[string]string
	}{
		{"alone", map[string]string{"/srv/alice/app.git": "app"}, map[string]string{"/srv/alice/app.git": "app"}},
		{"namesakes", map[string]string{"/srv/alice/app.git": "app", "/srv/bob/app.git": "app", "/srv/bob/web.git": "web"},
			map[string]string{"/srv/alice/app.git": "alice/app", "/srv/bob/app.git": "bob/app", "/srv/bob/web.git": "web"}},
		{"far apart", map[string]string{"/a/git/app": "app", "/b/git/app": "app", "/b/x/app": "app"},
			map[string]string{"/a/git/app": "a/git/app", "/b/git/app": "b/git/app", "/b/x/app": "x/app"}},
		{"a work tree", map[string]string{"/a/app/.git": "app", "/b/app.git": "app"},
			map[string]string{"/a/app/.git": "a/app", "/b/app.git": "b/app"}},
		{"one inside the other's path", map[string]string{"/a/app.git": "app", "/srv/a/app.git": "app"},
			map[string]string{"/a/app.git": "app~62e13dfa589d", "/srv/a/app.git": "srv/a/app"}},
		{"differ in their suffix alone", map[string]string{"/a/app": "app", "/a/app.git": "app"},
			map[string]string{"/a/app": "app~8463b3739d75", "/a/app.git": "app~62e13dfa589d"}},
		{"a configured name is a folder's elsewhere", map[string]string{"/srv/one.git": "team/app",
			"/git/team/app.git": "app"},
			map[string]string{"/srv/one.git": "srv/one", "/git/team/app.git": "app"}},
		{"names like a digest", map[string]string{"/a/app.git": "app", "/b/app.git": "app", "/c/x.git": "app~62e13dfa589d"},
			map[string]string{"/a/app.git": "a/app", "/b/app.git": "b/app", "/c/x.git": "c/x"}},
	} {
		var all []Repository
		for key, name := range test.all {
			all = append(all, Repository{Key: key, Name: name})
		}
		got := Addresses(all)
		for key, address := range got {
			for _, other := range all {
				if other.Called(address) != (other.Key == key) {
					t.Errorf("%s: %s is the address of %s, and may be that of %s", test.name, address, key, other.Key)
				}
			}
		}
		if !maps.Equal(got, test.want) {
			t.Errorf("%s:\n got %v\nwant %v", test.name, got, test.want)
		}
	}
}

// A run that is named by its repository and commit is never one of another
// repository of that name.
func TestFindAmongNamesakes(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), open(t, on.where(t))
		commit := ""
		for _, key := range []string{"/srv/alice/r.git", "/srv/bob/r.git"} {
			n := newRun(key, 1)
			n.RepoName = "r"
			commit = begin(t, s, n).Updates[0].New
		}
		if run, err := s.Find(ctx, "", Address{Repo: "alice/r", Commit: commit}); err != nil ||
			run.RepoKey != "/srv/alice/r.git" {
			t.Errorf("alice/r: %s, %v", run.RepoKey, err)
		}
		run, err := s.Find(ctx, "", Address{Repo: "r", Commit: commit})
		want := `more than one repository is called "r": use one of alice/r, bob/r`
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("r: %s, %v", run.RepoKey, err)
		}
		if run, err := s.Find(ctx, "", Address{Repo: "none", Commit: commit}); !errors.Is(err, ErrNoRun) {
			t.Errorf("none: %s, %v", run.RepoKey, err)
		}
	})
}
