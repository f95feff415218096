package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/host/internal/store"
)

func (s *people) branchPage(w http.ResponseWriter, r *http.Request) {
	repo, err := s.catalog.repository(r)
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	d := branchData{Repo: repo, Branch: r.PathValue("ref")}
	runs, err := s.Store.Runs(r.Context(), store.Filter{RepoKey: repo.Key, Ref: fullRef(d.Branch), Limit: 1})
	if len(runs) > 0 {
		d.Run = &runView{Run: runs[0], Slug: repo.Slug}
	}
	if err == nil {
		err = s.walk(r.Context(), &d)
	}
	if err == nil {
		d.Is, d.Known, err = s.Store.Verdicts().Of(r.Context(), repo.Key, fullRef(d.Branch), d.Head)
	}
	if err != nil {
		s.out.fail(w, r, err)
		return
	}
	s.out.show(w, r, http.StatusOK, "branch", page{Title: d.Branch + " of " + repo.Slug, Live: true, Data: d})
}

// walk finds what the branch is made of, from the commits themselves.
func (s *people) walk(ctx context.Context, d *branchData) error {
	repo, release, err := s.Repo(ctx, d.Repo.Key)
	if err != nil {
		return err
	}
	defer release()
	head, err := repo.CurrentBranch(ctx)
	if err != nil {
		return err
	}
	d.Target = refName(head)
	if d.Head, err = repo.Resolve(ctx, fullRef(d.Branch)); errors.As(err, new(*hooks.NoRevisionError)) {
		if d.Run == nil {
			return errNotHere
		}
		d.State, d.Head = "gone", d.Run.Head() // the commits of its last run may still exist
	} else if err != nil {
		return err
	}
	return d.compare(ctx, repo, head)
}

// compare tells a merged branch from an open one and lists its commits.
func (d *branchData) compare(ctx context.Context, repo *hooks.Repo, target string) error {
	tip, err := repo.Resolve(ctx, target)
	if errors.As(err, new(*hooks.NoRevisionError)) {
		tip, err = hooks.ZeroID, nil
	}
	if err != nil {
		return err
	}
	if d.State == "" {
		d.State = "open"
	}
	merged, err := repo.MergedInto(ctx, d.Head, tip)
	if errors.As(err, new(*hooks.MissingError)) || errors.As(err, new(*hooks.NoRevisionError)) {
		return nil // deleted, with its commits
	}
	if err != nil {
		return err
	}
	d.Base = merged.Base
	if merged.Merged && "refs/heads/"+d.Branch != target {
		d.State, d.Merge = "merged", merged.By
	}
	if strings.HasPrefix(target, "refs/heads/") && refName(target) == d.Branch {
		d.State = "the default branch"
		return nil
	}
	commits, err := repo.Commits(ctx, merged.Base, d.Head)
	if err != nil {
		return err
	}
	return d.addSteps(ctx, repo, commits)
}
