package web

import (
	"bufio"
	"bytes"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/lanelog"
)

// streamed is where the lines go that are written as they are read. No text
// that a template escapes can hold it.
const streamed template.HTML = "\x00the lines\x00"

// stream sends a page whose template is made first, and in its middle what
// write gives. Nothing of that is in memory as a whole.
func (s *site) stream(w http.ResponseWriter, r *http.Request, p page, write func(io.Writer) error) {
	p.Visitor = visitorOf(r.Context())
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, "lane.html", p); err != nil {
		s.Log.WithError(err).Error("page")
		http.Error(w, "cannot render this page", http.StatusInternalServerError)
		return
	}
	head, foot, _ := bytes.Cut(b.Bytes(), []byte(streamed))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	out := bufio.NewWriterSize(w, 64<<10)
	out.Write(head)
	if err := write(out); err != nil && r.Context().Err() == nil {
		s.Log.WithError(err).Warn(r.URL.Path)
		return // the page ends in the middle, as it should look
	}
	out.Write(foot)
	out.Flush()
}

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
