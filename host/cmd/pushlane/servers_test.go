package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// gitServer is a real git server with one guarded repository on it.
type gitServer struct {
	repo   string   // the bare repository
	url    string   // what a client pushes to
	env    []string // what its git needs to get there
	policy string
	state  string
}

// newServer makes the guarded bare repository that a server is put in front
// of. Text is the rest of its policy.
func newServer(t *testing.T, text string) *gitServer {
	t.Helper()
	dir := t.TempDir()
	s := &gitServer{repo: filepath.Join(dir, "srv", "app.git"), policy: filepath.Join(dir, "policy.toml"),
		state: filepath.Join(dir, "state")}
	policy := fmt.Sprintf("state = %q\ncache = %q\nlisten = \"\"\n%s\n%s", s.state, filepath.Join(prefix, "cache"), text,
		incusConfig())
	write(t, s.policy, policy)
	must(t, "", nil, "git", "init", "-q", "--bare", "-b", "main", s.repo)
	must(t, "", nil, pushlaneBin(), "install", "--server", "--policy", s.policy, s.repo)
	return s
}

func pushlaneBin() string { return filepath.Join(prefix, "bin", "pushlane") }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// must runs a command that may not fail and returns what it printed.
func must(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := try(dir, env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(dir string, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org",
		"GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org", "GIT_TERMINAL_PROMPT=0")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// serve starts the server's resident host and waits until it answers.
func (s *gitServer) serve(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(pushlaneBin(), "serve", "--policy", s.policy)
	log := &bytes.Buffer{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			t.Logf("pushlane serve said:\n%s", log)
		}
	})
	waitUntil(t, "the host responded with", func() bool {
		conn, err := net.Dial("unix", filepath.Join(s.state, "host.sock"))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return cmd
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited two minutes until %s", what)
		}
	}
}

// client is a clone with a first commit that has lanes.
type client struct {
	t   *testing.T
	dir string
	s   *gitServer
}

const filesLane = "version = 1\n[[lane]]\nid = \"files\"\nplugin = \"files\"\n"

func (s *gitServer) newClient(t *testing.T, lanes string) client {
	t.Helper()
	c := client{t, filepath.Join(t.TempDir(), "work"), s}
	must(t, "", nil, "git", "init", "-q", "-b", "main", c.dir)
	c.git("remote", "add", "origin", s.url)
	write(t, filepath.Join(c.dir, ".pushlane", "lanes.toml"), lanes)
	c.commit("first", "hello")
	return c
}

func (c client) git(args ...string) string {
	c.t.Helper()
	return must(c.t, c.dir, c.s.env, "git", args...)
}

func (c client) commit(name, text string) {
	c.t.Helper()
	write(c.t, filepath.Join(c.dir, name), text)
	c.git("add", "-A")
	c.git("commit", "-q", "-m", name)
}

const conflict = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n"

// judgesPushes is what every server must do: let good pushes in, keep bad ones
// out in the lane's own words, one at a time and several at once.
func (s *gitServer) judgesPushes(t *testing.T) {
	t.Helper()
	c := s.newClient(t, filesLane)
	if out := c.git("push", "origin", "main"); !strings.Contains(out, "pushlane: accepted: 1 lane passed") {
		t.Errorf("a good push was not judged:\n%s", out)
	}
	c.commit("bad", conflict)
	out, err := try(c.dir, s.env, "git", "push", "origin", "main")
	if err == nil || !strings.Contains(out, "bad:1: error: merge conflict left in the file") ||
		!strings.Contains(out, `pushlane: refused: lane "files" failed (push refused, run #`) {
		t.Errorf("a bad push: %v\n%s", err, out)
	}
	c.git("reset", "-q", "--hard", "HEAD~1")
	c.commit("good", "open\n")
	c.git("push", "origin", "main")
	c.atOnce(t)
}

// atOnce pushes several branches at the same time, every second one bad.
func (c client) atOnce(t *testing.T) {
	t.Helper()
	const n = 6
	base := strings.TrimSpace(c.git("rev-parse", "HEAD"))
	for i := range n {
		c.git("checkout", "-q", "-b", fmt.Sprintf("release/%d", i), base)
		c.commit("file", map[bool]string{true: "fine\n", false: conflict}[i%2 == 0]+fmt.Sprint(i))
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ref := fmt.Sprintf("release/%d", i)
			out, err := try(c.dir, c.s.env, "git", "push", "-q", "origin", ref)
			if good := i%2 == 0; good != (err == nil) {
				t.Errorf("%s: %v\n%s", ref, err, out)
			}
		})
	}
	wg.Wait()
}

const protectReleases = `protect = ["main", "release/*"]`

func TestHTTPBackend(t *testing.T) {
	t.Parallel()
	s := newServer(t, protectReleases)
	s.overHTTP(t)
	s.judgesPushes(t) // without a host the hook decides itself
	s.serve(t)
	c := s.newClient(t, filesLane)
	c.git("fetch", "-q", "origin")
	c.git("reset", "-q", "--hard", "origin/main")
	c.commit("served", "by the resident host\n")
	c.git("push", "-q", "origin", "main")
}

// overHTTP puts git's own http-backend in front of the repository.
func (s *gitServer) overHTTP(t *testing.T) {
	t.Helper()
	execPath := strings.TrimSpace(must(t, "", nil, "git", "--exec-path"))
	backend := &cgi.Handler{Path: filepath.Join(execPath, "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(s.repo), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=alice",
			"PATH=" + os.Getenv("PATH")}}
	server := httptest.NewServer(http.HandlerFunc(backend.ServeHTTP))
	t.Cleanup(server.Close)
	must(t, s.repo, nil, "git", "config", "http.receivepack", "true")
	s.url = server.URL + "/app.git"
}

func TestSSHD(t *testing.T) {
	t.Parallel()
	s := newServer(t, protectReleases)
	s.overSSH(t, "")
	s.serve(t)
	s.judgesPushes(t)
}

// overSSH starts a real sshd for this user. Forced is what its key may run
// instead of what the client asks for.
func (s *gitServer) overSSH(t *testing.T, forced string) {
	t.Helper()
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		skipServer(t, "sshd is not installed (openssh-server)")
	}
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		must(t, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key))
	}
	public, err := os.ReadFile(filepath.Join(dir, "user.pub"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "keys"), forced+string(public))
	port := freePort(t)
	write(t, filepath.Join(dir, "config"), fmt.Sprintf(
		"Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/keys\n"+
			"StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 50\n", port,
		dir, dir))
	os.MkdirAll("/run/sshd", 0o755) // sshd as root wants it
	cmd := exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "config"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	waitUntil(t, "sshd answers", func() bool { return dials(port) })
	s.url = fmt.Sprintf("ssh://%s@127.0.0.1:%d%s", os.Getenv("USER"), port, s.repo)
	if os.Getenv("USER") == "" {
		s.url = fmt.Sprintf("ssh://root@127.0.0.1:%d%s", port, s.repo)
	}
	s.env = []string{
		fmt.Sprintf(
			"GIT_SSH_COMMAND=ssh -i %s/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o "+
				"UserKnownHostsFile=/dev/null -o LogLevel=ERROR", dir)}
}

// TestGitolite guards a repository that gitolite made, behind its own access
// rules and its own update hook.
func TestGitolite(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gitolite"); err != nil {
		skipServer(t, "gitolite is not installed (gitolite3)")
	}
	s := newServer(t, protectReleases)
	home := t.TempDir()
	env := []string{"HOME=" + home, "USER=git", "LOGNAME=git"}
	must(t, "", env, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(home, "admin"))
	must(t, home, env, "gitolite", "setup", "-pk", "admin.pub")
	write(t, filepath.Join(home, ".gitolite", "conf", "gitolite.conf"),
		"repo app\n  RW+ = alice\n  - refs/heads/locked = alice\n")
	must(t, home, env, "gitolite", "compile")
	s.repo = filepath.Join(home, "repositories", "app.git")
	must(t, s.repo, nil, "git", "symbolic-ref", "HEAD", "refs/heads/main")
	must(t, "", nil, pushlaneBin(), "install", "--server", "--policy", s.policy, s.repo)
	s.overSSH(t, fmt.Sprintf(`command="HOME=%s /usr/share/gitolite3/gitolite-shell alice",restrict `, home))
	s.url = s.url[:strings.LastIndex(s.url, home)] + "/app"
	s.serve(t)
	s.judgesPushes(t)
	runs := must(t, s.repo, []string{"PUSHLANE_STATE=" + s.state}, pushlaneBin(), "runs", "--json")
	if !strings.Contains(runs, `"pusher": "alice"`) {
		t.Errorf("gitolite's name of the pusher is not kept:\n%s", runs)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func dials(port int) bool {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// skipServer skips a test whose server is not installed, or fails where all
// must run.
func skipServer(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("PUSHLANE_REQUIRE_SERVERS") != "" {
		t.Fatal(why)
	}
	t.Skip("SKIPPED: " + why)
}

// Gitea and soft-serve are in neither Debian nor small enough to build for
// every test: where the variable names a program it is tried.

func TestGitea(t *testing.T) {
	t.Parallel()
	gitea, source := os.Getenv("PUSHLANE_GITEA"), os.Getenv("PUSHLANE_GITEA_SOURCE")
	if gitea == "" || source == "" {
		t.Skip("SKIPPED: PUSHLANE_GITEA and PUSHLANE_GITEA_SOURCE name no Gitea and its templates")
	}
	s := newServer(t, protectReleases)
	work, port := t.TempDir(), freePort(t)
	write(t, filepath.Join(work, "custom", "conf", "app.ini"),
		fmt.Sprintf("I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\nRUN_USER = root\n[database]\nDB_TYPE = sqlite3\n"+
			"[security]\nINSTALL_LOCK = true\nSECRET_KEY = secret\n[server]\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = %d\n"+
			"STATIC_ROOT_PATH = %s\nOFFLINE_MODE = true\n", port, source))
	env := []string{"GITEA_WORK_DIR=" + work}
	must(t, work, env, gitea, "migrate")
	must(t, work, env, gitea, "admin", "user", "create", "--admin", "--username", "alice", "--password", "secret12",
		"--email", "a@example.org", "--must-change-password=false")
	cmd := exec.Command(gitea, "web")
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	waitUntil(t, "Gitea answers", func() bool { return dials(port) })
	base := fmt.Sprintf("http://alice:secret12@127.0.0.1:%d", port)
	resp, err := http.Post(base+"/api/v1/user/repos", "application/json",
		strings.NewReader(`{"name":"app","default_branch":"main"}`))
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("cannot make a repository: %v %v", resp, err)
	}
	resp.Body.Close()
	s.repo, s.url = filepath.Join(work, "data", "gitea-repositories", "alice", "app.git"), base+"/alice/app.git"
	s.hookFolders(t)
	token := must(t, work, env, gitea, "admin", "user", "generate-access-token", "--username", "alice", "--scopes",
		"write:repository", "--raw")
	write(t, filepath.Join(work, "token"), token[strings.LastIndexByte(strings.TrimSpace(token), '\n')+1:])
	policy, err := os.ReadFile(s.policy)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.policy,
		string(policy)+
			fmt.Sprintf(
				"\n[[status]]\nrepo = \"app\"\nkind = \"gitea\"\napi = \"http://127.0.0.1:%d/api/v1\"\nproject = \"alice/app\"\n"+
					"token_file = %q\n",
				port, filepath.Join(work, "token")))
	s.serve(t)
	s.judgesPushes(t)
	waitUntil(t, "Gitea shows the status", func() bool {
		resp, err := http.Get(base + "/api/v1/repos/alice/app/commits/main/status")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var status struct {
			State    string
			Statuses []struct{ Context, Description string }
		}
		return json.NewDecoder(resp.Body).Decode(&status) == nil && status.State == "success" && len(status.Statuses) == 1 &&
			status.Statuses[0].Context == "pushlane/pre-receive" &&
			strings.HasSuffix(status.Statuses[0].Description, ": 1 of 1 lanes passed")
	})
}

func TestSoftServe(t *testing.T) {
	t.Parallel()
	soft := os.Getenv("PUSHLANE_SOFT_SERVE")
	if soft == "" {
		t.Skip("SKIPPED: PUSHLANE_SOFT_SERVE names no soft-serve")
	}
	s := newServer(t, protectReleases)
	data, port := t.TempDir(), freePort(t)
	must(t, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(data, "key"))
	public, err := os.ReadFile(filepath.Join(data, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(soft, "serve")
	cmd.Env = append(os.Environ(), "SOFT_SERVE_DATA_PATH="+data, "SOFT_SERVE_INITIAL_ADMIN_KEYS="+string(public),
		fmt.Sprintf("SOFT_SERVE_SSH_LISTEN_ADDR=127.0.0.1:%d", port),
		fmt.Sprintf("SOFT_SERVE_HTTP_LISTEN_ADDR=127.0.0.1:%d", freePort(t)),
		fmt.Sprintf("SOFT_SERVE_GIT_LISTEN_ADDR=127.0.0.1:%d", freePort(t)),
		fmt.Sprintf("SOFT_SERVE_STATS_LISTEN_ADDR=127.0.0.1:%d", freePort(t)))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	waitUntil(t, "soft-serve answers", func() bool { return dials(port) })
	ssh := fmt.Sprintf(
		"ssh -p %d -i %s/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o "+
			"LogLevel=ERROR", port, data)
	s.env = []string{"GIT_SSH_COMMAND=" + ssh}
	must(t, "", nil, "sh", "-c", ssh+" 127.0.0.1 repo create app")
	s.repo, s.url = filepath.Join(data, "repos", "app.git"), fmt.Sprintf("ssh://127.0.0.1:%d/app", port)
	s.hookFolders(t)
	s.serve(t)
	s.judgesPushes(t)
}

// hookFolders puts the hooks where servers with folders of hooks run them.
func (s *gitServer) hookFolders(t *testing.T) {
	t.Helper()
	for _, gate := range []string{"pre-receive", "post-receive"} {
		path := filepath.Join(s.repo, "hooks", gate+".d", "pushlane")
		write(t, path, must(t, "", nil, pushlaneBin(), "install", "--server", "--policy", s.policy, "--print", gate))
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
