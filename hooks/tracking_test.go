package hooks

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestARemoteThatGetsAnotherURL: what was learned of the one says nothing of
// the other until that was fetched.
func TestARemoteThatGetsAnotherURL(t *testing.T) {
	ctx := context.Background()
	for name, noted := range map[string]bool{"noted by an earlier push": true, "known by git clone": false} {
		t.Run(name, func(t *testing.T) {
			one := newRepo(t)
			one.commit("f", "x")
			other := filepath.Join(t.TempDir(), "other.git")
			one.git("init", "-q", "--bare", other)
			g := one.in(filepath.Join(t.TempDir(), "clone"))
			one.git("clone", "-q", one.dir, g.dir)
			was := g.git("rev-parse", "HEAD")
			now := g.commit("f", "y")
			base := func(url string) string {
				u := Update{Ref: "refs/heads/new", Old: ZeroID, New: now}
				if err := g.open().SetBase(ctx, &u, "origin", url); err != nil {
					t.Fatal(err)
				}
				return u.Base
			}
			if noted {
				sameText(t, "before", base(one.dir), was)
				os.RemoveAll(g.dir + "/.git/logs")
			}
			g.git("remote", "set-url", "origin", other)
			sameText(t, "another URL", base(other), ZeroID)
			sameText(t, "the first URL by itself", base(one.dir), ZeroID)
			g.git("fetch", "-q", "origin")
			sameText(t, "an empty one that was fetched", base(other), ZeroID)
			g.git("push", "-q", other, was+":refs/heads/main")
			g.git("fetch", "-q", "origin")
			sameText(t, "fetched", base(other), was)
			g.git("remote", "set-url", "origin", one.dir)
			sameText(t, "back", base(one.dir), ZeroID)
		})
	}
}

func TestPushTarget(t *testing.T) {
	for name, c := range map[string]struct {
		config []string // "key value"
		branch string
		want   Target
	}{
		"origin where nothing is said": {nil, "refs/heads/topic", Target{"origin", "o", "refs/heads/topic", ""}},
		"the branch's own remote": {[]string{"branch.topic.remote fork", "branch.topic.merge refs/heads/topic"},
			"refs/heads/topic", Target{"fork", "p", "refs/heads/topic", ""}},
		"its push remote": {[]string{"branch.topic.remote fork", "branch.topic.pushRemote origin"}, "refs/heads/topic",
			Target{"origin", "o", "refs/heads/topic", ""}},
		"that of all branches": {[]string{"remote.pushDefault fork"}, "refs/heads/topic",
			Target{"fork", "p", "refs/heads/topic", ""}},
		"an upstream of another name": {[]string{"branch.topic.remote origin", "branch.topic.merge refs/heads/far",
			"push.default upstream"},
			"refs/heads/topic", Target{"origin", "o", "refs/heads/far", ""}},
		"a push refspec": {[]string{"remote.origin.push refs/heads/*:refs/heads/ann/*", "branch.topic.remote origin"},
			"refs/heads/topic", Target{"origin", "o", "refs/heads/ann/topic", ""}},
		"a URL as a remote": {[]string{"branch.topic.pushRemote ../x.git"}, "refs/heads/topic",
			Target{"../x.git", "../x.git", "refs/heads/topic", ""}},
		"a detached HEAD": {nil, "", Target{"origin", "o", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRepo(t)
			id := g.commit("f", "x")
			g.git("branch", "topic")
			g.git("remote", "add", "origin", "o")
			g.git("remote", "add", "fork", "f")
			g.git("config", "remote.fork.pushurl", "p")
			for _, branch := range []string{"topic", "far", "ann/topic"} {
				g.git("update-ref", "refs/remotes/origin/"+branch, id)
				g.git("update-ref", "refs/remotes/fork/"+branch, id) // of the URL it is fetched from
			}
			for _, pair := range c.config {
				key, value, _ := strings.Cut(pair, " ")
				g.git("config", key, value)
			}
			if c.want.Old = ZeroID; c.want.URL == "o" && c.branch != "" {
				c.want.Old = id
			}
			got, err := g.open().PushTarget(context.Background(), c.branch)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestBareURL(t *testing.T) {
	for url, want := range map[string]string{
		"https://ann:secret@host/x/y.git/": "https://host/x/y",
		"https://host/x/y":                 "https://host/x/y",
		"git@host:x/y.git":                 "://host:x/y",
		"../r.git":                         "://../r",
		"https://host/a@b":                 "https://host/a@b",
	} {
		sameText(t, url, bareURL(url), want)
	}
}
