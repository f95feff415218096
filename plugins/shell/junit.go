package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// maxDepth is how deep elements of a JUnit file may nest. Suites in suites need
// about ten.
const maxDepth = 64

// readJUnit reads the XML that JUnit and most test runners write. It is read
// element by element; a document type, and with it every entity of its own, is
// refused.
func readJUnit(m *matcher, t *tests, data []byte) error {
	r := junit{m: m, t: t}
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return r.ended()
		}
		if err != nil {
			return errors.New("it is not well-formed XML: " + strings.TrimPrefix(err.Error(), "XML syntax error on "))
		}
		if err := r.token(token); err != nil {
			return err
		}
	}
}

// junit is a JUnit file under way.
type junit struct {
	m     *matcher
	t     *tests
	depth int
	suite string // file of the innermost suite that names one
	known bool   // the root is one of JUnit's

	in      bool // a test case
	finding sdk.Finding
	state   string // of the case: failure, error, skipped
	detail  strings.Builder
}

func (r *junit) token(token xml.Token) error {
	switch token := token.(type) {
	case xml.Directive:
		return errors.New("it has a document type or an entity of its own, which is refused")
	case xml.StartElement:
		if r.depth++; r.depth > maxDepth {
			return fmt.Errorf("its elements nest more than %d deep", maxDepth)
		}
		return r.start(token)
	case xml.EndElement:
		r.depth--
		if token.Name.Local == "testcase" && r.in {
			r.end()
		}
	case xml.CharData:
		if r.state != "" && r.detail.Len() < 64<<10 {
			r.detail.Write(token[:min(len(token), 64<<10)])
		}
	}
	return nil
}

func (r *junit) start(e xml.StartElement) error {
	name := e.Name.Local
	if r.depth == 1 {
		if name != "testsuites" && name != "testsuite" {
			return errors.New("it is XML, and not JUnit: it begins with <" + clip(name, 40) + ">")
		}
		r.known = true
	}
	switch {
	case name == "testsuite":
		r.suite = attribute(e, "file")
	case name == "testcase" && r.in:
		return errors.New("a testcase is inside a testcase")
	case name == "testcase":
		r.begin(e)
	case r.in && (name == "failure" || name == "error" || name == "skipped") && r.state == "":
		r.state = name
		r.detail.WriteString(attribute(e, "message") + "\n")
	}
	return nil
}

func (r *junit) begin(e xml.StartElement) {
	r.in, r.state = true, ""
	r.detail.Reset()
	title := attribute(e, "name")
	if class := attribute(e, "classname"); class != "" && !strings.HasPrefix(title, class) {
		title = class + "." + title
	}
	r.finding = sdk.Finding{Level: "error", Rule: "junit", Message: clip(title, 200),
		Path: r.m.file(first(attribute(e, "file"), r.suite, "."))}
	if line, err := strconv.ParseInt(attribute(e, "line"), 10, 64); err == nil && r.finding.Path != "" {
		r.finding.Line = within(line)
	}
}

func (r *junit) end() {
	r.in = false
	r.t.total++
	switch r.state {
	case "":
		return
	case "skipped":
		r.t.skipped++
		r.state = ""
		return
	}
	r.state = ""
	r.t.failed++
	text := r.detail.String()
	if r.finding.Line == 0 {
		if file, line := r.m.place(text); file != "" && (r.finding.Path == "" || r.finding.Path == file) {
			r.finding.Path, r.finding.Line = file, line
		}
	}
	said := ""
	for line := range strings.Lines(text) {
		if said = strings.TrimSpace(line); said != "" {
			break
		}
	}
	r.finding.Message = first(r.finding.Message, "a test") + ": " + first(clip(said, 250), "failed")
	r.t.add(r.finding)
}

func (r *junit) ended() error {
	if !r.known {
		return errors.New("it is XML without an element")
	}
	return nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
