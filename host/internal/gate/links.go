package gate

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/pushlane/pushlane/hooks"
	"github.com/pushlane/pushlane/lanes"
)

// Bounds of looking for links: a name with more folders, or behind more links
// in a row (which git and the kernel refuse, too), is taken as it is written.
const (
	maxLinkDepth = 64
	maxLinkHops  = 40
)

// Reached finds what the patterns of a lanes file reach through symbolic links
// of the judged tree, and of the one it is compared with: by what a pattern
// names, the links on the way and what is behind the last one.
func Reached(ctx context.Context, repo *hooks.Repo, set *lanes.Set, revs ...string) (map[string][]string, error) {
	all := map[string][]string{}
	names := set.Literals()
	for _, rev := range revs {
		if hooks.IsZero(rev) || len(names) == 0 {
			continue
		}
		tree, err := repo.Tree(ctx, rev)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			places, err := throughLinks(tree, name)
			if err != nil {
				return nil, err
			}
			if len(places) > 0 {
				all[name] = append(all[name], places...)
			}
		}
	}
	return all, nil
}

// throughLinks walks to a name and lists the links on the way and where it
// ends; none where there is no link on the way. What is outside of the tree is
// not listed.
func throughLinks(tree *hooks.Tree, name string) (places []string, err error) {
	rest, at := strings.Split(name, "/"), "."
	for hops := 0; len(rest) > 0 && len(rest) <= maxLinkDepth; {
		next := path.Join(at, rest[0])
		info, err := tree.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
			return end(places, path.Join(next, path.Join(rest[1:]...))), nil
		case err != nil:
			return nil, err
		case info.Mode()&fs.ModeSymlink == 0:
			at, rest = next, rest[1:]
			continue
		}
		places = append(places, next)
		target, err := tree.ReadLink(next)
		if err != nil {
			return nil, err
		}
		to := path.Join(at, target)
		if hops++; hops > maxLinkHops || path.IsAbs(target) || to == ".." || strings.HasPrefix(to, "../") {
			return places, nil
		}
		if at = "."; to == "." {
			rest = rest[1:]
		} else {
			rest = append(strings.Split(to, "/"), rest[1:]...)
		}
	}
	return end(places, path.Join(at, path.Join(rest...))), nil
}

// end adds where a name ends, if a link led there.
func end(places []string, at string) []string {
	if len(places) == 0 {
		return nil
	}
	return append(places, at)
}
