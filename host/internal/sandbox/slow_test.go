package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/hostile"
	"github.com/pushlane/pushlane/host/internal/wasm"
)

func slowPool(t *testing.T, o Options) *Pool {
	t.Helper()
	o.CacheDir = filepath.Join(t.TempDir(), "modules")
	p, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// TestSlowModules: what takes minutes to compile is ended by its limit of
// processor time, all at once, while a plugin that means well is loaded. It is
// refused in one line, and not compiled again.
func TestSlowModules(t *testing.T) {
	t.Parallel()
	p := slowPool(t, Options{CompileTime: 1})
	var wg sync.WaitGroup
	for _, a := range hostile.Slow() {
		wg.Go(func() {
			_, err := p.Load(t.Context(), a.ID, a.Module())
			if err == nil || !regexp.MustCompile(a.Want).MatchString(err.Error()) || !errors.As(err, new(*wasm.FormatError)) {
				t.Errorf("%s: %v", a.ID, err)
				return
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s is refused in several lines: %v", a.ID, err)
			}
			if _, again := p.Load(t.Context(), a.ID, a.Module()); again != err {
				t.Errorf("%s was compiled again: %v", a.ID, again)
			}
		})
	}
	wg.Go(func() {
		if _, err := p.Load(t.Context(), "plain", hostile.Plain()); err != nil {
			t.Errorf("a plain plugin: %v", err)
		}
	})
	wg.Wait()
}

// TestSlowByTheClock: a compiler that does not get the processor is ended too.
// That says nothing about the module, which may be tried again.
func TestSlowByTheClock(t *testing.T) {
	t.Parallel()
	p := slowPool(t, Options{CompileWall: time.Second})
	a := hostile.Slow()[0]
	_, err := p.Load(context.Background(), a.ID, a.Module())
	want := regexp.MustCompile(`^cannot compile plugin "ifs-39k": ` +
		`its process was not done after 1s, of which it ran for [0-9.]+m?s$`)
	if err == nil || !want.MatchString(err.Error()) || !errors.As(err, new(*DiedError)) {
		t.Errorf("%v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.plugins) != 0 {
		t.Errorf("%d modules are known", len(p.plugins))
	}
}

// TestRefusalsAreBounded: modules that are refused do not fill the memory.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	p := slowPool(t, Options{})
	for i := range maxRefusals + 10 {
		l := &loading{err: &wasm.FormatError{Msg: "no"}}
		digest := fmt.Sprint(i)
		p.mu.Lock()
		p.plugins[digest] = l
		p.mu.Unlock()
		p.settle(digest, l)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.plugins) != maxRefusals {
		t.Errorf("%d refusals are known", len(p.plugins))
	}
	clear(p.plugins)
}
