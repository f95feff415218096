package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/oci/ocitest"
)

// imageWorld is a repository, a policy and a registry with an image.
type imageWorld struct {
	t         *testing.T
	dir, repo string
	host      string // of the registry, whose image is "app:1"
	env       []string
}

func newImageWorld(t *testing.T) *imageWorld {
	t.Helper()
	ocitest.Need(t)
	if !incusHere(t) {
		t.Skip("needs Incus")
	}
	w := &imageWorld{t: t, dir: t.TempDir()}
	w.repo = filepath.Join(w.dir, "repo")
	w.host, _ = ocitest.Registry(t)
	w.policy("")
	w.env = append(os.Environ(), "HOME="+w.dir, "PUSHLANE_CONFIG="+filepath.Join(w.dir, "config.toml"),
		"PUSHLANE_RESIDENT=off", "PATH="+filepath.Join(prefix, "bin")+":"+os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org")
	w.push("first")
	w.run(0, "git", "init", "-q", "-b", "main", w.repo)
	return w
}

func (w *imageWorld) policy(more string) {
	text := cacheKey() + string(incusConfig()) + "\n" + more
	w.write(filepath.Join(w.dir, "config.toml"), "state = \""+filepath.Join(w.dir, "state")+"\"\n"+text)
}

func (w *imageWorld) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// push puts an image that holds a word at the tag app:1.
func (w *imageWorld) push(word string) {
	w.t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		w.t.Fatal(err)
	}
	files := map[string]string{"bin/busybox": string(busybox), "bin/sh": string(busybox), "bin/cat": string(busybox),
		"etc/which": word + w.dir + "\n", "tmp/.keep": ""}
	ocitest.Push(w.t, ocitest.Small(w.t, files, "--config.env", "GREETING=good"), "small", w.host+"/app:1")
}

// run runs a program in the repository and returns its output.
func (w *imageWorld) run(exit int, name string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(name, args...) // a clean-up runs some when the context has ended
	if name == "pushlane" {
		cmd.Path, cmd.Err = filepath.Join(prefix, "bin", name), nil
	}
	cmd.Env, cmd.Dir = w.env, w.dir
	if _, err := os.Stat(w.repo); err == nil {
		cmd.Dir = w.repo
	}
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != exit {
		w.t.Fatalf("%s %s: exit status %d, want %d\n%s", name, strings.Join(args, " "), got, exit, out)
	}
	return string(out)
}

// lanes commits a lanes file with one lane in an image.
func (w *imageWorld) lanes(image, more string) {
	w.t.Helper()
	w.write(filepath.Join(w.repo, ".pushlane", "lanes.toml"), "version = 1\n"+more+
		"\n[[lane]]\nid = \"t\"\nplugin = \"shell\"\n[lane.with]\n"+
		"image = \""+image+"\"\nrun = \"cat /etc/which; echo $GREETING\"\n[lane.grant]\ncontainer = true\n")
	w.commit()
}

func (w *imageWorld) commit() {
	w.t.Helper()
	w.run(0, "git", "add", "-A")
	w.run(0, "git", "commit", "-qm", "change")
}

func (w *imageWorld) has(text string, wants ...string) {
	w.t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			w.t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestImageOfALane: from the name in a lane to its run: pulled, recorded, pinned,
// and the same content when the tag has moved.
func TestImageOfALane(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t)
	name := w.host + "/app:1"
	w.lanes(name, "")
	w.has(w.run(3, "pushlane", "doctor"), name+" of lane t is not here yet: it is pulled by the first run")
	w.has(w.run(0, "pushlane", "image", "pin"), name+" is sha256:")
	w.commit()
	w.has(w.run(0, "pushlane", "run", "--all"), "accepted: 1 lane passed")
	t.Cleanup(func() { w.run(0, "pushlane", "image", "rm", name) })
	w.has(w.run(0, "pushlane", "log", "1:t"), "pull "+name+" (sha256:", "import "+name, "first"+w.dir, "good")
	w.has(w.run(0, "pushlane", "show", "1"), name+" is sha256:")
	w.push("second")
	w.has(w.run(0, "pushlane", "run", "--all"), "accepted: 1 lane passed")
	w.has(w.run(0, "pushlane", "log", "2:t"), "first"+w.dir)
	w.has(w.run(0, "pushlane", "image", "ls"), name)
	w.has(w.run(0, "pushlane", "image", "show", name), "env          GREETING=good", "fingerprint  ")
	w.has(w.run(0, "pushlane", "image", "pin"), name+" stays sha256:")
	w.has(w.run(0, "pushlane", "image", "pin", "--update"), name+" moved from sha256:", " to sha256:")
	w.has(w.run(0, "pushlane", "image", "prune", "--older", "8760h"), "0 images removed, 0 MB of layers")
	w.has(w.run(2, "pushlane", "image", "show", "nothing"), `cannot find image "nothing": this host does not have it`,
		"see which there are: pushlane image ls")
	w.has(w.run(2, "pushlane", "image", "add", "node:22"),
		`cannot use image "node:22": it has a tag, but no registry`, "docker.io/library/node:22")
	w.has(w.run(2, "pushlane", "image", "frob"), `unknown command "frob" of pushlane image`)
}

// TestImageRefused: what a lane may not have is said with what helps.
func TestImageRefused(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t)
	w.policy("[images]\nnames = [\"docker.io/library/*\"]\n")
	w.lanes(w.host+"/app:1", "")
	w.has(w.run(3, "pushlane", "run", "--all"),
		"cannot use image "+w.host+"/app:1: the policy of this host does not allow it",
		`the host's owner may add "`+w.host+`/app" to images.names in `)
	w.policy("[images]\npull = \"add\"\n")
	w.has(w.run(3, "pushlane", "run", "--all"),
		"cannot use image "+w.host+"/app:1: this host does not have it, and its policy pulls no images at a push",
		"the host's owner brings it with: pushlane image add "+w.host+"/app:1")
	w.policy("")
	w.lanes("env", "[image.env]\nfrom = \""+w.host+"/none:1\"\nrun = \"true\"")
	w.has(w.run(3, "pushlane", "run", "--all"),
		`cannot build image "env": cannot pull image `+w.host+"/none:1: the registry has no such image")
}

// TestImageNote: the push that brings a lane hears that the server lacks its image.
func TestImageNote(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t)
	w.policy("[images]\npull = \"add\"\n")
	server := filepath.Join(w.dir, "server.git")
	w.write(filepath.Join(w.repo, ".pushlane", "lanes.toml"), "version = 1\n")
	w.commit()
	w.run(0, "git", "clone", "-q", "--bare", ".", server)
	w.run(0, "pushlane", "install", "--server", "--policy", filepath.Join(w.dir, "config.toml"), server)
	w.lanes(w.host+"/app:1", "")
	out := w.run(0, "git", "push", server, "main")
	w.has(out, "main: lane t cannot run here: cannot use image "+w.host+"/app:1: this host does not have it; "+
		"the host's owner brings it with: pushlane image add "+w.host+"/app:1")
}
