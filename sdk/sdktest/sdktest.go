// Package sdktest tests a plugin's check natively, in milliseconds: it builds
// the two trees and the request from a Case, simulates the host, and compares the
// output of the check. The check sees the part of the request that a host would send
// to the plugin whose manifest.toml is in the folder of the tests.
package sdktest

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
)

// Case is one push and what a check should make of it.
type Case struct {
	Name       string
	Files      map[string]string     // the pushed tree: path to content
	Base       map[string]string     // the tree before; the changes are counted between the two
	Modes      map[string]string     // modes that are not 100644, by path; the file stays a plain one
	History    []Past                // what the new commits add beyond Files; nil: the run may not see it
	With       string                // settings, JSON
	Commits    []sdk.Commit          // new commits, oldest first
	Containers map[string]sdk.Result // how containers end, by id; the id may be left out of the result
	Artifacts  map[string]string     // files of containers: "id/name" to content
	Request    sdk.Request           // what else the request says; zero fields get usual values

	// Serve carries out one call of the plugin in another way, such as built
	// as WebAssembly; nil: check is called in this process.
	Serve func(sdk.Session) int

	WantFindings   []sdk.Finding     // in their order; level "" means error
	WantVerdict    string            // pass (the default), fail, skip or broken; "fail: words" also compares the reason
	WantContainers []sdk.Container   // all that were asked for, in their order; nil: not compared
	WantProgress   []string          // progress lines of all calls; nil: not compared
	WantArtifacts  map[string]string // the values that the check stored; nil: not compared
}

// Past is a file as a new commit has it, and the pushed tree has not.
type Past struct {
	Commit, Path, Text string
	Mode               string   // empty: 100644
	Had                []string // what the commit's parents have at the path
}

// change is it as the check gets it.
func (p Past) change() sdk.Change {
	c := sdk.Change{Path: p.Path, Status: "A", Mode: p.Mode, NewID: id(p.Text), Commit: p.Commit}
	def(&c.Mode, "100644")
	for i, text := range p.Had {
		if i == 0 {
			c.Status, c.OldID = "M", id(text)
		} else {
			c.Merged = append(c.Merged, id(text))
		}
	}
	return c
}

// pastBlobs are the contents of History by their ids.
func (c Case) pastBlobs() map[string]string {
	all := map[string]string{}
	for _, p := range c.History {
		for _, text := range append([]string{p.Text}, p.Had...) {
			all[id(text)] = text
		}
	}
	return all
}

// maxRounds is how often a check may ask for containers.
const maxRounds = 16

// Run runs check as a subtest of t with the case's name.
func (c Case) Run(t *testing.T, check func(*sdk.Run) error) {
	t.Helper()
	t.Run(c.Name, func(t *testing.T) {
		t.Helper()
		c.run(t, check)
	})
}

func (c Case) run(t *testing.T, check func(*sdk.Run) error) {
	t.Helper()
	s := sdk.Session{Src: c.write(t, c.Files), Results: c.write(t, c.Artifacts), Artifacts: t.TempDir(),
		Base: c.write(t, c.Base), History: c.write(t, c.pastBlobs())}
	request := asSeen(t, c.request(), c.Request.Granted != nil)
	var asked []sdk.Container
	var progress []string
	for range maxRounds {
		said := c.call(t, s, request, check)
		progress = append(progress, said.progress...)
		if len(said.containers) == 0 || said.exit != 0 {
			c.compare(t, said, asked, progress)
			c.compareArtifacts(t, s.Artifacts, said.artifacts)
			return
		}
		for _, container := range said.containers {
			result, ok := c.Containers[container.ID]
			if !ok {
				t.Fatalf("check asks for container %q, for which Containers has no result: %s", container.ID,
					container.AppendJSON(nil))
			}
			result.ID = container.ID
			asked = append(asked, container)
			request.Results = append(request.Results, result)
		}
	}
	t.Fatalf("check asked for containers in %d rounds", maxRounds)
}

// said is the output of one call of the check.
type said struct {
	exit            int
	findings        []sdk.Finding
	containers      []sdk.Container
	progress        []string
	artifacts       []string
	verdict, reason string
}

// call does what the host does: request in, records out, believed only where
// they agree with the exit status.
func (c Case) call(t *testing.T, s sdk.Session, request sdk.Request, check func(*sdk.Run) error) said {
	t.Helper()
	var out, log bytes.Buffer
	s.In, s.Out, s.Log = bytes.NewReader(request.AppendJSON(nil)), &out, &log
	serve := c.Serve
	if serve == nil {
		serve = func(s sdk.Session) int { return s.Serve(check) }
	}
	a := said{exit: serve(s)}
	for line := range strings.Lines(out.String()) {
		record, err := sdk.ParseRecord([]byte(line))
		if err != nil {
			t.Fatalf("check wrote a bad record: %s: %v", line, err)
		}
		a.add(record)
	}
	if log.Len() > 0 {
		t.Logf("log: %s", log.String())
	}
	switch {
	case a.exit >= 2:
		a.verdict, a.reason = "broken", strings.TrimSpace(log.String())
	case a.verdict != "" && (a.verdict == "fail") != (a.exit == 1):
		t.Fatalf("check says %q and exits with status %d", a.verdict, a.exit)
	case a.verdict == "" && a.exit == 1:
		a.verdict = "fail"
	case a.verdict == "":
		a.verdict = "pass"
	}
	return a
}

func (a *said) add(r sdk.Record) {
	switch r.Type {
	case "finding":
		a.findings = append(a.findings, *r.Finding)
	case "container":
		a.containers = append(a.containers, *r.Container)
	case "progress":
		a.progress = append(a.progress, r.Message)
	case "artifact":
		a.artifacts = append(a.artifacts, r.Path)
	case "verdict":
		a.verdict, a.reason = r.Verdict, r.Message
	}
}

func (c Case) compare(t *testing.T, got said, asked []sdk.Container, progress []string) {
	t.Helper()
	verdict, reason, both := strings.Cut(c.WantVerdict, ": ")
	if verdict == "" {
		verdict = "pass"
	}
	if got.verdict != verdict || both && got.reason != reason {
		t.Errorf("verdict: got %q (%s), want %q (%s)", got.verdict, got.reason, verdict, reason)
	}
	want := slices.Clone(c.WantFindings)
	for i := range want {
		if want[i].Level == "" {
			want[i].Level = "error"
		}
	}
	same(t, "finding", lines(got.findings, (*sdk.Finding).AppendJSON), lines(want, (*sdk.Finding).AppendJSON))
	if c.WantContainers != nil {
		same(t, "container", lines(asked, (*sdk.Container).AppendJSON), lines(c.WantContainers, (*sdk.Container).AppendJSON))
	}
	if c.WantProgress != nil {
		same(t, "progress", progress, c.WantProgress)
	}
}

func (c Case) compareArtifacts(t *testing.T, folder string, names []string) {
	t.Helper()
	if c.WantArtifacts == nil {
		return
	}
	got := map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Errorf("artifact %q was named, not kept: %v", name, err)
		}
		got[name] = string(data)
	}
	if !reflect.DeepEqual(got, c.WantArtifacts) {
		t.Errorf("artifacts: got %q, want %q", got, c.WantArtifacts)
	}
}

// same compares two lists as the lines a person would read.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s %d is missing: %s", what, i+1, want[i])
		case i >= len(want):
			t.Errorf("%s %d was unexpected: %s", what, i+1, got[i])
		case got[i] != want[i]:
			t.Errorf("%s %d:\n got %s\nwant %s", what, i+1, got[i], want[i])
		}
	}
}

func lines[T any](all []T, text func(*T, []byte) []byte) []string {
	var out []string
	for i := range all {
		out = append(out, string(text(&all[i], nil)))
	}
	return out
}

// write puts files below a fresh folder.
func (c Case) write(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		full := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// request fills in what the case leaves open.
func (c Case) request() sdk.Request {
	r := c.Request
	r.ABI = sdk.ABI
	r.With = sdk.RawJSON(c.With)
	r.Commits = append(r.Commits, c.Commits...)
	r.Changes = append(append([]sdk.Change{}, r.Changes...), c.changes()...)
	if c.History != nil {
		r.History = []sdk.Change{}
	}
	for _, p := range c.History {
		r.History = append(r.History, p.change())
	}
	def(&r.Run, "repo@1111111:lane")
	def(&r.Lane, "lane")
	def(&r.Repository, "repo")
	def(&r.Gate, "pre-push")
	def(&r.Update.Ref, "refs/heads/main")
	def(&r.Update.New, strings.Repeat("1", 40))
	def(&r.Update.Base, strings.Repeat("0", 40))
	def(&r.Update.Old, r.Update.Base)
	if r.Granted == nil {
		r.Granted = []string{"repo.read", "repo.history", "container", "container.network"}
	}
	if r.Limits == (sdk.Limits{}) {
		r.Limits = sdk.Limits{Memory: 512 << 20, Millis: 600_000, Log: 8 << 20, Findings: 10_000, Out: 64 << 20,
			Fuel: 100_000_000_000}
	}
	return r
}

func def(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// changes are what differs between Base and Files, by path.
func (c Case) changes() []sdk.Change {
	var all []sdk.Change
	for name, content := range c.Files {
		before, was := c.Base[name]
		switch {
		case !was:
			all = append(all, sdk.Change{Path: name, Status: "A", Mode: c.mode(name), NewID: id(content)})
		case before != content:
			all = append(all, sdk.Change{Path: name, Status: "M", Mode: c.mode(name), OldID: id(before), NewID: id(content)})
		}
	}
	for name, content := range c.Base {
		if _, is := c.Files[name]; !is {
			all = append(all, sdk.Change{Path: name, Status: "D", OldID: id(content)})
		}
	}
	slices.SortFunc(all, func(a, b sdk.Change) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func (c Case) mode(name string) string {
	if m := c.Modes[name]; m != "" {
		return m
	}
	return "100644"
}

// id is a made-up blob id: equal for equal content, nothing else is guaranteed.
func id(content string) string {
	h := uint64(14695981039346656037)
	for _, b := range []byte(content) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	text := strconv.FormatUint(h, 16)
	return strings.Repeat("0", 40-len(text)) + text
}
