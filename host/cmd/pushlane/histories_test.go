package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushlane/pushlane/host/internal/histories"
)

// TestHistoriesWhole is a part of the histories of package host with nothing
// left out: real git receive-pack, the installed hooks, the real plugins. It
// runs 100, 5 with -short.
func TestHistoriesWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool, err := histories.NewPool(filepath.Join(dir, "pool"))
	if err != nil {
		t.Fatal(err)
	}
	gate := &installedGate{state: filepath.Join(dir, "state"), policy: filepath.Join(dir, "policy.toml")}
	n := uint64(100)
	if testing.Short() {
		n = 5
	}
	for seed := uint64(1); seed <= n && !t.Failed(); seed++ {
		err := pool.Run(t.Context(), histories.FromSeed(seed), gate)
		var broken *histories.Broken
		if errors.As(err, &broken) {
			t.Errorf("seed %d: %s\n%s", seed, broken.Why, broken.Script)
		} else if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// installedGate is what `pushlane install --server` sets up.
type installedGate struct{ state, policy string }

// Guard writes the policy and installs the hooks.
func (g *installedGate) Guard(_ context.Context, dir string, p histories.Policy) error {
	text := fmt.Sprintf("state = %q\ncache = %q\nlisten = \"\"\nallow_delete = %t\nallow_force = %t\n", g.state,
		filepath.Join(prefix, "cache"), p.AllowDelete, p.AllowForce)
	if p.Protect != nil {
		text += "protect = [\"" + strings.Join(p.Protect, `", "`) + "\"]\n"
	}
	args := []string{"install", "--server", "--policy", g.policy}
	if p.PerRef {
		args = append(args, "--per-ref")
	}
	if err := os.WriteFile(g.policy, []byte(text), 0o644); err != nil {
		return err
	}
	out, err := try("", nil, pushlaneBin(), append(args, dir)...)
	if err != nil {
		return fmt.Errorf("pushlane install: %w\n%s", err, out)
	}
	return nil
}

// Push speaks to git receive-pack as a client does that chooses old values
// itself. The objects are there already.
func (g *installedGate) Push(ctx context.Context, p histories.Push) (histories.Answer, error) {
	var in bytes.Buffer
	pack := false
	for i, l := range p.Lines {
		line := l.Old + " " + l.New + " " + l.Ref
		if i == 0 {
			line += "\x00 report-status"
		}
		fmt.Fprintf(&in, "%04x%s", len(line)+4, line)
		pack = pack || strings.Trim(l.New, "0") != ""
	}
	in.WriteString("0000")
	if empty := []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00"); pack {
		sum := sha1.Sum(empty)
		in.Write(append(empty, sum[:]...))
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", "receive-pack", p.Dir)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+filepath.Dir(g.policy))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &said
	cmd.Run() // its status says no more than the report
	a := histories.Answer{Accepted: make([]bool, len(p.Lines)), Done: true, Said: said.String()}
	_, report, _ := strings.Cut(out.String(), "0000")
	for i, l := range p.Lines {
		a.Accepted[i] = strings.Contains(report, "ok "+l.Ref+"\n")
	}
	a.Said += report
	return a, nil
}
