package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// maxReport is how much of one report is read, in bytes. A larger one is refused.
const maxReport = 16 << 20

// tests is what the reports of a lane say in sum.
type tests struct {
	total, failed, skipped int
	errors                 int // findings of level error, those above the limit included
	findings               []sdk.Finding
}

// String counts the tests: "1 of 12 tests failed, 2 skipped".
func (t tests) String() string {
	text := count(t.total, "test") + " passed"
	switch {
	case t.total == 0:
		return ""
	case t.failed > 0:
		text = strconv.Itoa(t.failed) + " of " + count(t.total, "test") + " failed"
	case t.skipped > 0:
		text = strconv.Itoa(t.total-t.skipped) + " of " + count(t.total, "test") + " passed"
	}
	if t.skipped > 0 {
		text += ", " + strconv.Itoa(t.skipped) + " skipped"
	}
	return text
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// add notes one finding; what is above the limit counts and is not shown.
func (t *tests) add(f sdk.Finding) {
	if f.Level == "error" || f.Level == "" {
		t.errors++
	}
	if len(t.findings) < maxFindings {
		f.Message = clip(f.Message, 500)
		t.findings = append(t.findings, f)
	}
}

// readReports reads the files that the lane's reports name. Errors are the
// command's fault: a report that is missing, too large or not what it should be.
func (s settings) readReports(run *sdk.Run, result sdk.Result) (tests, error) {
	t, m := &tests{}, &matcher{run: run, dir: s.dir, known: map[string]bool{}}
	for _, glob := range s.container.Reads {
		found := false
		for _, name := range result.Artifacts {
			if !isMeant(glob[1:], name) {
				continue
			}
			found = true
			if err := s.readReport(m, t, name); err != nil {
				return *t, errors.New("cannot read report " + shownName(name) + ": " + err.Error())
			}
		}
		if !found {
			return *t, errors.New("no report matches " + shownName(glob[1:]))
		}
	}
	return *t, nil
}

func shownName(name string) string { return strings.TrimPrefix(name, source[1:]+"/") }

// isMeant reports whether a glob names a file, or a folder above it.
func isMeant(glob, name string) bool {
	for _, g := range []string{glob, glob + "/**"} {
		if ok, err := sdk.Match(g, name); err == nil && ok {
			return true
		}
	}
	return false
}

// readReport reads one file, whose beginning says what it is; what is neither
// JUnit, SARIF nor TAP is text for the lane's matchers.
func (s settings) readReport(m *matcher, t *tests, name string) error {
	f, err := m.run.OpenResult(s.container.ID, name)
	if err != nil {
		return errors.New("it cannot be opened")
	}
	defer f.Close()
	data, err := readWhole(f)
	if err != nil {
		return err
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("<")):
		return readJUnit(m, t, text)
	case bytes.HasPrefix(text, []byte("{")):
		return readSARIF(m, t, text)
	case tapForm.Match(text):
		return readTAP(m, t, string(text))
	case len(s.matchers) == 0:
		return errors.New("it is not JUnit, SARIF or TAP, and the lane names no matchers")
	}
	for _, f := range s.findings(m.run, string(text[max(0, len(text)-1<<20):])) {
		t.add(f)
	}
	return nil
}

// readWhole reads a file to its limit, by its size first: no memory is taken for
// one that is too large.
func readWhole(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxReport {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", info.Size(), maxReport)
	}
	data := make([]byte, info.Size())
	_, err = io.ReadFull(f, data)
	return data, err
}

var placeForm = regexp.MustCompile(`([A-Za-z0-9_@./+-]+\.[A-Za-z0-9]+)[:(]([0-9]{1,9})`)

// place is the first file of the tree with a line that a text names; "" if none.
func (m *matcher) place(text string) (string, int) {
	for _, found := range placeForm.FindAllStringSubmatch(text[:min(len(text), 64<<10)], 100) {
		line, err := strconv.Atoi(found[2])
		if file := m.file(found[1]); err == nil && file != "" && line > 0 {
			return file, line
		}
	}
	return "", 0
}

// tapForm is how the first line of TAP begins.
var tapForm = regexp.MustCompile(`(?i)^(TAP version \d+|1\.\.\d+|(not )?ok\b|Bail out!)`)

var (
	tapTest = regexp.MustCompile(`^(not )?ok\b\s*(\d*)\s*-?\s*([^#]*)(?:#\s*(?i)(skip|todo)?.*)?$`)
	tapPlan = regexp.MustCompile(`^1\.\.(\d{1,9})\b`)
)

// readTAP reads the Test Anything Protocol, versions 12 to 14; tests of subtests
// count as the test that they belong to.
func readTAP(m *matcher, t *tests, text string) error {
	planned, seen := -1, 0
	var failing *sdk.Finding
	var detail strings.Builder
	end := func() {
		if failing != nil {
			failing.Path, failing.Line = m.place(detail.String())
			t.add(*failing)
		}
		failing = nil
		detail.Reset()
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if plan := tapPlan.FindStringSubmatch(line); plan != nil {
			planned, _ = strconv.Atoi(plan[1])
		} else if rest, ok := strings.CutPrefix(line, "Bail out!"); ok {
			end()
			return errors.New("the tests stopped: Bail out!" + rest)
		} else if test := tapTest.FindStringSubmatch(line); test != nil {
			end()
			seen, t.total = seen+1, t.total+1
			word := strings.ToLower(test[4])
			switch {
			case word != "":
				t.skipped++
			case test[1] != "":
				t.failed++
				failing = &sdk.Finding{Level: "error", Rule: "tap", Message: first(strings.TrimSpace(test[3]), "test "+test[2]) +
					" failed"}
			}
		} else if detail.Len() < 64<<10 {
			detail.WriteString(line + "\n")
		}
	}
	end()
	if planned < 0 {
		return errors.New("it has no plan (1..N): it may have been cut off")
	}
	if planned != seen {
		return fmt.Errorf("%s planned, %d reported", count(planned, "test"), seen)
	}
	return nil
}

// maxSARIF is the longest SARIF log, in bytes: as values it takes many times that.
const maxSARIF = 8 << 20

// readSARIF makes a finding of each result that is not suppressed.
func readSARIF(m *matcher, t *tests, data []byte) error {
	if len(data) > maxSARIF {
		return fmt.Errorf("it has %d bytes, at most %d are read of SARIF", len(data), maxSARIF)
	}
	log, err := sdk.ParseValue(data)
	if err != nil {
		return err
	}
	if !log.Get("runs").Exists() {
		return errors.New("it is JSON, and not SARIF: it has no runs")
	}
	for _, run := range log.Get("runs").Items() {
		for _, r := range run.Get("results").Items() {
			if len(r.Get("suppressions").Items()) > 0 {
				continue
			}
			f := sdk.Finding{Rule: r.Get("ruleId").String(), Level: r.Get("level").StringOr("warning"),
				Message: first(r.Get("message").Get("text").String(), r.Get("ruleId").String())}
			if f.Level != "error" && f.Level != "warning" {
				f.Level = "note"
			}
			for _, at := range r.Get("locations").Items() {
				where := at.Get("physicalLocation")
				uri := strings.TrimPrefix(where.Get("artifactLocation").Get("uri").String(), "file://")
				if f.Path = m.file(path.Clean(uri)); f.Path != "" {
					f.Line = within(where.Get("region").Get("startLine").Int())
					f.Col = within(where.Get("region").Get("startColumn").Int())
					break
				}
			}
			if f.Message != "" {
				t.add(f)
			}
		}
	}
	return nil
}

// within is a line or column that a finding can have; else 0.
func within(n int64) int {
	if n < 1 || n > maxPlace {
		return 0
	}
	return int(n)
}
