package web

import (
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/lanelog"
)

// measure finds out what the page says before its lines: how many there are,
// and which group is the last.
func (d *laneData) measure() error {
	d.All = true
	f, err := d.open()
	if f == nil {
		return err
	}
	defer f.Close()
	groups := 0
	d.Offset, err = lanelog.Read(f, 0, func(_ int64, l lanelog.Line) error {
		d.Lines++
		if _, _, ok := groupStart(l.Text); ok {
			groups++
		}
		return nil
	})
	if d.failed() {
		d.lastPart = groups
	}
	return err
}

// writeAll writes all lines in their groups, as the template writes some.
func (d *laneData) writeAll(w io.Writer) error {
	f, err := d.open()
	if f == nil {
		return err
	}
	defer f.Close()
	group, open, n := 0, false, 0
	end := func() {
		if open {
			io.WriteString(w, "</details>")
		}
		open = false
	}
	_, err = lanelog.Read(io.LimitReader(f, d.Offset), 0, func(_ int64, l lanelog.Line) error {
		n++
		name, unfolded, ok := groupStart(l.Text)
		switch {
		case ok:
			end()
			group++
			open = true
			return writeGroup(w, name, unfolded || group == d.lastPart)
		case strings.TrimSpace(l.Text) == "::endgroup::":
			end()
			return nil
		}
		return writeLine(w, d.line(n, l))
	})
	end()
	return err
}

func writeGroup(w io.Writer, name string, open bool) error {
	word := ""
	if open {
		word = " open"
	}
	_, err := fmt.Fprintf(w, "<details%s><summary>%s</summary>", word, template.HTMLEscapeString(name))
	return err
}

func writeLine(w io.Writer, l logLine) error {
	_, err := fmt.Fprintf(w, `<div class="l s-%s" id="L%d" title="%s"><a href="#L%d">%d</a><span>%s</span></div>`+"\n",
		template.HTMLEscapeString(l.Stream), l.N, l.At.UTC().Format(time.RFC3339), l.N, l.N, l.HTML)
	return err
}
