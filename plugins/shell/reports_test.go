package main

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
	"github.com/pushlane/pushlane/sdk/sdktest"
)

const junitOfPytest = `<?xml version="1.0" encoding="utf-8"?><testsuites>
<testsuite name="pytest" errors="0" failures="1"
skipped="1" tests="3"><testcase classname="tests.test_a" name="test_good" time="0.001" />
<testcase classname="tests.test_a" name="test_bad" time="0.001"><failure message="assert 1 == 2">def test_bad():
&gt;       assert 1 == 2
E       assert 1 == 2

tests/test_a.py:5: AssertionError</failure></testcase>
<testcase classname="tests.test_a" name="test_not"><skipped type="pytest.skip" message="later">x</skipped></testcase>
</testsuite></testsuites>`

// TestReports: what a command leaves becomes findings, counts and the verdict.
func TestReports(t *testing.T) {
	const with = `{"run":"npm test","reports":["out/*"],"artifacts":["log.txt"]}`
	files := map[string]string{"tests/test_a.py": "x", "src/a.js": "x"}
	const bomb = `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites>&b;</testsuites>`
	for name, c := range map[string]struct {
		exit     int
		report   string // "-": none
		want     string
		findings []sdk.Finding
	}{
		"JUnit of pytest": {1, junitOfPytest, "fail: `npm test` exited 1: 1 of 3 tests failed, 1 skipped",
			[]sdk.Finding{{Path: "tests/test_a.py", Line: 5, Rule: "junit",
				Message: "tests.test_a.test_bad: assert 1 == 2"}}},
		"JUnit that fails, and exit 0": {0, junitOfPytest,
			"fail: the command exited 0, but 1 of 3 tests failed, 1 skipped",
			[]sdk.Finding{{Path: "tests/test_a.py", Line: 5, Rule: "junit",
				Message: "tests.test_a.test_bad: assert 1 == 2"}}},
		"JUnit with places": {1, `<testsuite file="src/a.js"><testcase name="adds" line="7"><error>boom</error></testcase>` +
			`<testcase name="x" file="../../etc/passwd" line="1"><failure/></testcase></testsuite>`,
			"fail: `npm test` exited 1: 2 of 2 tests failed",
			[]sdk.Finding{{Path: "src/a.js", Line: 7, Rule: "junit", Message: "adds: boom"},
				{Rule: "junit", Message: "x: failed"}}},
		"JUnit that passes": {0, `<testsuites><testsuite><testcase name="a"/><testcase name="b"/></testsuite></testsuites>`,
			"pass: 2 tests passed", nil},
		"no tests": {0, `<testsuites/>`, "pass", nil},
		"TAP": {1, "TAP version 13\n1..4\nok 1 - a\nnot ok 2 - adds\n  ---\n  at: src/a.js:3:1\n  ...\n" +
			"ok 3 # SKIP no network\nnot ok 4 - b # TODO later\n",
			"fail: `npm test` exited 1: 1 of 4 tests failed, 2 skipped",
			[]sdk.Finding{{Path: "src/a.js", Line: 3, Rule: "tap", Message: "adds failed"}}},
		"TAP that fails, and exit 0": {0, "ok 1\nnot ok 2\n1..2\n",
			"fail: the command exited 0, but 1 of 2 tests failed",
			[]sdk.Finding{{Rule: "tap", Message: "test 2 failed"}}},
		"TAP that was cut off": {0, "1..5\nok 1\nok 2\n",
			"fail: cannot read report out/r: 5 tests planned, 2 reported", nil},
		"TAP without a plan": {0, "ok 1\nok 2\n",
			"fail: cannot read report out/r: it has no plan (1..N): it may have been cut off", nil},
		"TAP that bails out": {0, "1..2\nok 1\nBail out! no database\n",
			"fail: cannot read report out/r: the tests stopped: Bail out! no database", nil},
		"SARIF": {0, `{"version":"2.1.0","runs":[{"results":[{"ruleId":"R1","level":"error","message":{"text":"bad"},` +
			`"locations":[{"physicalLocation":{"artifactLocation":{"uri":"file:///work/src/src/a.js"},"region":` +
			`{"startLine":2,"startColumn":3}}}]},{"message":{"text":"soft"}},{"message":{"text":"x"},"suppressions":[{}]}]}]}`,
			"fail: the command exited 0, but its reports have 1 error",
			[]sdk.Finding{{Path: "src/a.js", Line: 2, Col: 3, Rule: "R1", Message: "bad"},
				{Level: "warning", Message: "soft"}}},
		"no report": {0, "-", "fail: no report matches out/*", nil},
		"no report, and it failed": {1, "-",
			"fail: `npm test` exited 1", []sdk.Finding{{Level: "note", Message: "no report matches out/*"}}},
		"text without matchers": {0, "hello",
			"fail: cannot read report out/r: it is not JUnit, SARIF or TAP, and the lane names no matchers", nil},
		"a page": {0, "<html></html>",
			"fail: cannot read report out/r: it is XML, and not JUnit: it begins with <html>", nil},
		"JSON": {0, "{}",
			"fail: cannot read report out/r: it is JSON, and not SARIF: it has no runs", nil},
		"entities that grow": {0, bomb,
			"fail: cannot read report out/r: it has a document type or an entity of its own, which is refused", nil},
		"an entity that is not known": {0, "<testsuite>&b;</testsuite>",
			"fail: cannot read report out/r: it is not well-formed XML: line 1: invalid character entity &b;", nil},
		"XML that is cut off": {0, "<testsuite><testcase",
			"fail: cannot read report out/r: it is not well-formed XML: line 1: unexpected EOF", nil},
		"deep XML": {0, "<testsuite>" + strings.Repeat("<a>", 1_000_000),
			"fail: cannot read report out/r: its elements nest more than 64 deep", nil},
		"deep JSON": {0, `{"runs":` + strings.Repeat("[", 1_000_000),
			"fail: cannot read report out/r: runs" + strings.Repeat("[0]", 63) +
				": nested deeper than 64 at byte 71", nil},
		"a case in a case": {0, "<testsuite><testcase><testcase>",
			"fail: cannot read report out/r: a testcase is inside a testcase", nil},
		"another encoding": {0, `<?xml version="1.0" encoding="EBCDIC"?><testsuite/>`,
			`fail: cannot read report out/r: it is not well-formed XML: ` +
				`xml: encoding "EBCDIC" declared but Decoder.CharsetReader is nil`, nil},
		"100 MB": {0, "<testsuite>" + strings.Repeat(" ", 100<<20),
			"fail: cannot read report out/r: it has 104857611 bytes, at most 16777216 are read", nil},
		"9 MB of SARIF": {0, "{" + strings.Repeat(" ", 9<<20),
			"fail: cannot read report out/r: it has 9437185 bytes, at most 8388608 are read of SARIF", nil},
	} {
		result := sdk.Result{Exit: c.exit, Artifacts: []string{"work/src/log.txt"}}
		stored := map[string]string{}
		if c.report != "-" {
			result.Artifacts = append(result.Artifacts, "work/src/out/r")
			stored["command/work/src/out/r"] = c.report
		}
		sdktest.Case{Name: name, Files: files, Base: files, With: with, Artifacts: stored,
			Containers:  map[string]sdk.Result{"command": result},
			WantVerdict: c.want, WantFindings: c.findings}.Run(t, check)
	}
}

// TestManyFailures: what is above the limit is counted, and not shown.
func TestManyFailures(t *testing.T) {
	report := "<testsuite>" + strings.Repeat(`<testcase name="a"><failure message="`+strings.Repeat("m", 2000)+
		`"/></testcase>`, 2000) + "</testsuite>"
	sdktest.Case{With: `{"run":"x","reports":["r"]}`, Artifacts: map[string]string{"command/work/src/r": report},
		Containers:  map[string]sdk.Result{"command": {Exit: 1, Artifacts: []string{"work/src/r"}}},
		WantVerdict: "fail: `x` exited 1: 2000 of 2000 tests failed"}.Run(t, func(run *sdk.Run) error {
		s, err := readSettings(run)
		if err != nil {
			return err
		}
		result, err := run.Container(s.container)
		if err != nil {
			return err
		}
		if got, err := s.readReports(run, result); len(got.findings) != maxFindings || len(got.findings[0].Message) > 520 ||
			err != nil {
			t.Errorf("%d findings, %v", len(got.findings), err)
		}
		return run.Fail("`x` exited 1: 2000 of 2000 tests failed")
	})
}

func FuzzReports(f *testing.F) {
	f.Add(junitOfPytest)
	f.Add("1..2\nok 1\nnot ok 2 - a # TODO\n")
	f.Add(`{"runs":[{"results":[{"message":{"text":"x"}}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		sdktest.Case{Name: "x", With: `{"run":"x"}`, Files: map[string]string{"a.go": "x"},
			Containers: map[string]sdk.Result{"command": {}}}.Run(t, func(run *sdk.Run) error {
			m := &matcher{run: run, dir: source, known: map[string]bool{}}
			for _, read := range []func(*tests) error{
				func(s *tests) error { return readJUnit(m, s, []byte(text)) },
				func(s *tests) error { return readSARIF(m, s, []byte(text)) },
				func(s *tests) error { return readTAP(m, s, text) },
			} {
				var sum tests
				_ = read(&sum)
				if sum.failed+sum.skipped > sum.total {
					t.Errorf("got %+v", sum)
				}
				for _, f := range sum.findings {
					if f.Path != "" && f.Path != "a.go" || f.Line < 0 || f.Col < 0 || f.Message == "" {
						t.Errorf("got %+v", f)
					}
				}
			}
			return nil
		})
	})
}
