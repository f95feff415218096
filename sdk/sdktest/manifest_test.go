package sdktest

import (
	"os"
	"testing"

	"github.com/pushlane/pushlane/sdk"
)

// TestACheckSeesWhatTheHostSends: a part that the manifest does not name is
// not there, however the case fills it in.
func TestACheckSeesWhatTheHostSends(t *testing.T) {
	for manifest, want := range map[string]string{
		"": "pass: pre-commit repo@1111111:lane refs/heads/main 1 1 4",
		"input = [\"commits\"]\n[[capabilities]]\nname = \"repo.history\"\n": "pass:    1 1 1",
		"input = [\"commits\"]\n":        "pass:    1 0 0",
		"input = [ # none\n]\n":          "pass:    1 0 0",
		"input = ['gate', \"update\"]\n": "pass: pre-commit  refs/heads/main 1 0 0",
		"name = \"x\"\n[[capabilities]]\nname = 'repo.history'\nwhy = '''\ninput = []\n" +
			"'''\n": "pass: pre-commit repo@1111111:lane refs/heads/main 1 1 1",
	} {
		t.Run(manifest, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if manifest != "" {
				if err := os.WriteFile(manifestFile, []byte(manifest), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			Case{Name: "x", Files: map[string]string{"f": "x"}, Commits: []sdk.Commit{{ID: "1"}},
				Request:     sdk.Request{Gate: "pre-commit"},
				WantVerdict: want}.Run(t, func(run *sdk.Run) error {
				n := 0
				for range run.Changed() {
					n++
				}
				digit := func(n int) string { return string(rune('0' + n)) }
				return run.Pass(run.Gate + " " + run.Request.Run + " " + run.Update.Ref + " " + digit(n) + " " +
					digit(len(run.Commits)) + " " + digit(len(run.Granted)))
			})
		})
	}
}
