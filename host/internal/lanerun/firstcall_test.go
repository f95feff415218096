package lanerun

import (
	"strings"
	"testing"

	"github.com/pushlane/pushlane/sdk"
)

// requestSize is never less than what is written, whatever the bytes are, and
// not twice as much.
func TestRequestSize(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"plain": "src/main.go", "control": "\x01\x02\n\t", "not UTF-8": "\xff\xfe\xc3", "quotes": `"\"`,
		"letters": "żółć/日本", "cut letter": "a\xe6\x97", "replaced": "\ufffd", "separators": "\u2028\u007f<>&",
	} {
		text = strings.Repeat(text, 500)
		var r sdk.Request
		for range 50 {
			r.Changes = append(r.Changes, sdk.Change{Path: text, Status: "M", Mode: "100644", OldID: strings.Repeat("a", 40),
				NewID: strings.Repeat("b", 40)})
			r.History = append(r.History, sdk.Change{Path: text, Status: "A", Mode: "100644", NewID: strings.Repeat("b", 40),
				Commit: strings.Repeat("c", 40), Merged: []string{strings.Repeat("d", 40)}})
			r.Commits = append(r.Commits, sdk.Commit{ID: strings.Repeat("a", 40), Parents: []string{strings.Repeat("b", 40)},
				Author: text, Time: 1 << 40, Message: text})
			r.Results = append(r.Results, sdk.Result{ID: "c", Tail: text, Artifacts: []string{text}, Millis: 1 << 40})
		}
		real, size := len(r.AppendJSON(nil)), requestSize(r)
		if size < real || size > 2*real {
			t.Errorf("%s: %d bytes are taken for %d", name, real, size)
		}
	}
}
