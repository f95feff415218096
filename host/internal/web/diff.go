package web

import (
	"context"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/store"
)

// fileView is a file with what lanes found in it.
type fileView struct {
	Path  string
	Hunks []hunkView
	Other []store.Finding // not on a line that is shown
}

type hunkView struct {
	Head  string
	Lines []lineView
}

type lineView struct {
	hooks.PatchLine
	Findings []store.Finding
}

// maxFindingFiles bounds the files whose diff is shown with findings.
const maxFindingFiles = 40

// findingsInDiff puts findings on the lines of the diff they are about. Where
// the diff cannot be read, they are by themselves.
func (s *people) findingsInDiff(ctx context.Context, run runView, lanes []laneView) (files []fileView, cut bool) {
	byPath := map[string][]store.Finding{}
	var paths []string
	update := map[string]int{}
	for _, l := range lanes {
		for _, f := range l.Findings {
			if f.Path == "" {
				continue
			}
			if byPath[f.Path] == nil {
				paths = append(paths, f.Path)
				update[f.Path] = max(0, l.Update)
			}
			byPath[f.Path] = append(byPath[f.Path], f)
		}
	}
	cut = len(paths) > maxFindingFiles
	paths = paths[:min(len(paths), maxFindingFiles)]
	patches := s.patches(ctx, run, paths, update)
	for _, p := range paths {
		files = append(files, placeFindings(p, patches[p], byPath[p]))
	}
	return files, cut
}

// patches reads the diffs of some paths, each of the update it was found in.
func (s *people) patches(ctx context.Context, run runView, paths []string,
	update map[string]int) map[string]hooks.FilePatch {
	all := map[string]hooks.FilePatch{}
	if len(paths) == 0 {
		return all
	}
	if kept, err := s.Patches(run.ID); err == nil {
		return kept
	}
	repo, release, err := s.Repo(ctx, run.RepoKey)
	if err != nil {
		return all
	}
	defer release()
	for i, u := range run.Updates {
		var of []string
		for _, p := range paths {
			if update[p] == i {
				of = append(of, p)
			}
		}
		if len(of) == 0 {
			continue
		}
		found, _, err := repo.Patch(ctx, u.Base, u.New, of...)
		if err != nil {
			continue // a refused push left nothing to compare
		}
		for _, f := range found {
			all[f.Path] = f
		}
	}
	return all
}

func placeFindings(path string, patch hooks.FilePatch, findings []store.Finding) fileView {
	v := fileView{Path: path}
	placed := make([]bool, len(findings))
	for _, h := range patch.Hunks {
		hv := hunkView{Head: h.Head}
		any := false
		for _, l := range h.Lines {
			lv := lineView{PatchLine: l}
			for i, f := range findings {
				if f.Line > 0 && l.New == f.Line {
					lv.Findings, placed[i], any = append(lv.Findings, f), true, true
				}
			}
			hv.Lines = append(hv.Lines, lv)
		}
		if any {
			v.Hunks = append(v.Hunks, hv)
		}
	}
	for i, f := range findings {
		if !placed[i] {
			v.Other = append(v.Other, f)
		}
	}
	return v
}

// branchData is a branch with its walk-through.
type branchData struct {
	Repo   repository
	Branch string
	Target string
	Head   string
	Base   string
	Merge  string // the commit of the target that brought it in
	State  string // open, merged, gone
	Run    *runView
	Known  bool          // there is a verdict on its head
	Is     store.Verdict // of all runs of its head
	Steps  []step
	More   int // commits that are not shown
}

// step is one commit of a branch: what it is for and what shows it.
type step struct {
	hooks.Commit
	Subject, Body string
	Files         []hooks.FilePatch
	Cut           bool
}

const (
	maxSteps     = 50
	maxStepLines = 400 // lines of hunks shown of one commit
)

func (d *branchData) addSteps(ctx context.Context, repo *hooks.Repo, commits []hooks.Commit) error {
	d.More = max(0, len(commits)-maxSteps)
	for _, c := range commits[:min(len(commits), maxSteps)] {
		st := step{Commit: c}
		st.Subject, st.Body, _ = strings.Cut(strings.TrimSpace(c.Message), "\n")
		st.Body = strings.TrimSpace(st.Body)
		parent := hooks.ZeroID
		if len(c.Parents) > 0 {
			parent = c.Parents[0]
		}
		var err error
		if st.Files, st.Cut, err = repo.Patch(ctx, parent, c.ID); err != nil {
			return err
		}
		st.Files, st.Cut = shorten(st.Files, st.Cut)
		d.Steps = append(d.Steps, st)
	}
	return nil
}

// shorten keeps the files of a patch and the first lines of its hunks.
func shorten(files []hooks.FilePatch, cut bool) ([]hooks.FilePatch, bool) {
	left := maxStepLines
	for i := range files {
		files[i].Hunks = slices.DeleteFunc(files[i].Hunks, func(h hooks.Hunk) bool {
			left -= len(h.Lines)
			return left < 0
		})
	}
	return files, cut || left < 0
}
