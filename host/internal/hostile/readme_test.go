package hostile_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/hostile"
)

// listing is the README's table of attacks.
func listing() string {
	var b strings.Builder
	b.WriteString("| attack | what it tries | ends |\n|---|---|---|\n")
	for _, a := range append(hostile.All(), hostile.Slow()...) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.ID, a.About, a.Kind)
	}
	return b.String()
}

// TestREADME: every attack is told of. With PUSHLANE_WRITE_README set the
// listing is written anew.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), "| attack |")
	if want := before + listing(); !found || string(text) != want {
		if os.Getenv("PUSHLANE_WRITE_README") == "" {
			t.Fatal("the listing in README.md is not that of All(); write it with: PUSHLANE_WRITE_README=1 go test -run " +
				"TestREADME")
		}
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
