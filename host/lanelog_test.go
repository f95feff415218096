package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFullLog: a log that has reached its limit says so once, in words, and
// has the verdict; the report shows the real end of the output.
func TestFullLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	shown := 0
	log := newLaneLog(func() string { return path }, func(string) { shown++ })
	out := log.stream('o')
	fmt.Fprintln(out, "first")
	log.size = maxLog + 1 // as after so many bytes
	for i := range 100 {
		fmt.Fprintln(out, "line", i)
	}
	out.flush()
	if want := []string{"line 98", "line 99"}; !slices.Equal(log.lines()[tailLen-2:], want) {
		t.Errorf("the report ends with %q, want %q", log.lines()[tailLen-2:], want)
	}
	log.verdict("failed: exit status 1\nits last line")
	if _, _, err := log.close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(data)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		got = append(got, rest)
	}
	want := []string{"o first",
		"h the log has reached its limit of 64 MiB: what was written from here on is not in it, and counted for the verdict all the same",
		"h failed: exit status 1", "h its last line"}
	if !slices.Equal(got, want) || shown != 1 {
		t.Errorf("log %q, want %q; %d lines shown, want 1", got, want, shown)
	}
}

// TestLogEnds: however much is written, the log stays at its limit, give or
// take a line.
func TestLogEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	log := newLaneLog(func() string { return path }, nil)
	log.size = maxLog - 3*maxLine
	start := log.size
	for range 100 {
		log.line('o', strings.Repeat("x", maxLine))
	}
	size, _, err := log.close()
	if err != nil || size > maxLog+2*maxLine {
		t.Errorf("size %d, %v; want at most %d", size, err, maxLog+2*maxLine)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != size-start {
		t.Errorf("the file has %v bytes, want %d: %v", info.Size(), size-start, err)
	}
}
