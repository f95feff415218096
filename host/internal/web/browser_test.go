package web

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/store"
)

// TestBrowser opens the page in a real Chromium, driven by browser/page.mjs.
func TestBrowser(t *testing.T) {
	for _, need := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(need); err != nil {
			skipBrowser(t, need+" is not installed")
		}
	}
	if _, err := os.Stat(filepath.Join("browser", "node_modules", "playwright-core")); err != nil {
		skipBrowser(t, "the driver is not installed: npm ci --prefix host/internal/web/browser")
	}
	f := newFixture(t)
	failed := f.begin("pre-receive")
	f.say(failed, "--- prepare", "one", "+++ tests", "\x1b[32mok\x1b[0m   first", "\x1b[1;31mFAIL\x1b[0m second "+evil)
	f.end(failed, store.Failed)
	live := f.begin("post-receive")
	page := f.server()
	control := httptest.NewServer(f.control(map[string]store.Run{"1": failed, "2": live}))
	t.Cleanup(control.Close)
	shots := os.Getenv("PUSHLANE_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "page.mjs", page.URL, control.URL, shots)
	cmd.Dir = "browser"
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the browser: %v", err)
	}
}

// control lets the browser's script make the host do something.
func (f *fixture) control(runs map[string]store.Run) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/say", func(_ http.ResponseWriter,
		r *http.Request) {
		f.say(runs[r.FormValue("run")], r.FormValue("text"))
	})
	mux.HandleFunc("/end", func(_ http.ResponseWriter, r *http.Request) {
		f.end(runs[r.FormValue("run")], store.State(r.FormValue("state")))
	})
	mux.HandleFunc("/forged", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%s"><button>You have won</button></form>`,
			html.EscapeString(r.FormValue("to")))
	})
	return mux
}

func skipBrowser(t *testing.T, why string) {
	t.Helper()
	if required, _ := strconv.ParseBool(os.Getenv("PUSHLANE_REQUIRE_BROWSER")); required {
		t.Fatal(why)
	}
	t.Skip("SKIPPED: " + why)
}
