// Package hostlog is the log of a host that stays: logrus with lines that no
// outsider's text can forge.
package hostlog

import (
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/pushlane/pushlane/host/internal/printable"
)

// Levels are how grave a line must be to be written, as a policy may have it;
// the one with the fewest lines first.
func Levels() []string { return []string{"error", "warning", "info"} }

// Formats are how lines may be written: text is logfmt, json an object for each
// line.
func Formats() []string { return []string{"text", "json"} }

// New makes a log that writes to out, with one of Levels and one of Formats.
func New(out io.Writer, level, format string) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(out)
	if parsed, err := logrus.ParseLevel(level); err == nil {
		log.SetLevel(parsed)
	}
	// No colours: with them logrus writes a message as it is.
	log.SetFormatter(clean{&logrus.TextFormatter{DisableColors: true}})
	if format == "json" {
		log.SetFormatter(clean{&logrus.JSONFormatter{}})
	}
	return log
}

// clean makes every text of a line harmless before it is formatted: one line,
// without escapes, control characters and what turns the writing round.
type clean struct{ logrus.Formatter }

// maxText is how much of a message or a value is written, in characters.
const maxText = 1000

// Format formats a cleaned copy of the entry.
func (c clean) Format(e *logrus.Entry) ([]byte, error) {
	copied := *e
	copied.Message = oneLine(e.Message)
	copied.Data = maps.Clone(e.Data)
	for name, value := range copied.Data {
		switch v := value.(type) {
		case string:
			copied.Data[name] = oneLine(v)
		case error:
			copied.Data[name] = oneLine(v.Error())
		case fmt.Stringer:
			copied.Data[name] = oneLine(v.String())
		}
	}
	return c.Formatter.Format(&copied)
}

func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	text = printable.Clean(text)
	for i := range text {
		if i >= maxText {
			return text[:i] + "…"
		}
	}
	return text
}
