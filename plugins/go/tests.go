package main

import (
	"slices"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

const (
	// maxPlaces is how many places of one failed test are reported.
	maxPlaces = 5
	// maxLines is how many lines of a message are.
	maxLines = 6
	// maxKept is how much of one test's output is looked at, in bytes.
	maxKept = 256 << 10
)

// tests is the output of go test -json.
type tests struct {
	outputs      map[test]*strings.Builder
	results      map[test]string
	order        []test
	failed       []string // names of failed tests, without those of which a part failed
	badPackages  []string
	goodPackages int
	ran          int    // tests, without those that have parts
	other        string // lines that are not events, and output of the compiler
}

// test names one; the package itself has no name.
type test struct{ pkg, name string }

func readTests(text string) *tests {
	t := &tests{outputs: map[test]*strings.Builder{}, results: map[test]string{}}
	var other strings.Builder
	for line := range strings.Lines(text) {
		event, err := sdk.ParseValue([]byte(line))
		if !strings.HasPrefix(line, "{") || err != nil {
			other.WriteString(line)
			continue
		}
		if event.Get("Action").String() == "build-output" {
			other.WriteString(event.Get("Output").String())
			continue
		}
		t.event(event)
	}
	t.other = other.String()
	t.settle()
	return t
}

func (t *tests) event(e sdk.Value) {
	at := test{e.Get("Package").String(), e.Get("Test").String()}
	if at.pkg == "" {
		return
	}
	out := t.outputs[at]
	if out == nil {
		out = &strings.Builder{}
		t.outputs[at] = out
		t.order = append(t.order, at)
	}
	switch action := e.Get("Action").String(); action {
	case "output":
		if text := e.Get("Output").String(); out.Len()+len(text) <= maxKept {
			out.WriteString(text)
		}
	case "pass", "fail", "skip":
		t.results[at] = action
	}
}

// settle counts. A test that has parts is not counted next to them, and one
// that never ended, since its process did, has failed.
func (t *tests) settle() {
	parents := map[test]bool{}
	for _, at := range t.order {
		if i := strings.LastIndexByte(at.name, '/'); i > 0 {
			parents[test{at.pkg, at.name[:i]}] = true
		}
	}
	for _, at := range t.order {
		if at.name != "" && t.results[at] == "" {
			t.results[at] = "fail"
		}
		switch {
		case at.name == "" && t.results[at] == "fail":
			t.badPackages = append(t.badPackages, at.pkg)
		case at.name == "" && t.results[at] == "pass":
			t.goodPackages++
		case at.name != "" && !parents[at]:
			t.ran++
		}
	}
	for _, at := range t.failures() {
		t.failed = append(t.failed, at.pkg[strings.LastIndexByte(at.pkg, '/')+1:]+"."+at.name)
	}
}

// failures are the failed tests, without those of which a part failed.
func (t *tests) failures() []test {
	var all []test
	for _, at := range t.order {
		part := func(other test) bool {
			return other.pkg == at.pkg && t.results[other] == "fail" && strings.HasPrefix(other.name, at.name+"/")
		}
		if at.name != "" && t.results[at] == "fail" && !slices.ContainsFunc(t.order, part) {
			all = append(all, at)
		}
	}
	return all
}

// findings are those of the failed tests, and of packages that failed without
// one.
func (t *tests) findings(in tree) []sdk.Finding {
	var all []sdk.Finding
	blamed := map[string]bool{}
	for _, at := range t.failures() {
		blamed[at.pkg] = true
		all = append(all, t.finding(in, at)...)
	}
	for _, pkg := range t.badPackages {
		if blamed[pkg] || strings.Contains(t.outputs[test{pkg: pkg}].String(), "[build failed]") {
			continue
		}
		all = append(all, panicked(in, in.folder(pkg), pkg, t.outputs[test{pkg: pkg}].String()))
	}
	return all
}

func (t *tests) finding(in tree, at test) []sdk.Finding {
	folder := in.folder(at.pkg)
	output := t.outputs[at].String()
	var all []sdk.Finding
	for _, m := range messages(output) {
		if len(all) < maxPlaces {
			all = append(all, in.finding(folder, m.position, "test", at.name+": "+m.text))
		}
	}
	if len(all) == 0 || strings.Contains(output, "\npanic: ") || strings.HasPrefix(output, "panic: ") {
		all = append(all, panicked(in, folder, at.name, output))
	}
	return all
}

// message is what a test printed at a place.
type message struct {
	position
	indent int
	text   string
	lines  int
}

// messages reads "    file_test.go:12: text" and the lines that go on.
func messages(output string) []message {
	var all []message
	open := false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		bare := strings.TrimLeft(line, " ")
		indent := len(line) - len(bare)
		p, text, ok := cutPosition(bare)
		switch {
		case ok && indent > 0 && !strings.ContainsRune(p.file, '/'):
			all = append(all, message{p, indent, clip(text), 1})
			open = true
		case open && indent > all[len(all)-1].indent && bare != "":
			last := &all[len(all)-1]
			if last.lines++; last.lines <= maxLines {
				last.text += "\n" + clip(bare)
			}
		default:
			open = false
		}
	}
	return all
}

// panicked is a finding for what has no message at a place: the panic, at the
// first frame that is in the tree, or the last lines.
func panicked(in tree, folder, name, output string) sdk.Finding {
	reason := ""
	for line := range strings.Lines(output) {
		bare := strings.TrimSpace(line)
		if reason == "" && (strings.HasPrefix(bare, "panic: ") || strings.HasPrefix(bare, "fatal error: ") ||
			strings.HasPrefix(bare, "WARNING: DATA RACE")) {
			reason = clip(bare)
		}
		if reason == "" || !strings.HasPrefix(bare, "/") {
			continue
		}
		bare, _, _ = strings.Cut(bare, " ")
		if p, _, ok := cutPosition(bare); ok && in.file(folder, p.file) != "" {
			return in.finding(folder, p, "test", name+": "+reason)
		}
	}
	if reason == "" {
		reason = "failed" + lastLines(withoutFrame(output))
	}
	return sdk.Finding{Rule: "test", Message: name + ": " + reason}
}

// withoutFrame leaves out the lines by which go test frames the output.
func withoutFrame(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		bare := strings.TrimSpace(line)
		if !strings.HasPrefix(bare, "=== ") && !strings.HasPrefix(bare, "--- ") && bare != "FAIL" &&
			!strings.HasPrefix(bare, "FAIL\t") {
			b.WriteString(line)
		}
	}
	return b.String()
}
