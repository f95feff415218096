package images

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/oci/ocitest"
	"github.com/pushlane/pushlane/sdk"
)

// BenchmarkAdd is an image of Go in Debian, some 650 MB, from a registry on this
// machine to Incus, where a container can start at once; and what skopeo and umoci
// take for a folder of it, in turns.
func BenchmarkAdd(b *testing.B) {
	all := testImages(b)
	layout := ocitest.Real(b)
	host, _ := ocitest.Registry(b)
	ocitest.Push(b, layout, "go", host+"/go:1")
	var ours, theirs time.Duration
	for b.Loop() {
		all.Policy.Cache = b.TempDir()
		began := time.Now()
		found, err := all.Get(b.Context(), name(b, all, host+"/go:1"), Need{Fresh: true})
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
		if err := all.Incus.Images().Delete(context.Background(), found.Fingerprint); err != nil {
			b.Fatal(err)
		}
		dir := b.TempDir()
		began = time.Now()
		ocitest.Run(b, "skopeo", "copy", "-q", "--src-tls-verify=false", "docker://"+host+"/go:1",
			"oci:"+filepath.Join(dir, "oci")+":x")
		ocitest.Run(b, "umoci", "unpack", "--image", filepath.Join(dir, "oci")+":x", filepath.Join(dir, "root"))
		theirs += time.Since(began)
	}
	b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ms/add")
	b.ReportMetric(float64(theirs.Milliseconds())/float64(b.N), "ms/by-hand")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

// BenchmarkFirstOutput is a new container's first output: of an OCI image, and of
// the default image, in turns.
func BenchmarkFirstOutput(b *testing.B) {
	all := testImages(b)
	layout := ocitest.Real(b)
	host, _ := ocitest.Registry(b)
	ocitest.Push(b, layout, "debian", host+"/debian:1")
	found, err := all.Get(b.Context(), name(b, all, host+"/debian:1"), Need{})
	if err != nil {
		b.Fatal(err)
	}
	gone(b, all, found.Fingerprint)
	usual, err := all.Incus.Images().Fingerprint(b.Context(), "default", []string{"*"})
	if err != nil {
		b.Fatal(err)
	}
	once := func(fingerprint string) time.Duration {
		var out lockedBuffer
		ended, err := all.Incus.Run(b.Context(), incus.Spec{Container: sdk.Container{ID: "c",
			Command: []string{"echo", "hi"}}, Found: fingerprint,
			Address: "repo@abc1234:bench", Max: all.Policy.ContainerLimits()}, &out, &out)
		if err != nil || out.String() != "hi\n" {
			b.Fatalf("%q, %v", out.String(), err)
		}
		return ended.Took
	}
	var pulled, plain time.Duration
	for b.Loop() {
		plain += once(usual)
		pulled += once(found.Fingerprint)
	}
	b.ReportMetric(float64(pulled.Milliseconds())/float64(b.N), "ms/oci")
	b.ReportMetric(float64(plain.Milliseconds())/float64(b.N), "ms/default")
	b.ReportMetric(float64(pulled)/float64(plain), "ratio")
}
