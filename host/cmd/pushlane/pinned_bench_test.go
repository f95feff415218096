package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkPinned measures what it costs a push that its lane's plugin is one
// of others: the same no-op as a first-party plugin, pinned in lanes.lock, and
// pinned on a host that wants it signed.
//
//	go test -run '^$' -bench Pinned -benchtime 40x ./host/cmd/pushlane
func BenchmarkPinned(b *testing.B) {
	buildNoops(b)
	kinds := []string{"first-party", "pinned", "pinned-signed"}
	pushers := map[string]*pusher{}
	for _, kind := range kinds {
		p := newPusher(b, 1)
		if kind != kinds[0] {
			p.pin(b, kind == kinds[2])
		}
		pushers[kind] = p
	}
	for kind, took := range byTurns(b, kinds, func(kind string) time.Duration { return pushers[kind].push(b) }) {
		b.ReportMetric(ms(took), "ms/"+kind)
	}
}

// pin has the pusher's lane use the no-op as another's plugin.
func (p *pusher) pin(b *testing.B, signed bool) {
	b.Helper()
	source, key := filepath.Join(prefix, "lib/pushlane/plugins/noop0.wasm"), filepath.Join(p.home, "key")
	if signed {
		p.run(b, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
		to := filepath.Join(p.home, "noop0.wasm")
		p.run(b, "pushlane", "plugin", "push", source, to, "--sign", key)
		source = to
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			b.Fatal(err)
		}
		p.write(b, "allowed_signers", "ann@example.org "+string(public))
		p.write(b, "config.toml", fmt.Sprintf("allowed_signers = %q\n", filepath.Join(p.home, "allowed_signers")))
	}
	lanes := filepath.Join("work", "lanes.toml")
	p.write(b, lanes, "version = 1\n[[lane]]\nid = \"lane-0\"\nplugin = \"other\"\n")
	p.run(b, "pushlane", "plugin", "add", "--yes", "--name", "other", source)
}

func (p *pusher) write(b *testing.B, name, text string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(p.home, name), []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
}

func (p *pusher) run(b *testing.B, name string, args ...string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	if name == "pushlane" {
		cmd = exec.CommandContext(b.Context(), filepath.Join(prefix, "bin", name), args...)
	}
	cmd.Dir, cmd.Env = p.work, p.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
