package doctor

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/pushlane/pushlane/host/internal/hostile"
)

// TestHostileAnswers tries the attacks whose harm is in what they say; the
// package hostile tries the others, each in its own process.
func TestHostileAnswers(t *testing.T) {
	pool, done, err := trialPool(buildProgram(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	wild := regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
	for _, a := range hostile.All() {
		if !a.Answer && a.Kind != hostile.Broken {
			continue
		}
		t.Run(a.ID, func(t *testing.T) {
			r := hostile.Run(t.Context(), a, tryIn(pool, trialTime(a)))
			if !r.OK {
				t.Error(r)
			}
			if wild.MatchString(r.Outcome.Text) {
				t.Errorf("%q would reach a terminal", r.Outcome.Text)
			}
		})
	}
}

// buildProgram builds the program that plugins run in.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "plugin")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/pushlane-plugin")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}
