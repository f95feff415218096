package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// crowd is how many pushes come at once.
const crowd = 50

// prepareCrowd makes as many branches, every third one bad, each with a file
// of its own name.
func (c client) prepareCrowd() {
	var in strings.Builder
	base := strings.TrimSpace(c.git("rev-parse", "main"))
	for i := range crowd {
		text := fmt.Sprintf("fine %d\n", i)
		if bad(i) {
			text = conflict + fmt.Sprint(i)
		}
		fmt.Fprintf(&in,
			"commit refs/heads/release/%d\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nx\nfrom %s\nM 644 inline "+
				"file-%d\ndata %d\n%s\n", i, base, i, len(text), text)
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = c.dir, strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("git fast-import: %v\n%s", err, out)
	}
}

func bad(i int) bool { return i%3 == 1 }

// pushCrowd pushes all of them at once and checks each answer.
func (c client) pushCrowd(t *testing.T) {
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() {
			out, err := try(c.dir, c.s.env, "git", "push", "-q", "origin", fmt.Sprintf("release/%d", i))
			switch {
			case bad(i) && (err == nil || !strings.Contains(out, fmt.Sprintf("file-%d:1: error: merge conflict", i))):
				t.Errorf("bad push %d: %v\n%s", i, err, out)
			case !bad(i) && err != nil:
				t.Errorf("good push %d: %v\n%s", i, err, out)
			}
		})
	}
	wg.Wait()
}

// Fifty pushes at once to one repository: every one is judged, by its own
// objects, and none is lost.
func TestCrowd(t *testing.T) {
	t.Parallel()
	s := newServer(t, protectReleases)
	s.url = s.repo
	s.serve(t)
	c := s.newClient(t, filesLane)
	c.git("push", "-q", "origin", "main")
	c.prepareCrowd()
	c.pushCrowd(t)
	refs := must(t, s.repo, nil, "git", "for-each-ref", "--format=%(refname) %(objectname)")
	runs := map[string]storedRun{}
	for _, r := range s.runs(t) {
		runs[r.Updates[0].Ref+" "+r.Updates[0].New] = r
	}
	for i := range crowd {
		ref := fmt.Sprintf("refs/heads/release/%d", i)
		line := ref + " " + strings.TrimSpace(c.git("rev-parse", ref))
		want := map[bool]string{true: "failed", false: "passed"}[bad(i)]
		if there := strings.Contains(refs, line+"\n"); there == bad(i) || runs[line].State != want {
			t.Errorf("%s: on the server %t, run %q, want %s", ref, there, runs[line].State, want)
		}
	}
}

// BenchmarkCrowd reports how long fifty pushes at once take and what the
// resident host needs at its peak, next to the same pushes with an empty hook.
//
//	go test -run '^$' -bench Crowd -benchtime 1x ./host/cmd/pushlane
func BenchmarkCrowd(b *testing.B) {
	for b.Loop() {
		b.Run("judged", func(b *testing.B) { b.ReportMetric(crowdPeak(b, true), "MiB/host-peak") })
		b.Run("empty-hook", func(b *testing.B) { crowdPeak(b, false) })
	}
}

func crowdPeak(b *testing.B, judged bool) float64 {
	dir := b.TempDir()
	server := filepath.Join(dir, "app.git")
	git(b, dir, "init", "-q", "--bare", "-b", "main", server)
	git(b, dir, "init", "-q", "-b", "main", "work")
	work := filepath.Join(dir, "work")
	git(b, work, "remote", "add", "origin", server)
	gitIn(b, "commit refs/heads/main\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nx\nM 644 inline "+
		"lanes.toml\ndata <<END\n"+filesLane+"END\n", work, "fast-import", "--quiet")
	if judged {
		guardAndServe(b, dir, server)
	} else {
		hook := filepath.Join(server, "hooks", "pre-receive")
		if err := os.WriteFile(hook, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	git(b, work, "push", "-q", "origin", "main")
	c := client{&testing.T{}, work, &gitServer{}}
	c.prepareCrowd()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range crowd {
		if !bad(i) {
			wg.Go(func() { git(b, work, "push", "-q", "origin", fmt.Sprintf("release/%d", i)) })
		}
	}
	wg.Wait()
	b.ReportMetric(ms(time.Since(began)), "ms/all")
	if !judged {
		return 0
	}
	return peakMiB(b, filepath.Join(dir, "policy.toml"))
}

// peakMiB is the largest resident set so far of the host with this policy.
func peakMiB(b *testing.B, policy string) float64 {
	b.Helper()
	pid, err := exec.Command("pgrep", "-f", "serve --policy "+policy).Output()
	if err != nil {
		b.Fatalf("no resident host: %v", err)
	}
	status, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/status")
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	b.Fatal("no peak in /proc")
	return 0
}

// BenchmarkBigPush pushes 200,000 objects in one pack, as a long history and as
// one commit of that many files, and reports the pack, its index and what the
// judging host needs at its peak more than for small pushes.
//
//	go test -run '^$' -bench BigPush -benchtime 1x ./host/cmd/pushlane
func BenchmarkBigPush(b *testing.B) {
	history, files := &strings.Builder{}, &strings.Builder{}
	for i := range 66_600 {
		fmt.Fprintf(history, "commit refs/heads/main\ncommitter T <t@example.org> %d +0000\ndata 1\nx\n", 1700000000+i)
		if i == 0 {
			history.WriteString(
				"M 644 inline lanes.toml\ndata <<END\nversion = 1\n[[lane]]\nid = \"one\"\nplugin = \"noop0\"\nEND\n")
		}
		fmt.Fprintf(history, "M 644 inline f%d\ndata 8\n%08d\n", i%50, i)
	}
	files.WriteString(
		"commit refs/heads/main\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nx\nM 644 inline lanes.toml\ndata " +
			"<<END\nversion = 1\n[[lane]]\nid = \"one\"\nplugin = \"noop0\"\nEND\n")
	for i := range 198_000 {
		fmt.Fprintf(files, "M 644 inline d%d/f%d\ndata 8\n%08d\n", i%2000, i, i)
	}
	buildNoops(b)
	for b.Loop() {
		b.Run("history", func(b *testing.B) { bigPush(b, strings.NewReader(history.String())) })
		b.Run("files", func(b *testing.B) { bigPush(b, strings.NewReader(files.String())) })
	}
}

func bigPush(b *testing.B, stream io.Reader) {
	dir := b.TempDir()
	server, work := filepath.Join(dir, "app.git"), filepath.Join(dir, "work.git")
	git(b, dir, "init", "-q", "--bare", "-b", "main", server)
	git(b, dir, "init", "-q", "--bare", "-b", "main", work)
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = work, stream
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git fast-import: %v\n%s", err, out)
	}
	git(b, work, "repack", "-qad")
	guardAndServe(b, dir, server)
	policy := filepath.Join(dir, "policy.toml")
	small := filepath.Join(dir, "small.git")
	git(b, dir, "init", "-q", "--bare", "-b", "small", small)
	gitIn(b, "commit refs/heads/small\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nx\nM 644 inline "+
		"lanes.toml\ndata <<END\nversion = 1\n[[lane]]\nid = \"one\"\nplugin = \"noop0\"\nEND\n", small, "fast-import",
		"--quiet")
	for i := range 3 { // the host as any push leaves it
		git(b, small, "push", "-q", server, fmt.Sprint("small:refs/heads/small-", i))
	}
	before := peakMiB(b, policy)
	began := time.Now()
	git(b, work, "push", "-q", server, "main")
	b.ReportMetric(time.Since(began).Seconds(), "s/push")
	b.ReportMetric(peakMiB(b, policy)-before, "MiB/host-more")
	for _, kind := range []string{"pack", "idx"} {
		found, err := filepath.Glob(filepath.Join(work, "objects", "pack", "*."+kind))
		if err != nil || len(found) != 1 {
			b.Fatalf("want one %s, got %v, %v", kind, found, err)
		}
		info, err := os.Stat(found[0])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB/"+kind)
	}
}
