package wasm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// breaking is a plugin that breaks below a loop, with a bulk operation before
// it: all that the meter puts code in front of.
const breaking = `static char from[4096], to[4096];
extern void __wasm_call_ctors(void);

__attribute__((noinline)) static int deep(volatile int *p, int n) {
  __builtin_memcpy(to, from, n * 512);
  for (int i = 0; i < n; i++)
    if (*p == i)
      __builtin_trap();
  return *p;
}

__attribute__((noinline)) static int middle(volatile int *p) {
  int sum = 0;
  for (int i = 0; i < 3; i++)
    sum += deep(p, i + 4);
  return sum;
}

void _start(void) {
  volatile int three = 3;
  middle(&three);
}
`

// TestTraceHasLines breaks C with debug information of both versions.
func TestTraceHasLines(t *testing.T) {
	if _, err := exec.LookPath("clang"); err != nil {
		if os.Getenv("PUSHLANE_REQUIRE_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip("clang is not installed")
	}
	for _, flag := range []string{"-gdwarf-4", "-gdwarf-5"} {
		t.Run(flag, func(t *testing.T) {
			m, err := open(t, Options{}).Load(t.Context(), "c", compileC(t, breaking, flag))
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.Run(t.Context(), Call{})
			var trap *TrapError
			if !errors.As(err, &trap) {
				t.Fatalf("got %v, want a trap", err)
			}
			want := []string{"deep(i32,i32) i32, check.c:8:7", "middle(i32), check.c:15:12", "_start(), check.c:21:3"}
			for i, line := range trap.Trace { // what is unused may be compiled away
				trap.Trace[i] = strings.Replace(line, "middle(i32) i32", "middle(i32)", 1)
			}
			if !slices.Equal(trap.Trace, want) {
				t.Errorf("got %q\nwant %q", trap.Trace, want)
			}
		})
	}
}

// compileC makes a packed plugin of C without a library.
func compileC(t *testing.T, source string, flags ...string) []byte {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "check.c"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--target=wasm32", "-O1", "-nostdlib", "-mbulk-memory", "-o", "check.wasm", "check.c"},
		flags...)
	cmd := exec.Command("clang", args...)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(filepath.Join(dir, "check.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = Pack(data, []byte(usualManifest)); err != nil {
		t.Fatal(err)
	}
	return data
}
