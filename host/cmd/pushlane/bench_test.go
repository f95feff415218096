package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkPush measures what the gate costs a whole `git push` of one new
// commit: with an empty sh hook, then with 1 and 10 no-op Wasm lanes, each a
// separate module, warm, the kinds taking turns so that the machine's drift
// hits all. It reports the medians in ms, what the lanes add over the empty
// hook, the resident host's memory when idle, and the peak of an inline hook.
//
//	go test -run '^$' -bench '^BenchmarkPush$' -benchtime 40x ./host/cmd/pushlane
func BenchmarkPush(b *testing.B) {
	buildNoops(b)
	kinds := []string{"empty", "lanes-1", "lanes-10"}
	pushers := map[string]*pusher{}
	for i, lanes := range []int{0, 1, 10} { // none: the empty hook
		pushers[kinds[i]] = newPusher(b, lanes)
	}
	took := byTurns(b, kinds, func(kind string) time.Duration { return pushers[kind].push(b) })
	time.Sleep(2 * time.Second) // idle, as the memory is asked for
	b.ReportMetric(ms(took["empty"]), "ms/empty-hook")
	for _, kind := range kinds[1:] {
		b.ReportMetric(ms(took[kind]), "ms/"+kind)
		b.ReportMetric(ms(took[kind]-took["empty"]), "ms/added-by-"+kind)
		pid := pushers[kind].resident(b)
		b.ReportMetric(float64(memoryKiB(pid))/1024, "MiB/host-"+kind)
		b.ReportMetric(float64(treeKiB(pid))/1024, "MiB/with-workers-"+kind)
	}
	b.ReportMetric(float64(pushers["lanes-10"].inlineKiB(b))/1024, "MiB/inline-peak-lanes-10")
}

// BenchmarkInline measures the most memory of a hook that judges in its own process, its
// workers included: with the two lanes that `pushlane init` writes, for a small
// push and for one that brings 350 MB. It is for -benchtime 1x.
func BenchmarkInline(b *testing.B) {
	p := newPusher(b, 1)
	lanes := "version = 1\n[[lane]]\nid = \"files\"\nplugin = \"files\"\n[[lane]]\nid = \"commits\"\nplugin = " +
		"\"commits\"\n"
	if err := os.WriteFile(filepath.Join(p.work, "lanes.toml"), []byte(lanes), 0o644); err != nil {
		b.Fatal(err)
	}
	p.commit(b)
	p.commit(b)
	p.inlineKiB(b) // compiles
	for b.Loop() {
		p.commit(b)
		b.ReportMetric(float64(p.inlineKiB(b))/1024, "MiB/small")
		for i := range 35 {
			blob := make([]byte, 10_000_000)
			rand.Read(blob)
			if err := os.WriteFile(filepath.Join(p.work, fmt.Sprint("blob", i)), blob, 0o644); err != nil {
				b.Fatal(err)
			}
		}
		p.commit(b)
		b.ReportMetric(float64(p.inlineKiB(b))/1024, "MiB/350MB")
	}
}

// buildNoops makes ten modules that differ in their manifests alone.
func buildNoops(b *testing.B) {
	b.Helper()
	for i := range 10 {
		name := fmt.Sprint("noop", i)
		manifest := filepath.Join(b.TempDir(), "manifest.toml")
		text := fmt.Sprintf("name = %q\nversion = \"1.0.0\"\nabi = 1\noutput = \"jsonl\"\n", name)
		if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		if err := buildPlugin(prefix, "testdata/plugins/noop", manifest, name); err != nil {
			b.Fatal(err)
		}
	}
}

// inlineKiB is the most memory of a hook that judges in its own process and its workers,
// its modules in the disk cache.
func (p *pusher) inlineKiB(b *testing.B) (peak int) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), filepath.Join(prefix, "bin", "pushlane"), "run", "--all", "--fresh", "--range",
		"HEAD~1..HEAD")
	cmd.Dir, cmd.Env = p.work, append(p.env(), "PUSHLANE_RESIDENT=off")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				b.Fatalf("pushlane run: %v", err)
			}
			return peak
		case <-time.After(3 * time.Millisecond):
			peak = max(peak, treeKiB(cmd.Process.Pid))
		}
	}
}

// treeKiB is the memory of a process and its children, what they share counted
// once.
func treeKiB(pid int) int {
	total := memoryKiB(pid)
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // each has its own
	for _, file := range threads {
		children, _ := os.ReadFile(file)
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				total += memoryKiB(n)
			}
		}
	}
	return total
}

// memoryKiB is a process's share of the memory it is in.
func memoryKiB(pid int) (kib int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(text)) {
		if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kib); n == 1 {
			return kib
		}
	}
	return 0
}

// settle lets a resident host make itself ready for its next push, as it has
// the time to between two pushes of people: the next kind must not pay for it.
const settle = 700 * time.Millisecond

// byTurns has several kinds of pushes take turns, so that the machine's drift
// hits all, and gives the median of each. The first three of a kind, which start
// its host and compile, are not counted.
func byTurns(b *testing.B, kinds []string, push func(kind string) time.Duration) map[string]time.Duration {
	for _, kind := range kinds {
		for range 3 {
			push(kind)
			time.Sleep(settle)
		}
	}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for _, kind := range kinds {
			took[kind] = append(took[kind], push(kind))
			time.Sleep(settle)
		}
	}
	medians := map[string]time.Duration{}
	for kind, all := range took {
		medians[kind] = median(all)
	}
	return medians
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// pusher is a repository with a remote next to it and one kind of hook.
type pusher struct {
	work, home string
	n          int
}

func newPusher(b *testing.B, lanes int) *pusher {
	dir := b.TempDir()
	p := &pusher{work: filepath.Join(dir, "work"), home: dir}
	p.git(b, dir, "init", "-q", "--bare", "remote.git")
	p.git(b, dir, "init", "-q", "-b", "main", "work")
	p.git(b, p.work, "remote", "add", "origin", "../remote.git")
	var text strings.Builder
	text.WriteString("version = 1\n")
	for i := range max(1, lanes) {
		fmt.Fprintf(&text, "[[lane]]\nid = \"lane-%d\"\nplugin = \"noop%[1]d\"\n", i)
	}
	if err := os.WriteFile(filepath.Join(p.work, "lanes.toml"), []byte(text.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	if lanes == 0 {
		if err := os.WriteFile(filepath.Join(p.work, ".git", "hooks", "pre-push"), []byte("#!/bin/sh\nexit 0\n"),
			0o755); err != nil {
			b.Fatal(err)
		}
		return p
	}
	cmd := exec.CommandContext(b.Context(), filepath.Join(prefix, "bin", "pushlane"), "install")
	cmd.Dir, cmd.Env = p.work, p.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("pushlane install: %v\n%s", err, out)
	}
	b.Cleanup(func() { exec.Command("pkill", "-f", filepath.Join(prefix, "bin", "pushlane")+" serve").Run() })
	return p
}

func (p *pusher) env() []string {
	return []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1",
		"PUSHLANE_CONFIG=" + filepath.Join(p.home, "config.toml"),
		"XDG_CACHE_HOME=" + filepath.Join(prefix, "cache"), "GIT_AUTHOR_NAME=B", "GIT_AUTHOR_EMAIL=b@example.org",
		"GIT_COMMITTER_NAME=B", "GIT_COMMITTER_EMAIL=b@example.org"}
}

func (p *pusher) git(b *testing.B, dir string, args ...string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, p.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// push commits one file and times the push alone.
func (p *pusher) push(b *testing.B) time.Duration {
	b.Helper()
	p.commit(b)
	began := time.Now()
	p.git(b, p.work, "push", "-q", "origin", "main")
	return time.Since(began)
}

// commit commits what is there, and another content of one file.
func (p *pusher) commit(b *testing.B) {
	b.Helper()
	p.n++
	if err := os.WriteFile(filepath.Join(p.work, "file"), fmt.Append(nil, p.n), 0o644); err != nil {
		b.Fatal(err)
	}
	p.git(b, p.work, "add", "-A")
	p.git(b, p.work, "commit", "-q", "-m", fmt.Sprint("change ", p.n))
}

// resident is the process of this pusher's resident host.
func (p *pusher) resident(b *testing.B) int {
	b.Helper()
	pids, err := exec.Command("pgrep", "-f", filepath.Join(prefix, "bin", "pushlane")+" serve").Output()
	if err != nil {
		b.Fatalf("no resident host: %v", err)
	}
	for pid := range strings.FieldsSeq(string(pids)) {
		env, _ := os.ReadFile("/proc/" + pid + "/environ")
		if n, err := strconv.Atoi(pid); err == nil && strings.Contains(string(env), "HOME="+p.home+"\x00") {
			return n
		}
	}
	b.Fatal("the resident host of this repository is gone")
	return 0
}
