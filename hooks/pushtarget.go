package hooks

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Target is where git push would push a branch to.
type Target struct {
	Remote string // name, or URL where it has none; "" when nothing is configured
	URL    string // as the pre-push hook would get it
	Ref    string // the receiver's ref
	Old    string // what that ref has, as far as is known; ZeroID when nothing is
}

// PushTarget asks git where a push of a branch would go; ref is its full name,
// or "" for a detached HEAD, which goes to no ref.
func (r *Repo) PushTarget(ctx context.Context, ref string) (Target, error) {
	t := Target{Ref: ref, Old: ZeroID}
	names, err := r.git.run(ctx, "remote")
	if err != nil {
		return t, fmt.Errorf("cannot list the remotes: %w", err)
	}
	if ref != "" {
		if err := r.git.pushesTo(ctx, &t, ref); err != nil {
			return t, fmt.Errorf("cannot find where %s is pushed to: %w", quote(ref), err)
		}
	}
	all := strings.Fields(names)
	switch {
	case t.Remote != "":
	case slices.Contains(all, "origin"):
		t.Remote = "origin"
	case len(all) == 1:
		t.Remote = all[0]
	default:
		return t, nil
	}
	if t.URL = t.Remote; slices.Contains(all, t.Remote) {
		urls, err := r.git.run(ctx, "remote", "get-url", "--push", "--all", t.Remote)
		if err != nil {
			return t, fmt.Errorf("cannot find the URL of %s: %w", quote(t.Remote), err)
		}
		t.URL, _, _ = strings.Cut(urls, "\n")
	}
	return t, r.setOld(ctx, &t)
}

// pushesTo fills in what the configuration says of the branch.
func (g *gitCommand) pushesTo(ctx context.Context, t *Target, ref string) error {
	out, err := g.run(ctx, "for-each-ref",
		"--format=%(push:remotename) %(push:remoteref) %(upstream:remotename) %(upstream:remoteref)", ref)
	fields := strings.Split(strings.SplitN(out, "\n", 2)[0], " ")
	if err != nil || len(fields) != 4 {
		return err
	}
	t.Remote = fields[0]
	mode, _ := g.run(ctx, "config", "--get", "push.default") // not set: the branch's own name
	switch {
	case checkRef(fields[1]) == "":
		t.Ref = fields[1]
	case (mode == "upstream" || mode == "tracking") && fields[2] == t.Remote && checkRef(fields[3]) == "":
		t.Ref = fields[3]
	}
	return nil
}

func (r *Repo) setOld(ctx context.Context, t *Target) error {
	if t.Ref == "" {
		return nil
	}
	tracking, err := r.tracking.refFor(ctx, t.URL, t.Ref)
	if err != nil || tracking == "" {
		return err
	}
	id, err := r.Ref(ctx, tracking)
	if id != "" {
		t.Old = id
	}
	return err
}

// Contains reports whether commit is new or is reachable from it.
func (r *Repo) Contains(ctx context.Context, new, commit string) (bool, error) {
	base, err := r.git.mergeBase(ctx, new, commit)
	return base == commit, err
}

// DefaultTips are the commits whose lanes judge a ref without lanes, the nearest
// first: of the default branch at a URL if it is known, otherwise of the local
// branch of that name.
func (r *Repo) DefaultTips(ctx context.Context, url string) ([]string, error) {
	counts, _, err := r.tracking.remotesOf(ctx, url)
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, m := range counts {
		for _, pattern := range m.into {
			refs = append(refs, strings.Replace(pattern, "*", "HEAD", 1))
		}
	}
	name, _ := r.git.run(ctx, "config", "--get", "init.defaultBranch") // not set: the usual names
	for _, branch := range []string{name, "main", "master"} {
		if full := "refs/heads/" + branch; checkRef(full) == "" {
			tracking, err := r.tracking.refFor(ctx, url, full)
			if err != nil {
				return nil, err
			}
			refs = append(refs, tracking)
		}
	}
	for _, branch := range []string{name, "main", "master"} {
		refs = append(refs, "refs/heads/"+branch)
	}
	return r.tipsOf(ctx, refs)
}

// tipsOf are the commits at refs, each once; refs that are not there are
// passed over.
func (r *Repo) tipsOf(ctx context.Context, refs []string) ([]string, error) {
	var tips []string
	for _, ref := range refs {
		if checkRef(ref) != "" {
			continue
		}
		id, err := r.Ref(ctx, ref)
		if err == nil && id != "" {
			id, err = r.Commit(ctx, id)
		}
		if err != nil {
			return nil, err
		}
		if id != "" && !slices.Contains(tips, id) {
			tips = append(tips, id)
		}
	}
	return tips, nil
}
