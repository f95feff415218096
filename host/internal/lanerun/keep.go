package lanerun

import (
	"bytes"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/store"
	"github.com/pushlane/pushlane/sdk"
)

// artifacts is the folder for artifacts of that origin: a container's id, or
// "out" for the plugin's own.
func (l *Lane) artifacts(origin string) (*artifactFolder, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quota == nil {
		folder, err := filepath.Rel(filepath.Join(l.runner.State, "runs"), l.folder())
		if err != nil {
			return nil, err
		}
		quota, err := l.runner.quotas.of(l.runner.State, l.policy(), l.Zone(), folder)
		if err != nil {
			return nil, err
		}
		l.quota = quota
	}
	return &artifactFolder{dir: filepath.Join(l.folder(), origin), quota: l.quota}, nil
}

// listArtifacts puts the files that a container's artifacts name on the lane run's
// list, and notes each pattern that named none. What only the plugin reads is not
// listed. Called with mu held.
func (l *Lane) listArtifacts(c sdk.Container, files []store.File, timedOut bool) {
	for _, f := range files {
		if slices.ContainsFunc(c.Artifacts, func(text string) bool { return incus.Meant(text, f.Name) }) {
			l.outcome().Artifacts = append(l.outcome().Artifacts, f)
		}
	}
	for _, text := range c.Artifacts {
		if !timedOut && !slices.ContainsFunc(files, func(f store.File) bool { return incus.Meant(text, f.Name) }) {
			l.unmatched = append(l.unmatched, sdk.Finding{Level: "note", Rule: "artifacts",
				Message: fmt.Sprintf("artifacts: no file matches %s", printable.Clean(strings.TrimPrefix(text, "/work/src/")))})
		}
	}
}

// keepArtifacts copies what the plugin named below /out to the lane run's
// folder.
func (l *Lane) keepArtifacts(said Result) error {
	if l.out == nil || len(said.artifacts) == 0 {
		return nil
	}
	keep, err := l.artifacts("out")
	if err != nil {
		return err
	}
	defer keep.close()
	if err := l.keepNamed(keep, said.artifacts); err != nil {
		return keep.drop(err)
	}
	l.outcome().Artifacts = append(l.outcome().Artifacts, keep.files...)
	return nil
}

func (l *Lane) keepNamed(keep *artifactFolder, names []string) error {
	for _, name := range names {
		clean := strings.TrimPrefix(path.Clean("/"+name), "/")
		data, err := l.out.ReadFile(clean)
		if err != nil {
			return fmt.Errorf("plugin %q names artifact %q, which is not below /out", l.lane().Plugin, printable.Clean(name))
		}
		if err := keep.Keep(clean, int64(len(data)), bytes.NewReader(data)); err != nil {
			return fmt.Errorf("cannot store artifact %q: %w", printable.Clean(name), err)
		}
	}
	return nil
}
