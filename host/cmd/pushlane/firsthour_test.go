package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/egress"
	"github.com/pushlane/pushlane/host/internal/oci/ocitest"
)

// TestFirstHour: ten projects go from a clone to green tests by `pushlane init && pushlane run`, with images of a
// registry and packages of the real ones. The first run pulls the image.
func TestFirstHour(t *testing.T) {
	t.Parallel()
	ocitest.Need(t)
	if !incusHere(t) {
		t.Skip("needs Incus")
	}
	layout := ocitest.Real(t)
	registry, _ := ocitest.Registry(t)
	for tag, names := range map[string][]string{"node": {"node:20"}, "go": {"golang:1.19"}, "python": {"python:3.11"},
		"build": {"debian:bookworm"}} {
		for _, name := range names {
			ocitest.Push(t, layout, tag, registry+"/library/"+name)
		}
	}
	folder := filepath.Join("..", "..", "..", "testdata", "projects")
	projects, err := os.ReadDir(folder)
	if err != nil || len(projects) != 10 {
		t.Fatalf("%d projects, %v", len(projects), err)
	}
	used := map[string]bool{}
	for _, p := range projects {
		w := newProject(t, filepath.Join(folder, p.Name()), registry)
		t.Run(p.Name(), func(t *testing.T) {
			w.t = t
			began := time.Now()
			said := w.run(0, "pushlane", "init", "--yes")
			first := w.run(0, "pushlane", "run")
			w.has(first, "note: uses .pushlane/lanes.toml of the working tree, which is not committed", "pushlane: accepted: ")
			if strings.Contains(first, "broken") || !strings.Contains(first, lanesOf(p.Name())) {
				t.Errorf("it ran\n%s\nwant %q in it", first, lanesOf(p.Name()))
			}
			cold := time.Since(began)
			began = time.Now()
			w.run(0, "pushlane", "run", "--fresh")
			t.Logf("%-16s first %5.1f s, again %5.1f s", p.Name(), cold.Seconds(), time.Since(began).Seconds())
			for line := range strings.Lines(said) {
				if name, ok := strings.CutPrefix(strings.TrimSpace(line), "image: "); ok {
					used[name] = true
				}
			}
		})
		w.t = t
		t.Cleanup(func() { w.run(0, "pushlane", "image", "prune", "--older", "8760h") })
	}
	w := newProject(t, filepath.Join(folder, "go-plain"), registry)
	for name := range used {
		w.run(0, "pushlane", "image", "rm", name)
	}
}

// lanesOf is what a run of each project prints.
func lanesOf(project string) string {
	if project == "monorepo" {
		return "passed     web"
	}
	return "passed     test"
}

// newProject is a clone of a project, on a host whose images of docker.io come from a registry here.
func newProject(t *testing.T, from, registry string) *imageWorld {
	t.Helper()
	w := &imageWorld{t: t, dir: t.TempDir()}
	w.repo = filepath.Join(w.dir, "repo")
	w.policy("")
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "npm_config_") })
	w.env = append(env, "HOME="+w.dir, "PUSHLANE_CONFIG="+filepath.Join(w.dir, "config.toml"), "PUSHLANE_RESIDENT=off",
		"PUSHLANE_IMAGES_MIRRORS=docker.io="+registry, "PUSHLANE_NETWORK_HOSTS=*",
		"PUSHLANE_NETWORK_CA=/etc/ssl/certs/ca-certificates.crt",
		"PATH="+filepath.Join(prefix, "bin")+":"+os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=T",
		"GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	w.env = append(w.env, "PUSHLANE_NETWORK_PRIVATE="+strings.Join(privateBlocks(t), ","))
	origin := filepath.Join(w.dir, "origin")
	if err := os.CopyFS(origin, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	w.run(0, "git", "init", "-q", "-b", "main", origin)
	w.run(0, "git", "-C", origin, "add", "-A")
	w.run(0, "git", "-C", origin, "commit", "-qm", "first")
	w.run(0, "git", "clone", "-q", origin, w.repo)
	return w
}

// privateBlocks are the addresses of this machine's package hosts that are not public: in some networks a mirror of
// one's own has the name.
func privateBlocks(t *testing.T) (blocks []string) {
	t.Helper()
	for _, manager := range []string{"npm", "go"} {
		for _, host := range packageHosts(t.Context(), manager) {
			addresses, _ := net.LookupHost(host)
			for _, address := range addresses {
				if block := address + "/32"; !egress.Public(address) && !slices.Contains(blocks, block) {
					blocks = append(blocks, block)
				}
			}
		}
	}
	return blocks
}
