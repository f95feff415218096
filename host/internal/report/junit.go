package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
)

// The JUnit XML that CI systems read, in the order of elements that the schemas
// of Ant and of Jenkins allow: one suite per run, one case per lane run. Names
// and classes do not change from push to push, so that a CI system shows the
// history of a lane; what does is in the properties.
type junitSuite struct {
	XMLName    xml.Name        `xml:"testsuite"`
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`      // seconds
	Stamp      string          `xml:"timestamp,attr"` // UTC, without a zone
	Host       string          `xml:"hostname,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        string          `xml:"system-out"`
	Err        string          `xml:"system-err"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Time    string     `xml:"time,attr"`
	Failure *junitText `xml:"failure"`
	Error   *junitText `xml:"error"`
	Skipped *struct{}  `xml:"skipped"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

func writeJUnit(w io.Writer, j gate.Run) error {
	suite := junitSuite{Name: "pushlane " + j.Repo, Tests: len(j.LaneRuns), Time: seconds(j.Ended.Sub(j.Started)),
		Stamp: j.Started.UTC().Format("2006-01-02T15:04:05"), Host: "localhost",
		Properties: []junitProperty{{"pushlane.run", fmt.Sprint(j.Number)}, {"pushlane.gate", j.Gate}}}
	for _, u := range j.Updates {
		suite.Properties = append(suite.Properties, junitProperty{"pushlane.update",
			fmt.Sprintf("%s %s..%s", printable.Clean(u.Ref), u.Base, u.New)})
	}
	for _, o := range j.LaneRuns {
		suite.add(junitCase{Name: o.Lane().ID, Class: junitClass(j, o), Time: seconds(o.Ended.Sub(o.Started))}, o)
	}
	io.WriteString(w, xml.Header)
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add counts a lane run and says how it ended.
func (s *junitSuite) add(c junitCase, o gate.LaneRun) {
	text := &junitText{Message: printable.CleanText(o.Message), Type: string(o.State),
		Text: strings.Join(findingLines(o), "\n")}
	switch o.State {
	case store.Failed:
		c.Failure = text
		s.Failures++
	case store.Skipped:
		c.Skipped = new(struct{})
		s.Skipped++
	case store.Broken, store.Cancelled:
		c.Error = text
		s.Errors++
	}
	s.Cases = append(s.Cases, c)
}

// junitClass is the same for every push: the repository and the gate, and the
// ref where the run has several.
func junitClass(j gate.Run, o gate.LaneRun) string {
	class := j.Repo + "." + j.Gate
	if len(j.Updates) > 1 {
		class += "." + printable.Ref(j.Updates[o.Update].Ref)
	}
	return class
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", max(0, d).Seconds()) }

func findingLines(o gate.LaneRun) []string {
	var lines []string
	for _, f := range o.Findings {
		lines = append(lines, FindingLine(f))
	}
	if len(lines) == 0 {
		return o.Tail
	}
	return lines
}
