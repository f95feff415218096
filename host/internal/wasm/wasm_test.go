package wasm

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// guests are built once for all tests of a process.
var guests struct {
	sync.Mutex
	built map[string][]byte
}

// guest builds a program below testdata/hostile and packs it.
func guest_(t testing.TB, name string) []byte {
	t.Helper()
	guests.Lock()
	defer guests.Unlock()
	if b := guests.built[name]; b != nil {
		return b
	}
	out := filepath.Join(t.TempDir(), name+".wasm")
	cmd := exec.Command("go", "build", "-o", out, "./testdata/hostile/"+name)
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v\n%s", name, err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	data, err = Pack(data, []byte("name = \""+name+"\"\nversion = \"1\"\nabi = 1\noutput = \"jsonl\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if guests.built == nil {
		guests.built = map[string][]byte{}
	}
	guests.built[name] = data
	return data
}

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	e, err := Open(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(ctx)
	for _, name := range []string{"noop", "spin", "trap", "floodlog", "floodout", "eat", "recurse", "garbage", "sleep", "files", "escape"} {
		m, err := e.Load(ctx, name, guest_(t, name))
		if err != nil {
			t.Fatal(err)
		}
		limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		began := time.Now()
		res, err := m.Run(limited, Call{Stdin: []byte("{}"), Memory: 64 << 20, Src: fstest.MapFS{"a": {Data: []byte("hello")}}})
		cancel()
		t.Logf("%s %v: %d %.2000q %v\n%v", name, time.Since(began), res.Exit, res.Stdout[:min(len(res.Stdout), 3000)], res.Used, err)
	}
}
