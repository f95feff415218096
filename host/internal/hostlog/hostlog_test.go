package hostlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

func TestLevelIsHeeded(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]string{"error": "error", "warning": "warning error",
		"info": "info warning error"} {
		var out bytes.Buffer
		log := New(&out, level, "json")
		log.Debug("no")
		log.Info("info")
		log.Warn("warning")
		log.Error("error")
		var got []string
		for line := range strings.Lines(out.String()) {
			var entry struct{ Level, Msg string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level != entry.Msg {
				t.Errorf("%s: %v", line, err)
			}
			got = append(got, entry.Msg)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %s", level, got, want)
		}
	}
}

// What outsiders name things makes no line, no field and no colour of its own.
func TestHostileText(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	entry := func(log *logrus.Logger) *logrus.Entry {
		return log.WithTime(at).WithFields(logrus.Fields{
			"lane": "x\ntime=\"2026-01-02T03:04:05Z\" level=info msg=push verdict=accepted", "ref": "a\" verdict=accepted",
			"reason": errors.New("\x1b[2Jgone\u202e\x00\xff\r\nnext")})
	}
	for format, want := range map[string]string{
		"text": `time="2026-01-02T03:04:05Z" level=warning msg="two; lines" ` +
			`lane="x; time=\"2026-01-02T03:04:05Z\" level=info msg=push verdict=accepted" ` +
			`reason="gone` + "�" + `; next" ref="a\" verdict=accepted"` + "\n",
		"json": `{"lane":"x; time=\"2026-01-02T03:04:05Z\" level=info msg=push verdict=accepted","level":"warning",` +
			`"msg":"two; lines","reason":"gone` + "�" + `; next","ref":"a\" verdict=accepted",` +
			`"time":"2026-01-02T03:04:05Z"}` + "\n",
	} {
		var out bytes.Buffer
		entry(New(&out, "info", format)).Warn("two\nlines")
		if out.String() != want {
			t.Errorf("%s:\ngot  %swant %s", format, out.String(), want)
		}
	}
	var out bytes.Buffer
	New(&out, "info", "json").WithField("reason", strings.Repeat("ä", 5000)).Info("x")
	if out.Len() > 1200 || !strings.Contains(out.String(), "ä…") {
		t.Errorf("%d bytes", out.Len())
	}
}

// FuzzLine: whatever is logged is one line, which holds one entry.
func FuzzLine(f *testing.F) {
	f.Add("a\nb", "\x1b]0;x\a\u2028")
	f.Fuzz(func(t *testing.T, message, value string) {
		for _, format := range Formats() {
			var out bytes.Buffer
			New(&out, "info", format).WithField("lane", value).Info(message)
			if strings.Count(out.String(), "\n") != 1 || strings.ContainsAny(out.String(), "\r\x1b\x00") {
				t.Errorf("got %q", out.String())
			}
			if format == "json" && json.Unmarshal(out.Bytes(), &map[string]any{}) != nil {
				t.Errorf("got %q", out.String())
			}
		}
	})
}
