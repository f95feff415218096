package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// storedRun is what this test reads of `pushlane runs --json`.
type storedRun struct {
	Run     int
	State   string
	Gate    string
	Exit    int
	Updates []struct{ Ref, New string }
	Lanes   []struct {
		ID      string `json:"lane"`
		State   string
		Message string
		Attempt int
	} `json:"lane_runs"`
}

func (s *gitServer) runs(t *testing.T) []storedRun {
	t.Helper()
	env := []string{"PUSHLANE_STATE=" + s.state}
	var list, all []storedRun
	if err := json.Unmarshal([]byte(must(t, s.repo, env, pushlaneBin(), "runs", "--json", "-n", "1000")),
		&list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		var whole storedRun
		if err := json.Unmarshal([]byte(must(t, s.repo, env, pushlaneBin(), "runs", "--json", fmt.Sprint(r.Run))),
			&whole); err != nil {
			t.Fatal(err)
		}
		all = append(all, whole)
	}
	return all
}

func final(state string) bool { return state != "queued" && state != "running" && state != "starting" }

const countingLane = `
[[lane]]
id = "count"
plugin = "shell"
on = ["post-receive"]
branches = ["release/*"]
[lane.with]
image = "busybox"
command = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo line $i; sleep 0.1; done"]
[lane.grant]
container = true
`

// A host is killed with -9 in the middle of pushes that come at once. Every
// verdict, every log and every container is accounted for afterwards.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	if !incusHere(t) {
		t.Skip("SKIPPED: no Incus here")
	}
	s := newServer(t, protectReleases)
	s.overHTTP(t)
	host := s.serve(t)
	c := s.newClient(t, filesLane+countingLane)
	c.git("push", "-q", "origin", "main")
	const n = 8
	for i := range n {
		c.git("checkout", "-q", "-b", fmt.Sprintf("release/%d", i), "main")
		c.commit("file", map[bool]string{true: "fine\n", false: conflict}[i%2 == 0]+fmt.Sprint(i))
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { c.pushWhateverHappens(t, i) })
	}
	waitUntil(t, "a container runs", func() bool { return len(containersOf(t, c)) > 0 })
	host.Process.Kill()
	host.Wait()
	wg.Wait()
	s.serve(t)
	waitUntil(t, "every run has ended", func() bool { return s.settled(t, n/2) })
	s.checkAccounts(t, c, n)
	waitUntil(t, "no container is left", func() bool { return len(containersOf(t, c)) == 0 })
}

// pushWhateverHappens pushes branch i: a good one again while the infrastructure
// keeps it out, a bad one once.
func (c client) pushWhateverHappens(t *testing.T, i int) {
	ref := fmt.Sprintf("release/%d", i)
	for range 20 {
		out, err := try(c.dir, c.s.env, "git", "push", "-q", "origin", ref)
		bad := i%2 == 1
		switch {
		case err == nil && bad:
			t.Errorf("%s is bad and got in:\n%s", ref, out)
			return
		case err == nil, bad && strings.Contains(out, `lane "files" failed`):
			return
		case !strings.Contains(out, "cannot decide"):
			t.Errorf("%s was kept out, but not by the infrastructure: %v\n%s", ref, err, out)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s never got an answer", ref)
}

// settled: as many runs after acceptance as good pushes, and all ended.
func (s *gitServer) settled(t *testing.T, want int) bool {
	after := 0
	for _, r := range s.runs(t) {
		if !final(r.State) {
			return false
		}
		if r.Gate == "post-receive" {
			after++
		}
	}
	return after >= want
}

func (s *gitServer) checkAccounts(t *testing.T, c client, n int) {
	t.Helper()
	accepted, counted, again := map[string]int{}, map[string]int{}, 0
	for _, r := range s.runs(t) {
		ref := strings.TrimPrefix(r.Updates[0].Ref, "refs/heads/")
		switch {
		case r.Gate == "pre-receive" && r.State == "passed":
			accepted[ref]++
		case r.Gate == "post-receive":
			counted[ref]++
			again += len(r.Lanes) - 1
			s.checkLog(t, r)
		}
	}
	if again == 0 {
		t.Error("the kill met no run under way")
	}
	for i := range n {
		ref := fmt.Sprintf("release/%d", i)
		want := map[bool]int{true: 1, false: 0}[i%2 == 0]
		there := strings.Contains(must(t, s.repo, nil, "git", "for-each-ref"), "refs/heads/"+ref+"\n")
		if accepted[ref] < want || want == 0 && accepted[ref] > 0 || counted[ref] != want || there != (want == 1) {
			t.Errorf("%s: accepted %d times, %d runs after that, on the server: %t; want %d", ref, accepted[ref], counted[ref],
				there, want)
		}
	}
}

// checkLog: the last attempt passed and its log is whole; an earlier one broke
// and says by what.
func (s *gitServer) checkLog(t *testing.T, r storedRun) {
	t.Helper()
	last := r.Lanes[len(r.Lanes)-1]
	if r.State != "passed" || last.State != "passed" {
		t.Errorf("run #%d of %s is %s, its lane %s: %s", r.Run, r.Updates[0].Ref, r.State, last.State, last.Message)
		return
	}
	for _, l := range r.Lanes[:len(r.Lanes)-1] {
		if l.State != "broken" || l.Message != "its host no longer responds" {
			t.Errorf("run #%d: attempt %d is %s: %s", r.Run, l.Attempt, l.State, l.Message)
		}
	}
	log := must(t, s.repo, []string{"PUSHLANE_STATE=" + s.state}, pushlaneBin(), "log", fmt.Sprintf("%d:count", r.Run))
	for i := 1; i <= 15; i++ {
		if !strings.Contains(log, fmt.Sprintf("line %d\n", i)) {
			t.Errorf("run #%d: line %d of its log is lost:\n%s", r.Run, i, log)
		}
	}
}

// containersOf lists the containers that judge commits of this client.
func containersOf(t *testing.T, c client) []string {
	t.Helper()
	out, err := exec.Command("incus", "list", "--project", "pushlane", "-f", "csv", "-c", "n,user.pushlane.lane").Output()
	if err != nil {
		t.Fatalf("incus list: %v", err)
	}
	ids := strings.Fields(c.git("log", "--all", "--format=%H"))
	var found []string
	for line := range strings.Lines(string(out)) {
		for _, id := range ids {
			if strings.Contains(line, id[:7]) {
				found = append(found, line)
			}
		}
	}
	return found
}
