package printable

import (
	"fmt"
	"strings"
	"time"
)

// Short is the first seven characters of an object id.
func Short(id string) string { return id[:min(7, len(id))] }

// ShortDigest is the first twelve characters of a digest.
func ShortDigest(digest string) string { return digest[:min(12, len(digest))] }

// Indent is text whose lines after the first are indented.
func Indent(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// Ref is a ref as people name it: without refs/heads/.
func Ref(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(Clean(ref), "refs/heads/"), "refs/")
}

// Bytes is a size for people: "512 B", "1.2 MiB".
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	size, units := float64(n)/1024, []string{"KiB", "MiB", "GiB", "TiB"}
	for size >= 1024 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}

// Count is a number and its noun: "1 lane", "2 lanes".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// FirstLine is the first line of a text that is not empty.
func FirstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// Elapsed is a duration as lines show it: "120ms", "1.5s", "2m03s".
func Elapsed(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
