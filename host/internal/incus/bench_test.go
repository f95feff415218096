package incus

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// firstWrite notes when something is written for the first time.
type firstWrite struct{ at time.Time }

func (f *firstWrite) Write(p []byte) (int, error) {
	if f.at.IsZero() {
		f.at = time.Now()
	}
	return len(p), nil
}

func byHand(b *testing.B, args ...string) {
	b.Helper()
	if out, err := exec.Command("incus", args...).CombinedOutput(); err != nil {
		b.Fatalf("incus %v: %v\n%s", args, err, out)
	}
}

// BenchmarkFirstOutput takes turns: one container by hand, one by Run, from
// nothing to the first byte of output, so that both see the same machine. By
// hand means `incus launch` and `incus exec`, with the limits of a lane and no
// source; Run also delivers a source, makes it writable and drops root.
func BenchmarkFirstOutput(b *testing.B) {
	c := needIncus(b, testConfig(b))
	if _, err := exec.LookPath("incus"); err != nil {
		b.Skip("no incus command")
	}
	for name, src := range map[string]Source{"small tree": files{"a.txt": "alpha\n"}, "tree in a volume": bigSource(),
		"no tree": nil} {
		b.Run(name, func(b *testing.B) {
			var hand, own []time.Duration
			for range b.N {
				hand = append(hand, handLaunch(b, c))
				own = append(own, ownLaunch(b, c, src))
			}
			h, o := median(hand), median(own)
			b.ReportMetric(float64(h.Microseconds())/1000, "ms-by-hand")
			b.ReportMetric(float64(o.Microseconds())/1000, "ms-by-run")
			b.ReportMetric(float64(o)/float64(h), "ratio")
			b.ReportMetric(0, "ns/op") // the loop holds more than what is measured
		})
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func handLaunch(b *testing.B, c *Client) time.Duration {
	name := handName()
	in := []string{"--project", c.conn.cfg.Project}
	began := time.Now()
	byHand(b, append([]string{"launch", "busybox", name, "--no-profiles", "--storage", c.conn.cfg.Pool, "--quiet", "-d",
		"root,size=1GiB",
		"-c", "security.idmap.isolated=true", "-c", "limits.memory=1GiB", "-c", "limits.processes=500", "-c",
		"limits.cpu.allowance=200ms/100ms"}, in...)...)
	byHand(b, append([]string{"exec", name, "-T"}, append(in, "--", "echo", "first")...)...)
	took := time.Since(began)
	byHand(b, append([]string{"delete", "--force", name}, in...)...)
	return took
}

func handName() string {
	var nonce [6]byte
	rand.Read(nonce[:])
	return "pl-hand-" + hex.EncodeToString(nonce[:])
}

func ownLaunch(b *testing.B, c *Client, src Source) time.Duration {
	s := busybox("")
	s.Command, s.Source, s.Disk = []string{"echo", "first"}, src, "1GiB"
	var first firstWrite
	began := time.Now()
	if _, err := c.Run(context.Background(), s, &first, nil); err != nil {
		b.Fatal(err)
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	return first.at.Sub(began)
}

// BenchmarkSource is what a tree of 5,000 files and 25 MB costs: the first
// container of a tree, and each further one.
func BenchmarkSource(b *testing.B) {
	c := needIncus(b, testConfig(b))
	for n := range b.N {
		src := files{}
		for i := range 5000 {
			content := make([]byte, 2500)
			rand.Read(content)
			src[fmt.Sprintf("d%d/f%d-%d", i%100, i, n)] = hex.EncodeToString(content)
		}
		b.ReportMetric(float64(ownLaunch(b, c, src).Milliseconds()), "ms-first")
		b.ReportMetric(float64(ownLaunch(b, c, src).Milliseconds()), "ms-next")
	}
	b.ReportMetric(0, "ns/op")
}
