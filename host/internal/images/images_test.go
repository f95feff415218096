package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/oci"
	"github.com/pushlane/pushlane/host/internal/oci/ocitest"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// testImages reaches this machine's Incus, or skips aloud. What the test brings
// there leaves with it.
func testImages(t testing.TB) *Images {
	t.Helper()
	ocitest.Need(t)
	p, err := config.Load(func(key string) string {
		return map[string]string{"PUSHLANE_CONFIG": os.DevNull, "HOME": t.TempDir()}[key]
	})
	if err != nil {
		t.Fatal(err)
	}
	p.MaxDisk = "4GiB"
	cfg := incus.Config{Socket: os.Getenv("PUSHLANE_INCUS_SOCKET"),
		Owner: fmt.Sprint("test-images-", os.Getpid(), t.Name())}
	all, err := Connect(t.Context(), cfg, p)
	if err != nil {
		if os.Getenv("PUSHLANE_REQUIRE_INCUS") != "" {
			t.Fatalf("Incus is required here: %v", err)
		}
		fmt.Fprintf(os.Stderr, "SKIPPED: %s needs Incus (install it with ./install.sh): %v\n", t.Name(), err)
		t.Skipf("no Incus: %v", err)
	}
	t.Cleanup(func() {
		if err := all.Close(); err != nil {
			t.Errorf("clean-up: %v", err)
		}
	})
	return all
}

// gone removes an image when the test ends.
func gone(t testing.TB, all *Images, fingerprint string) {
	t.Cleanup(func() {
		if err := all.Incus.Images().Delete(context.Background(), fingerprint); err != nil {
			t.Error(err)
		}
	})
}

func name(t testing.TB, all *Images, text string) oci.Name {
	t.Helper()
	n, named, err := all.Name(text)
	if err != nil || !named {
		t.Fatalf("%s: %t, %v", text, named, err)
	}
	return n
}

func get(t testing.TB, all *Images, text string, need Need) Found {
	t.Helper()
	found, err := all.Get(t.Context(), name(t, all, text), need)
	if err != nil {
		t.Fatal(err)
	}
	if found.Pulled {
		gone(t, all, found.Fingerprint)
	}
	return found
}

// output runs a command in a container of an image; none runs its entry.
func output(t testing.TB, all *Images, fingerprint string, command ...string) string {
	t.Helper()
	var out lockedBuffer
	ended, err := all.Incus.Run(t.Context(), incus.Spec{Container: sdk.Container{ID: "c", Command: command},
		Found: fingerprint, Address: "repo@abc1234:test", Max: all.Policy.ContainerLimits()}, &out, &out)
	if err != nil || ended.Exit != 0 {
		t.Errorf("%q: exit status %d, %v: %s", command, ended.Exit, err, out.String())
	}
	return strings.TrimSpace(out.String())
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestRealImages: images of Debian, of musl and without a shell start, with what
// they say about themselves, whatever they lack.
func TestRealImages(t *testing.T) {
	all := testImages(t)
	layout := ocitest.Real(t)
	host, _ := ocitest.Registry(t)
	for tag, c := range map[string]struct {
		command []string
		want    string
	}{
		"node":   {[]string{"node", "-e", "console.log(1 + 1, process.env.NODE_VERSION, process.getuid())"}, "2 18 1000"},
		"python": {[]string{"python3", "-c", "import os; print(6 * 7, os.environ['PYTHON'])"}, "42 3"},
		"go":     {[]string{"sh", "-c", "go version | cut -c1-13; echo $GOTOOLCHAIN"}, "go version go\nlocal"},
		"musl":   {[]string{"hello"}, "hello from musl"},
		"none":   {nil, "hello [world] good 65532 65532 /"},
	} {
		ocitest.Push(t, layout, tag, host+"/library/"+tag+":1")
		found := get(t, all, host+"/library/"+tag+":1", Need{})
		if !strings.HasPrefix(found.Digest, "sha256:") {
			t.Errorf("%s: %+v", tag, found)
		}
		if got := output(t, all, found.Fingerprint, c.command...); got != c.want {
			t.Errorf("%s: %q, want %q", tag, got, c.want)
		}
	}
	// A program that is not there is said to be that, and not busybox's of that name.
	musl := get(t, all, host+"/library/musl:1", Need{})
	var out lockedBuffer
	ended, err := all.Incus.Run(t.Context(), incus.Spec{Container: sdk.Container{ID: "c", Command: []string{"tar"}},
		Found: musl.Fingerprint, Address: "repo@abc1234:test", Max: all.Policy.ContainerLimits()}, &out, &out)
	if err != nil || ended.Exit != 127 || ended.Reason != `cannot start "tar": no such command` {
		t.Errorf("%+v, %v", ended, err)
	}
}

// busyboxFiles are those of an image with a shell.
func busyboxFiles(t testing.TB, more map[string]string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"bin/sh": string(data), "tmp/.keep": ""}
	for name, text := range more {
		files[name] = text
	}
	return files
}

// TestPulledOnce: the same content is pulled and sent once, whatever it is called;
// a registry that is down does not stop an image that is here; a tag that moved
// is followed only when it is looked up, and a pinned one never.
func TestPulledOnce(t *testing.T) {
	all := testImages(t)
	host, stop := ocitest.Registry(t)
	ocitest.Push(t, ocitest.Small(t, busyboxFiles(t, map[string]string{"etc/which": "first"})), "small", host+"/app:1")
	first := get(t, all, host+"/app:1", Need{})
	ocitest.Push(t, ocitest.Small(t, busyboxFiles(t, map[string]string{"etc/which": "second"})), "small", host+"/other:1")
	ocitest.Copy(t, host+"/app:1", host+"/namesake:1")
	if again := get(t, all, host+"/app:1", Need{}); again.Pulled || again.Fingerprint != first.Fingerprint {
		t.Errorf("a second use: %+v", again)
	}
	if namesake := get(t, all, host+"/namesake:1", Need{}); namesake.Pulled || namesake.Fingerprint != first.Fingerprint {
		t.Errorf("another name of the same: %+v", namesake)
	}
	ocitest.Copy(t, host+"/other:1", host+"/app:1")
	if stays := get(t, all, host+"/app:1", Need{}); stays.Fingerprint != first.Fingerprint {
		t.Errorf("a tag that moved an hour ago at most: %+v", stays)
	}
	second := get(t, all, host+"/app:1", Need{Fresh: true})
	if !second.Pulled || output(t, all, second.Fingerprint, "sh", "-c", "read a </etc/which; echo $a") != "second" {
		t.Errorf("a tag that is looked up: %+v", second)
	}
	pinned := get(t, all, host+"/app:1@"+first.Digest, Need{})
	if pinned.Pulled || pinned.Fingerprint != first.Fingerprint {
		t.Errorf("what was pinned before the tag moved: %+v", pinned)
	}
	stop()
	all.Policy.ImageRefresh = 0
	down := get(t, all, host+"/app:1", Need{})
	if want := host + "/app:1 is used as of " + time.Now().UTC().Format("2006-01-02") + ": cannot pull image " + host +
		"/app:1: cannot reach the registry"; down.Fingerprint != second.Fingerprint || !strings.HasPrefix(down.Note, want) {
		t.Errorf("a registry that is down: %+v", down)
	}
	if _, err := all.Get(t.Context(), name(t, all, host+"/none:1"), Need{}); err == nil || !strings.Contains(err.Error(),
		"cannot pull image "+host+"/none:1: cannot reach the registry: ") {
		t.Errorf("an image that is not here: %v", err)
	}
}

// TestShortNames: what a policy's short names mean, and what is not a name.
func TestShortNames(t *testing.T) {
	t.Parallel()
	all := &Images{Policy: config.Policy{ImageShort: []string{"node=docker.io/library/node:22", "app=localhost:5000/app"}}}
	for text, want := range map[string]string{
		"node": "docker.io/library/node:22", "node:20": "docker.io/library/node:20", "app": "localhost:5000/app:latest",
		"app:2": "localhost:5000/app:2", "default": "", "go": "", "63baf2768dda": "",
		"python:3": `cannot use image "python:3": it has a tag, but no registry; hint: write the registry too: ` +
			`docker.io/library/python:3; or a short name in the policy: images.short = ["python=docker.io/library/python"]`,
	} {
		n, named, err := all.Name(text)
		got := ""
		switch {
		case err != nil:
			got = err.Error() + "; hint: " + problem.Hint(err)
		case named:
			got = n.String()
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestNoRoom: images beyond the policy's total are refused, with what helps.
func TestNoRoom(t *testing.T) {
	all := testImages(t)
	host, _ := ocitest.Registry(t)
	ocitest.Push(t, ocitest.Small(t, map[string]string{"a": "1"}), "small", host+"/app:1")
	all.Policy.MaxImages = "0B"
	_, err := all.Get(t.Context(), name(t, all, host+"/app:1"), Need{})
	want := "the images of this host take all of the 0B that the policy allows (images.total)"
	if err == nil || !strings.Contains(err.Error(), want) ||
		problem.Hint(err) != "remove those that no lane used lately: pushlane image prune" {
		t.Errorf("%v; hint %s", err, problem.Hint(err))
	}
}

// recipe builds one in the busybox image.
func recipe(t testing.TB, all *Images, r lanes.Recipe, trust zone.Trust) (Found, string, error) {
	t.Helper()
	var out lockedBuffer
	var said []string
	found, err := all.Make(t.Context(), Build{Recipe: r, Zone: zone.Zone{Repository: "/srv/r", Trust: trust}, Out: &out,
		Base: func(ctx context.Context, from string) (string, error) { return all.Base(ctx, from, nil, Need{}) }},
		Need{Said: func(line string) { said = append(said, line) }})
	list, listErr := all.List(context.Background())
	if listErr != nil {
		t.Fatal(listErr)
	}
	for _, s := range list {
		if strings.HasPrefix(s.Title(), r.Name+", step ") {
			gone(t, all, s.Fingerprint)
		}
	}
	return found, strings.Join(said, "\n"), err
}

// TestRecipes: steps are done once, a changed last one does not repeat the first,
// one that fails leaves those before it, and images have what the recipe says.
func TestRecipes(t *testing.T) {
	all := testImages(t)
	r := lanes.Recipe{Name: "steps", From: "busybox", Run: []string{"echo $A >/one", "cat /one /one >/two"},
		Env: map[string]string{"A": t.Name() + fmt.Sprint(time.Now().UnixNano())}}
	found, said, err := recipe(t, all, r, zone.Local)
	if err != nil || said != "build image steps, step 1 of 2: echo $A >/one\n"+
		"build image steps, step 2 of 2: cat /one /one >/two" {
		t.Fatalf("%s, %v", said, err)
	}
	a := r.Env["A"]
	if got := output(t, all, found.Fingerprint, "sh", "-c", "cat /two; echo $A"); got != a+"\n"+a+"\n"+a {
		t.Errorf("it holds %q", got)
	}
	again, said, err := recipe(t, all, r, zone.Protected)
	if err != nil || said != "" || again.Fingerprint != found.Fingerprint {
		t.Errorf("again: %s, %v", said, err)
	}
	r.Run[1] = "echo last; exit 3"
	_, said, err = recipe(t, all, r, zone.Local)
	if want := `cannot build image "steps": step 2 of 2 (echo last; exit 3) exited 3: last`; err == nil ||
		err.Error() != want || said != "build image steps, step 2 of 2: echo last; exit 3" {
		t.Errorf("half way: %s, %v", said, err)
	}
	if hint := problem.Hint(err); hint != "the steps before it are saved, and not repeated" {
		t.Errorf("hint %q", hint)
	}
	r.Run[1] = "wget -q http://example.org/"
	_, _, err = recipe(t, all, r, zone.Local)
	if hint := problem.Hint(err); hint != "the step had no network; write in [image.steps]: network = true" {
		t.Errorf("a network it has not: %v; hint %q", err, hint)
	}
}

// TestRecipesOfBranches: an image that a run of an unprotected ref built is not
// what a protected ref's run uses; the other way it is.
func TestRecipesOfBranches(t *testing.T) {
	all := testImages(t)
	r := lanes.Recipe{Name: "branch", From: "busybox", Run: []string{"echo " + fmt.Sprint(time.Now().UnixNano()) + " >/a"}}
	for _, c := range []struct {
		trust  zone.Trust
		builds bool
	}{{zone.Unprotected, true}, {zone.Unprotected, false}, {zone.Protected, true}, {zone.Unprotected, false}} {
		if found, _, err := recipe(t, all, r, c.trust); err != nil || found.Pulled != c.builds {
			t.Errorf("%s: built %t, %v", c.trust, found.Pulled, err)
		}
	}
}

// TestRecipesRefused: what cannot work is said before anything is built.
func TestRecipesRefused(t *testing.T) {
	all := testImages(t)
	all.Policy.IncusImages = []string{"busybox"}
	for text, c := range map[string]struct {
		recipe     lanes.Recipe
		want, hint string
	}{
		"a network": {lanes.Recipe{Name: "n", From: "busybox", Run: []string{"true"}, Network: true},
			`cannot build image "n": it needs a network, and this host does not allow network access`,
			`./install.sh --network, and in [incus] of the policy: networks = ["pushlane0"]`},
		"packages": {lanes.Recipe{Name: "n", From: "busybox", Packages: []string{"make"}},
			`cannot build image "n": it needs a network, and this host does not allow network access`,
			`./install.sh --network, and in [incus] of the policy: networks = ["pushlane0"]`},
		"a base that the policy forbids": {lanes.Recipe{Name: "n", From: "default", Run: []string{"true"}},
			`cannot build image "n": cannot use image "default": the policy of this host does not allow it`,
			"the host's owner may add it to incus.images; allowed are: busybox"},
		"files of no repository": {lanes.Recipe{Name: "n", From: "busybox", Run: []string{"true"}, Files: []string{"a"}},
			`cannot build image "n": it takes files of a repository, and there is none here`, ""},
	} {
		_, said, err := recipe(t, all, c.recipe, zone.Local)
		if err == nil || err.Error() != c.want || problem.Hint(err) != c.hint || said != "" {
			t.Errorf("%s: %v; hint %s", text, err, problem.Hint(err))
		}
	}
	no := errors.New("not here")
	_, err := all.Make(t.Context(), Build{Recipe: lanes.Recipe{Name: "n", From: "busybox", Run: []string{"a"}}, Refuse: no,
		Base: func(ctx context.Context, from string) (string, error) { return all.Base(ctx, from, nil, Need{}) }}, Need{})
	if !errors.Is(err, no) {
		t.Errorf("a build that is refused: %v", err)
	}
}
