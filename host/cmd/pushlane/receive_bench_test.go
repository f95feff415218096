package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkReceive measures what the server's gate costs a `git push` of one
// changed file to a repository of 50,000 files: with an empty pre-receive hook,
// with `git diff-tree` in an sh hook, and with one no-op lane judged by a
// resident host, in pre-receive alone and with post-receive next to it as
// `pushlane install --server` sets them up, the kinds taking turns. Medians in
// ms.
//
//	go test -run '^$' -bench Receive -benchtime 40x ./host/cmd/pushlane
func BenchmarkReceive(b *testing.B) {
	buildNoops(b)
	seed := seedRepo(b)
	kinds := []string{"empty", "diff-tree", "lane-1", "lane-1-both-hooks"}
	servers := map[string]*receiving{}
	for _, kind := range kinds {
		servers[kind] = newReceiving(b, seed, kind)
	}
	took := byTurns(b, kinds, func(kind string) time.Duration { return servers[kind].push(b) })
	b.ReportMetric(ms(took["empty"]), "ms/empty-hook")
	for _, kind := range kinds[1:] {
		b.ReportMetric(ms(took[kind]-took["empty"]), "ms/added-by-"+kind)
	}
}

// seedRepo is a bare repository of 50,000 files in 1,000 folders, packed.
func seedRepo(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "seed.git")
	in := &strings.Builder{}
	in.WriteString("commit refs/heads/main\ncommitter B <b@example.org> 1700000000 +0000\ndata 1\nx\n")
	in.WriteString("M 644 inline lanes.toml\ndata <<END\nversion = 1\n[[lane]]\nid = \"one\"\nplugin = \"noop0\"\nEND\n")
	for d := range 50 {
		for s := range 20 {
			for f := range 50 {
				fmt.Fprintf(in, "M 644 inline d%d/s%d/f%d\ndata <<END\n%d %d %d\nEND\n", d, s, f, d, s, f)
			}
		}
	}
	git(b, "", "init", "-q", "--bare", "-b", "main", dir)
	gitIn(b, in.String(), dir, "fast-import", "--quiet")
	git(b, dir, "repack", "-qad")
	return dir
}

func git(b *testing.B, dir string, args ...string) { gitIn(b, "", dir, args...) }

func gitIn(b *testing.B, stdin, dir string, args ...string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "git", args...)
	cmd.Dir, cmd.Stdin = dir, io.Reader(strings.NewReader(stdin))
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+b.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// receiving is a server's repository with one kind of hook, and its pusher's.
type receiving struct {
	client string
	n      int
}

func newReceiving(b *testing.B, seed, kind string) *receiving {
	b.Helper()
	dir := b.TempDir()
	server := filepath.Join(dir, "server.git")
	git(b, dir, "clone", "-q", "--bare", seed, server)
	git(b, dir, "clone", "-q", "--bare", seed, "client.git")
	git(b, filepath.Join(dir, "client.git"), "remote", "set-url", "origin", server)
	switch kind {
	case "lane-1":
		guardAndServe(b, dir, server)
		if err := os.Remove(filepath.Join(server, "hooks", "post-receive")); err != nil {
			b.Fatal(err)
		}
	case "lane-1-both-hooks":
		guardAndServe(b, dir, server)
	default:
		text := "#!/bin/sh\nexit 0\n"
		if kind == "diff-tree" {
			text = "#!/bin/sh\nwhile read old new ref; do git diff-tree -r --name-only $old $new >/dev/null; done\n"
		}
		if err := os.WriteFile(filepath.Join(server, "hooks", "pre-receive"), []byte(text), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	return &receiving{client: filepath.Join(dir, "client.git")}
}

// guardAndServe installs the server's hooks and starts its resident host.
func guardAndServe(b *testing.B, dir, server string) {
	b.Helper()
	policy := filepath.Join(dir, "policy.toml")
	text := fmt.Sprintf("state = %q\ncache = %q\nlisten = \"\"\n", filepath.Join(dir, "state"),
		filepath.Join(prefix, "cache"))
	if err := os.WriteFile(policy, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	bin := filepath.Join(prefix, "bin", "pushlane")
	if out, err := exec.CommandContext(b.Context(), bin, "install", "--server", "--policy", policy,
		server).CombinedOutput(); err != nil {
		b.Fatalf("pushlane install: %v\n%s", err, out)
	}
	serve := exec.CommandContext(b.Context(), bin, "serve", "--policy", policy)
	serve.Stderr = os.Stderr
	if err := serve.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { serve.Process.Signal(os.Interrupt); serve.Wait() })
	for {
		if _, err := os.Stat(filepath.Join(dir, "state", "host.sock")); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// push makes a commit that changes one file and times its push.
func (r *receiving) push(b *testing.B) time.Duration {
	b.Helper()
	r.n++
	gitIn(b, fmt.Sprintf(
		"commit refs/heads/main\ncommitter B <b@example.org> %d +0000\ndata 1\nx\nfrom refs/heads/main^0\nM 644 inline "+
			"d7/s3/f9\ndata <<END\n%d\nEND\n",
		1700000000+r.n, r.n), r.client, "fast-import", "--quiet")
	began := time.Now()
	git(b, r.client, "push", "-q", "origin", "main")
	return time.Since(began)
}
