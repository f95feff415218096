package lanerun

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/zone"
)

const (
	maxArtifactFiles = 10_000  // of one lane run
	diskBlock        = 4 << 10 // bytes: what a file system hands out at least
)

// artifactQuota is what the artifacts of one lane run may take on the host.
// Safe for several containers at once.
type artifactQuota struct {
	policy      config.Policy
	most, total int64 // bytes: limits.artifacts, limits.artifacts_total
	zone        zone.Zone
	kept        *zoneArtifacts

	mu              sync.Mutex
	folder, index   string
	listed          bool // the index is there
	files           int
	apparent, taken int64 // bytes: sizes of the files, and what they take of the disk
}

// of makes the quota of the lane run whose artifacts go to folder,
// a path below <state>/runs.
func (k *quotas) of(state string, p config.Policy, z zone.Zone, folder string) (*artifactQuota, error) {
	most, err := incus.ParseSize(p.MaxArtifacts)
	if err != nil {
		return nil, fmt.Errorf("the policy's limits.artifacts: %w", err)
	}
	total, err := incus.ParseSize(p.MaxArtifactsTotal)
	if err != nil {
		return nil, fmt.Errorf("the policy's limits.artifacts_total: %w", err)
	}
	sum := sha256.Sum256([]byte(z.Key()))
	dir := filepath.Join(state, "artifacts", hex.EncodeToString(sum[:16]))
	return &artifactQuota{policy: p, most: most, total: total, zone: z, kept: k.zone(dir, filepath.Join(state, "runs")),
		folder: filepath.Join(state, "runs", folder), index: filepath.Join(dir, strings.ReplaceAll(folder, "/", " "))}, nil
}

// file counts one more file of that size and takes its first block, before any
// of it is read.
func (q *artifactQuota) file(size int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.files == maxArtifactFiles {
		return problem.WithHint(fmt.Errorf("a lane run may leave at most %d artifacts", maxArtifactFiles),
			"name fewer files in artifacts, or pack them into one")
	}
	if size < 0 || size > q.most-q.apparent {
		return q.tooMuch()
	}
	if !q.listed {
		if err := q.list(); err != nil {
			return err
		}
		q.listed = true
	}
	q.files++
	q.apparent += size
	return q.charge(diskBlock)
}

// take counts bytes of the disk, in whole blocks, before they are written.
func (q *artifactQuota) take(n int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.charge(wholeBlocks(n))
}

func wholeBlocks(n int64) int64 { return (n + diskBlock - 1) / diskBlock * diskBlock }

func (q *artifactQuota) charge(n int64) error {
	if n > q.most-q.taken {
		return q.tooMuch()
	}
	fits, err := q.kept.take(n, q.total, q.index)
	switch {
	case err != nil:
		return fmt.Errorf("cannot count the artifacts of this run: %w", err)
	case !fits:
		return q.allTooMuch()
	}
	q.taken += n
	return nil
}

// giveBack uncounts what was removed again.
func (q *artifactQuota) giveBack(n int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken -= n
	_, err := q.kept.take(-n, q.total, q.index)
	return err
}

func (q *artifactQuota) allTooMuch() error {
	err := fmt.Errorf("the artifacts of all %s runs of this repository would take more than %s (limits.artifacts_total)",
		q.zone.Trust, q.policy.MaxArtifactsTotal)
	return problem.WithHint(err, "lower retention.runs in "+config.PolicyFile+" and remove older runs with: pushlane gc; "+
		"or raise limits.artifacts_total there")
}

func (q *artifactQuota) tooMuch() error {
	err := fmt.Errorf("the artifacts of this lane run would take more than %s (limits.artifacts)", q.policy.MaxArtifacts)
	return problem.WithHint(err,
		"name fewer or smaller files in artifacts, or raise limits.artifacts in "+config.PolicyFile)
}

// list notes the lane run in its zone's folder and counts what is there.
func (q *artifactQuota) list() error {
	err := errors.Join(os.MkdirAll(q.folder, 0o700), os.MkdirAll(filepath.Dir(q.index), 0o700))
	if err == nil {
		err = os.WriteFile(q.index, nil, 0o600)
	}
	if err == nil {
		err = q.kept.measure()
	}
	if err != nil {
		return fmt.Errorf("cannot count the artifacts of earlier runs: %w", err)
	}
	return nil
}

// zoneArtifacts is what the artifacts of all runs of one zone take. Its folder
// has an empty file for each lane run that left some, named "<run> <folder>"
// and as large as they are; a file whose folder was deleted does not count. So
// runs of other processes count, and removed runs do not, whichever process
// removed them.
type zoneArtifacts struct {
	dir, runs string

	mu    sync.Mutex
	taken int64 // bytes, as counted last and as taken since
}

func (k *quotas) zone(dir, runs string) *zoneArtifacts {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.zones == nil {
		k.zones = map[string]*zoneArtifacts{}
	}
	if k.zones[dir] == nil {
		k.zones[dir] = &zoneArtifacts{dir: dir, runs: runs}
	}
	return k.zones[dir]
}

// take counts n bytes more for the lane run of that index, unless all would be
// more than most.
func (k *zoneArtifacts) take(n, most int64, index string) (fits bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n > 0 && n > most-k.taken {
		return false, nil
	}
	info, err := os.Stat(index)
	if err == nil {
		err = os.Truncate(index, max(0, info.Size()+n))
	}
	if err == nil {
		k.taken += n
	}
	return true, err
}

// measure counts anew.
func (k *zoneArtifacts) measure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return err
	}
	var sum int64
	for _, e := range entries {
		n, err := k.laneRun(e)
		if err != nil {
			return err
		}
		sum += n
	}
	k.taken = sum
	return nil
}

// laneRun is what one lane run's artifacts take.
func (k *zoneArtifacts) laneRun(e fs.DirEntry) (int64, error) {
	run, folder, _ := strings.Cut(e.Name(), " ")
	_, err := os.Stat(filepath.Join(k.runs, run, folder))
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(filepath.Join(k.dir, e.Name()))
	} else if err == nil {
		var info fs.FileInfo
		if info, err = e.Info(); err == nil {
			return info.Size(), nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // another process removed it
	}
	return 0, err
}

// quotas count what artifacts take, zone by zone. Safe for concurrent use.
type quotas struct {
	mu    sync.Mutex
	zones map[string]*zoneArtifacts // by the zone's folder
}
