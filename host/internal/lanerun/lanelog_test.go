package lanerun

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/printable"
)

// logLines are the lines of a log without their times.
func logLines(t *testing.T, path string) (got []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		got = append(got, rest)
	}
	return got
}

// TestFullLog: a log that is too long has its beginning, its end and the
// verdict, and says how much is left out between them.
func TestFullLog(t *testing.T) {
	t.Parallel()
	const note = "h the log is longer than 48 MiB: of the rest, only the last lines are added when the lane ends"
	for name, c := range map[string]struct {
		lines int // of a KiB, after the beginning
		want  []string
	}{
		"all of it has room": {100, []string{"o first", note, "o line 0 " + pad, "o line 1 " + pad}},
		"some has not": {30_000, []string{"o first", note,
			"h 16330 lines of 16.0 MiB are left out here; the verdict still used them"}},
	} {
		path := filepath.Join(t.TempDir(), "a.log")
		shown := 0
		log := newLaneLog(func() string { return path }, func(string) { shown++ })
		out := log.stream('o')
		fmt.Fprintln(out, "first")
		log.size = headLog + 1 // as after so many bytes
		before := log.size
		for i := range c.lines {
			fmt.Fprintln(out, "line", i, pad)
		}
		out.flush()
		last := fmt.Sprintf("line %d %s", c.lines-1, pad)
		if got := log.lines(); got[len(got)-1] != last {
			t.Errorf("%s: the report ends with %q", name, got[len(got)-1])
		}
		log.verdict("failed: exit status 1\nits last line")
		size, sum, err := log.close()
		if err != nil {
			t.Fatal(err)
		}
		got := logLines(t, path)
		if len(got) < len(c.want) || !slices.Equal(got[:len(c.want)], c.want) {
			t.Errorf("%s: log begins with %.200q, want %.200q", name, got[:min(len(got), len(c.want))], c.want)
		}
		if end := got[len(got)-3:]; !slices.Equal(end, []string{"o " + last, "h failed: exit status 1", "h its last line"}) {
			t.Errorf("%s: log ends with %q", name, end)
		}
		data, _ := os.ReadFile(path)
		first := int64(strings.IndexByte(string(data), '\n') + 1)
		if is := fmt.Sprintf("%x", sha256.Sum256(data)); is != sum || size-before != int64(len(data))-first || shown != 1 {
			t.Errorf("%s: sum %s of %s, size %d of %d, %d lines shown", name, sum, is, size-before, int64(len(data))-first,
				shown)
		}
		if left, _ := filepath.Glob(path + ".end*"); len(left) != 0 {
			t.Errorf("%s: left %q", name, left)
		}
	}
}

var pad = strings.Repeat("x", 1000)

// TestLogEnds: however much is written, the log stays at its limit, give or
// take a line, while it is written and after.
func TestLogEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	log := newLaneLog(func() string { return path }, nil)
	log.size = headLog - 3*printable.MaxLine
	start := log.size
	for range 3000 {
		log.line('o', strings.Repeat("x", printable.MaxLine))
	}
	files, _ := filepath.Glob(path + "*")
	var on int64
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			on += info.Size()
		}
	}
	if on > maxLog-start+4*printable.MaxLine {
		t.Errorf("%d bytes on the disk while it is written", on)
	}
	size, _, err := log.close()
	if err != nil || size > maxLog+4*printable.MaxLine || size < maxLog-endPart {
		t.Errorf("size %d, %v; want about %d", size, err, maxLog)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != size-start {
		t.Errorf("the file has %v bytes, want %d: %v", info.Size(), size-start, err)
	}
}
