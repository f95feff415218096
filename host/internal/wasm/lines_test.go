package wasm

import (
	"debug/dwarf"
	"errors"
	"fmt"
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

// TestLinesAreThoseOfDebugDwarf holds every byte of code of real modules
// against the standard library's reader, which is led by .debug_info.
func TestLinesAreThoseOfDebugDwarf(t *testing.T) {
	if _, err := exec.LookPath("clang"); err != nil {
		if os.Getenv("PUSHLANE_REQUIRE_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip("clang is not installed")
	}
	for _, flags := range [][]string{{"-gdwarf-2"}, {"-gdwarf-3", "-O2"}, {"-gdwarf-4", "-O0"}, {"-gdwarf-5", "-O2"}} {
		t.Run(strings.Join(flags, ""), func(t *testing.T) {
			module := compileC(t, breaking, flags...)
			checked, err := Check("c", module)
			if err != nil {
				t.Fatal(err)
			}
			theirs := rowsOfDebugDwarf(t, module, checked.facts.sections)
			want := make([]uint32, 2000)
			for i := range want {
				want[i] = uint32(i)
			}
			known := 0
			for i, text := range rowsOf(module, checked.facts.sections, want) {
				if text != theirs[uint64(i)] {
					t.Errorf("byte %d: got %q, debug/dwarf says %q", i, text, theirs[uint64(i)])
				}
				if text != "" {
					known++
				}
			}
			if known < 50 {
				t.Errorf("only %d bytes have a line", known)
			}
		})
	}
}

func rowsOfDebugDwarf(t *testing.T, module []byte, sections []section) map[uint64]string {
	parts := map[string][]byte{}
	for _, s := range sections {
		parts[s.name] = module[s.body:s.end]
	}
	data, err := dwarf.New(parts[".debug_abbrev"], nil, nil, parts[".debug_info"], parts[".debug_line"], nil,
		parts[".debug_ranges"], parts[".debug_str"])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".debug_line_str", ".debug_str_offsets", ".debug_addr", ".debug_rnglists"} {
		if err := data.AddSection(name, parts[name]); err != nil {
			t.Fatal(err)
		}
	}
	unit, err := data.Reader().Next()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := data.LineReader(unit)
	if err != nil {
		t.Fatal(err)
	}
	all := map[uint64]string{}
	var last, now dwarf.LineEntry
	for rows.Next(&now) == nil {
		for at := last.Address; last.Line > 0 && !last.EndSequence && at < now.Address; at++ {
			all[at] = fmt.Sprintf("%s:%d:%d", filepath.Base(last.File.Name), last.Line, last.Column)
			if last.Column == 0 {
				all[at] = strings.TrimSuffix(all[at], ":0")
			}
		}
		last = now
	}
	return all
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
