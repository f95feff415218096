package runfiles

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/lanerun"
)

// maxPatched bounds the files of which a refused run keeps the changed lines.
const maxPatched = 40

// KeepPatches saves the lines that findings of a refused push are about: git
// deletes the objects when the hook refuses.
func (f *Files) KeepPatches(ctx context.Context, repo *hooks.Repo, j *gate.Run, run int64) error {
	if j.Gate != "pre-receive" || j.Exit() == gate.ExitAccept {
		return nil
	}
	all := map[string]hooks.FilePatch{}
	for i, p := range j.Updates {
		paths := findingPaths(j, i)
		if len(paths) == 0 || p.Delete {
			continue
		}
		files, _, err := repo.Patch(ctx, p.Base, p.New, paths...)
		if err != nil {
			return err
		}
		for _, f := range files {
			all[f.Path] = f
		}
	}
	if len(all) == 0 {
		return nil
	}
	data, err := json.Marshal(all)
	if err == nil {
		err = os.MkdirAll(lanerun.Folder(f.State, run), 0o700)
	}
	if err == nil {
		err = os.WriteFile(f.patchPath(run), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot store the lines of findings: %w", err)
	}
	return nil
}

// findingPaths are the files with findings of update i, in their order.
func findingPaths(j *gate.Run, i int) []string {
	var paths []string
	for _, o := range j.LaneRuns {
		for _, f := range o.Findings {
			if o.Update == i && f.Path != "" && len(paths) < maxPatched && !slices.Contains(paths, f.Path) {
				paths = append(paths, f.Path)
			}
		}
	}
	return paths
}

func (f *Files) patchPath(run int64) string {
	return filepath.Join(lanerun.Folder(f.State, run), "findings.json")
}

// Patches are the changed lines that a refused run saved, by path.
func (f *Files) Patches(run int64) (map[string]hooks.FilePatch, error) {
	data, err := os.ReadFile(f.patchPath(run))
	if err != nil {
		return nil, err
	}
	var all map[string]hooks.FilePatch
	return all, json.Unmarshal(data, &all)
}
