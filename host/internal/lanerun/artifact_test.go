package lanerun

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/zone"
)

// artifactsOf makes the folder for artifacts of one lane run's container.
func artifactsOf(t *testing.T, r *Runner, p config.Policy, trust zone.Trust, run string) *artifactFolder {
	t.Helper()
	folder := filepath.Join(run, "0-test.1.out")
	quota, err := r.quotas.of(r.State, p, zone.Zone{Repository: "/srv/app.git", Trust: trust}, folder)
	if err != nil {
		t.Fatal(err)
	}
	keep := &artifactFolder{dir: filepath.Join(r.State, "runs", folder, "c"), quota: quota}
	t.Cleanup(keep.close)
	return keep
}

func roomFor(artifacts, total string) config.Policy {
	return config.Policy{MaxArtifacts: artifacts, MaxArtifactsTotal: total}
}

// diskUse is what all files below a folder take, in bytes.
func diskUse(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Sync(); err != nil { // some file systems count a block when it is written
			return err
		}
		info, err := f.Stat()
		if err == nil {
			sum += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestHolesStayHoles(t *testing.T) {
	t.Parallel()
	block := bytes.Repeat([]byte("x"), diskBlock)
	hole := func(n int) []byte { return make([]byte, n) }
	for name, test := range map[string]struct {
		content []byte
		most    int64 // bytes of disk
	}{
		"nothing":                    {nil, 0},
		"a hole":                     {hole(64 << 20), 0},
		"data, then a hole":          {append([]byte("x"), hole(32<<20)...), diskBlock},
		"a hole, then data":          {append(hole(32<<20), 'x'), diskBlock},
		"a hole not of whole blocks": {hole(3*artifactChunk + 17), 0},
		"data between holes": {bytes.Join([][]byte{hole(artifactChunk - diskBlock), block, block,
			hole(artifactChunk + 1)}, nil), 2 * diskBlock},
		"no hole":                     {bytes.Repeat(block, 600), 600 * diskBlock},
		"zeros in a block":            {append(append([]byte("x"), hole(100)...), 'y'), diskBlock},
		"one byte more than a chunk":  {bytes.Repeat([]byte("x"), artifactChunk+1), artifactChunk + diskBlock},
		"every second block":          {bytes.Repeat(append(bytes.Clone(block), hole(diskBlock)...), 100), 100 * diskBlock},
		"one byte less than a chunk":  {bytes.Repeat([]byte("x"), artifactChunk-1), artifactChunk},
		"as much as two whole chunks": {bytes.Repeat([]byte("x"), 2*artifactChunk), 2 * artifactChunk},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Runner{State: t.TempDir()}
			keep := artifactsOf(t, r, roomFor("1GiB", "1GiB"), zone.Protected, "1")
			if err := keep.Keep("a/b", int64(len(test.content)), iotest.HalfReader(bytes.NewReader(test.content))); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(keep.dir, "a", "b"))
			if err != nil || !bytes.Equal(got, test.content) {
				t.Errorf("%d bytes come back, %v; want the %d that were saved", len(got), err, len(test.content))
			}
			sum := sha256.Sum256(test.content)
			if f := keep.files[0]; f.Size != int64(len(test.content)) || f.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("recorded as %+v", f)
			}
			if used := diskUse(t, keep.dir); used > test.most+diskBlock { // one for the map of its blocks
				t.Errorf("it takes %d bytes of the disk, want about %d", used, test.most)
			}
			if want := test.most + 2*diskBlock; keep.quota.taken != want {
				t.Errorf("%d bytes are counted, want %d", keep.quota.taken, want)
			}
		})
	}
}

func TestArtifactsThatChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size    int64
		content io.Reader
		want    string
	}{
		"shorter":          {5, strings.NewReader("1234"), "it shrank from 5 to 4 bytes while it was read"},
		"gone":             {5, strings.NewReader(""), "it shrank from 5 to 0 bytes while it was read"},
		"longer":           {3, strings.NewReader("1234"), "it grew beyond 3 bytes while it was read"},
		"longer than none": {0, strings.NewReader("1"), "it grew beyond 0 bytes while it was read"},
		"without an end":   {10 << 20, endless{}, "it grew beyond 10485760 bytes while it was read"},
		"lost on the way": {5, io.MultiReader(strings.NewReader("12"), iotest.ErrReader(errors.New("connection lost"))),
			"connection lost"},
		"a negative size": {-1, strings.NewReader(""),
			"the artifacts of this lane run would take more than 1GiB (limits.artifacts)"},
		"shorter by a chunk": {2 * artifactChunk, bytes.NewReader(make([]byte, artifactChunk)),
			"it shrank from 2097152 to 1048576 bytes while it was read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keep := artifactsOf(t, &Runner{State: t.TempDir()}, roomFor("1GiB", "1GiB"), zone.Protected, "1")
			if err := keep.Keep("f", test.size, test.content); err == nil || err.Error() != test.want {
				t.Errorf("err = %v, want %s", err, test.want)
			}
			if _, err := os.Stat(filepath.Join(keep.dir, "f")); err == nil || len(keep.files) > 0 {
				t.Errorf("part of it was saved: %v", keep.files)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestArtifactQuota(t *testing.T) {
	t.Parallel()
	const own = "the artifacts of this lane run would take more than 1MiB (limits.artifacts)"
	for name, test := range map[string]struct {
		size  int // bytes of data in each file
		holes int // and of holes
		path  string
		fits  int // how many such files
		want  string
	}{
		"one that is too large":       {1<<20 + 1, 0, "f%d", 0, own},
		"several that are too large":  {300 << 10, 0, "f%d", 3, own},
		"a hole that is too large":    {0, 1<<20 + 1, "f%d", 0, own},
		"several holes":               {0, 500 << 10, "f%d", 2, own},
		"many small ones":             {1, 0, "f%d", 128, own},
		"many empty ones":             {0, 0, "f%d", 256, own},
		"folders":                     {0, 0, "%[1]d/b/c/d/e/f/g/h", 32, own},
		"files that the disk rounds":  {diskBlock + 1, 0, "f%d", 85, own},
		"exactly what there is":       {1<<20 - diskBlock, 0, "f%d", 1, own},
		"a byte more than there is":   {1<<20 - diskBlock + 1, 0, "f%d", 0, own},
		"a hole of all that there is": {0, 1 << 20, "f%d", 1, own},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Runner{State: t.TempDir()}
			keep := artifactsOf(t, r, roomFor("1MiB", "1GiB"), zone.Protected, "1")
			content := append(bytes.Repeat([]byte("x"), test.size), make([]byte, test.holes)...)
			var err error
			n := 0
			for err == nil && n <= test.fits {
				if err = keep.Keep(fmt.Sprintf(test.path, n), int64(len(content)), bytes.NewReader(content)); err == nil {
					n++
				}
			}
			if n != test.fits || err == nil || err.Error() != test.want || !strings.Contains(problem.Hint(err),
				"raise limits.artifacts in "+config.PolicyFile) {
				t.Errorf("%d fit, then %v (hint %q); want %d, then %s", n, err, problem.Hint(err), test.fits, test.want)
			}
			if err := keep.drop(nil); err != nil || diskUse(t, r.State) != 0 {
				t.Errorf("drop: %v, and %d bytes stay", err, diskUse(t, r.State))
			}
		})
	}
}

func TestNumberOfArtifacts(t *testing.T) {
	t.Parallel()
	keep := artifactsOf(t, &Runner{State: t.TempDir()}, roomFor("1GiB", "1GiB"), zone.Protected, "1")
	keep.quota.files = maxArtifactFiles - 1
	if err := keep.Keep("a", 0, strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	if err := keep.Keep("b", 0, strings.NewReader("")); err == nil ||
		err.Error() != "a lane run may leave at most 10000 artifacts" {
		t.Errorf("err = %v", err)
	}
}

// TestContainersShareAQuota: what one lane run's containers leave at once
// counts together.
func TestContainersShareAQuota(t *testing.T) {
	t.Parallel()
	r := &Runner{State: t.TempDir()}
	first := artifactsOf(t, r, roomFor("1MiB", "1GiB"), zone.Protected, "1")
	content := bytes.Repeat([]byte("x"), 100<<10)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			keep := &artifactFolder{dir: filepath.Join(first.dir, fmt.Sprint(i)), quota: first.quota}
			defer keep.close()
			for n := range 8 {
				keep.Keep(fmt.Sprint(n), int64(len(content)), bytes.NewReader(content))
			}
		})
	}
	wg.Wait()
	if used := diskUse(t, r.State); used > 1<<20 || used < 900<<10 {
		t.Errorf("64 files of 100 KiB take %d bytes, want about 1 MiB and not more", used)
	}
}

func TestArtifactsOfAllRuns(t *testing.T) {
	t.Parallel()
	r := &Runner{State: t.TempDir()}
	p := roomFor("1MiB", "2MiB")
	save := func(r *Runner, trust zone.Trust, run string) error {
		content := bytes.Repeat([]byte("x"), 700<<10)
		keep := artifactsOf(t, r, p, trust, run)
		err := keep.Keep("f", int64(len(content)), bytes.NewReader(content))
		if err != nil {
			err = keep.drop(err)
		}
		return err
	}
	for _, run := range []string{"1", "2"} {
		if err := save(r, zone.Unprotected, run); err != nil {
			t.Fatal(err)
		}
	}
	const want = "the artifacts of all unprotected runs of this repository would take more than 2MiB " +
		"(limits.artifacts_total)"
	if err := save(r, zone.Unprotected, "3"); err == nil || err.Error() != want || !strings.Contains(problem.Hint(err),
		"retention.runs") {
		t.Errorf("err = %v (hint %q), want %s", err, problem.Hint(err), want)
	}
	if err := save(&Runner{State: r.State}, zone.Unprotected, "4"); err == nil || err.Error() != want {
		t.Errorf("another process: err = %v, want %s", err, want)
	}
	if err := save(r, zone.Protected, "5"); err != nil {
		t.Errorf("a protected run pays for what unprotected ones left: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(r.State, "runs", "1")); err != nil {
		t.Fatal(err)
	}
	if err := save(r, zone.Unprotected, "6"); err != nil {
		t.Errorf("after a run was removed: %v", err)
	}
}

// TestArtifactsOfLanesAtOnce: lanes of one host do not overrun the total
// together, however small their own quota leaves it.
func TestArtifactsOfLanesAtOnce(t *testing.T) {
	t.Parallel()
	r := &Runner{State: t.TempDir()}
	content := bytes.Repeat([]byte("x"), 64<<10)
	var wg sync.WaitGroup
	for run := range 8 {
		keep := artifactsOf(t, r, roomFor("1MiB", "2MiB"), zone.Unprotected, fmt.Sprint(run))
		wg.Go(func() {
			for n := range 14 {
				keep.Keep(fmt.Sprint(n), int64(len(content)), bytes.NewReader(content))
			}
		})
	}
	wg.Wait()
	if used := diskUse(t, r.State); used > 2<<20 {
		t.Errorf("they take %d bytes, want 2 MiB at most", used)
	}
}

func TestSizesOfThePolicy(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"limits.artifacts": `cannot read the policy: limits.artifacts: "much" is not a size such as 512MiB or 2GiB`,
		"limits.caches":    `cannot read the policy: limits.caches: "much" is not a size such as 512MiB or 2GiB`,
		"limits.artifacts_total": `cannot read the policy: limits.artifacts_total: "much" ` +
			`is not a size such as 512MiB or 2GiB`,
	} {
		file := filepath.Join(t.TempDir(), "policy.toml")
		if err := os.WriteFile(file, fmt.Appendf(nil, "%s = %q\n", key, "much"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(func(name string) string {
			return map[string]string{"PUSHLANE_CONFIG": file,
				"HOME": "/home/x"}[name]
		})
		if err == nil || err.Error() != want {
			t.Errorf("err = %v, want %s", err, want)
		}
	}
}
