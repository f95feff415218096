package hooks

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// remote is one remote of the configuration, with the URLs that git uses.
type remote struct {
	name  string
	fetch []string // URLs that it is fetched from
	push  []string // URLs that it is pushed to
	into  []string // refs/remotes/… patterns that it is fetched into
	heads []string // the refs that go into them, pattern by pattern
}

// only tells whether the remote is that URL and no other: what its
// remote-tracking refs say is then known of the URL.
func (m remote) only(url string) bool {
	other := func(u string) bool { return u != url }
	return len(m.fetch) > 0 && !slices.ContainsFunc(m.fetch, other) && !slices.ContainsFunc(m.push, other)
}

// writes tells whether fetching the remote writes the ref.
func (m remote) writes(ref string) bool {
	return slices.ContainsFunc(m.into, func(pattern string) bool { return globMatch(pattern, ref) })
}

// globMatch matches a refspec's side, which has at most one "*".
func globMatch(pattern, ref string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	return !wild && pattern == ref || wild && len(ref) > len(before)+len(after) && strings.HasPrefix(ref, before) &&
		strings.HasSuffix(ref, after)
}

// tracking is what the remotes of a repository, and the refs that fetching them
// writes, say of a URL.
type tracking struct {
	place place
	git   *gitCommand
	refs  *refFiles
}

// remotes reads the remotes out of all configuration files, rewritten by
// url.*.insteadOf as git does.
func (t *tracking) remotes(ctx context.Context) ([]remote, error) {
	all, err := t.git.configMatching(ctx, `^(remote\..*\.(pushurl|url|fetch)|url\..*\.(pushinsteadof|insteadof))$`)
	if err != nil {
		return nil, fmt.Errorf("cannot read the remotes: %w", err)
	}
	c := make(config)
	for _, pair := range all {
		c[pair[0]] = append(c[pair[0]], pair[1])
	}
	return c.remotes(), nil
}

func (c config) remotes() []remote {
	byName := map[string]*remote{}
	for key := range c {
		name, ok := strings.CutPrefix(key, "remote.")
		if at := strings.LastIndexByte(name, '.'); ok && at > 0 {
			byName[name[:at]] = &remote{name: name[:at]}
		}
	}
	var all []remote
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		m := byName[name]
		for _, url := range c["remote."+name+".url"] {
			m.fetch = append(m.fetch, c.rewritten(url, ".insteadof"))
			if pushed := c.rewritten(url, ".pushinsteadof"); pushed != url {
				m.push = append(m.push, pushed)
			} else {
				m.push = append(m.push, c.rewritten(url, ".insteadof"))
			}
		}
		if urls := c["remote."+name+".pushurl"]; len(urls) > 0 {
			m.push = nil
			for _, url := range urls {
				m.push = append(m.push, c.rewritten(url, ".insteadof"))
			}
		}
		for _, spec := range c["remote."+name+".fetch"] {
			from, to, _ := strings.Cut(strings.TrimPrefix(spec, "+"), ":")
			if strings.HasPrefix(to, "refs/remotes/") && fs.ValidPath(to) {
				m.into, m.heads = append(m.into, to), append(m.heads, from)
			}
		}
		all = append(all, *m)
	}
	return all
}

// rewritten is a URL with its longest prefix that url.BASE.insteadOf names
// replaced by BASE.
func (c config) rewritten(url, key string) string {
	best, base := "", ""
	for name, prefixes := range c {
		to, ok := strings.CutPrefix(name, "url.")
		if to, ok = cutSuffix(to, key, ok); !ok {
			continue
		}
		for _, prefix := range prefixes {
			if strings.HasPrefix(url, prefix) && (len(prefix) > len(best) || best == "" && base == "") {
				best, base = prefix, to
			}
		}
	}
	if best == "" {
		return url
	}
	return base + url[len(best):]
}

func cutSuffix(s, suffix string, ok bool) (string, bool) {
	rest, has := strings.CutSuffix(s, suffix)
	return rest, ok && has
}

// remotesOf are the remotes whose remote-tracking refs say what is at a URL:
// all that they are fetched from and pushed to is that URL, and it was so when
// the refs were written.
func (t *tracking) remotesOf(ctx context.Context, url string) (counts, others []remote, err error) {
	all, err := t.remotes(ctx)
	if err != nil || url == "" {
		return nil, all, err
	}
	for _, m := range all {
		if m.only(url) && t.since(m.name, url) {
			counts = append(counts, m)
		} else {
			others = append(others, m)
		}
	}
	return counts, others, nil
}

// tips are the refs that say where the branches at a URL were. A
// remote's name says nothing, and neither does a ref that another remote, of
// another URL, writes too.
func (t *tracking) tips(ctx context.Context, url string) (map[string]plumbing.Hash, error) {
	counts, others, err := t.remotesOf(ctx, url)
	tips := make(map[string]plumbing.Hash)
	for _, m := range counts {
		for _, pattern := range m.into {
			before, _, _ := strings.Cut(pattern, "*")
			before = before[:strings.LastIndexByte(before, '/')+1]
			found, err := t.refs.list(before)
			if err != nil {
				return nil, err
			}
			maps.DeleteFunc(found, func(ref string, _ plumbing.Hash) bool {
				return !globMatch(pattern, ref) || slices.ContainsFunc(others, func(o remote) bool { return o.writes(ref) })
			})
			maps.Copy(tips, found)
		}
	}
	return tips, err
}

// refFor is the remote-tracking ref of a branch at a URL; "" where there is
// none that counts.
func (t *tracking) refFor(ctx context.Context, url, ref string) (string, error) {
	counts, others, err := t.remotesOf(ctx, url)
	for _, m := range counts {
		for i, from := range m.heads {
			if !globMatch(from, ref) {
				continue
			}
			before, after, _ := strings.Cut(from, "*")
			to := strings.Replace(m.into[i], "*", strings.TrimSuffix(strings.TrimPrefix(ref, before), after), 1)
			if !slices.ContainsFunc(others, func(o remote) bool { return o.writes(to) }) {
				return to, nil
			}
		}
	}
	return "", err
}

// remotesFile notes which URL each remote had when its refs last counted,
// lines of a name, a tab and a URL. It is in the directory that all worktrees
// share.
const remotesFile = "pushlane/remotes"

// since reports whether a remote's refs were written while it had this URL, as far
// as can be determined: it had it at the last check or when it was cloned, or it
// was fetched after that. The result is saved.
func (t *tracking) since(name, url string) bool {
	path := filepath.Join(t.place.common, remotesFile)
	noted := readRemotes(path)
	was, known := noted[name]
	if !known {
		was, known = t.clonedFrom(name)
	}
	if known && bareURL(was) != bareURL(url) && !t.fetchedFrom(url) {
		return false
	}
	if noted[name] != url {
		noted[name] = url
		writeRemotes(path, noted)
	}
	return true
}

func readRemotes(path string) map[string]string {
	noted := map[string]string{}
	text, err := os.ReadFile(path)
	if err != nil || len(text) > 1<<20 {
		return noted
	}
	for line := range strings.Lines(string(text)) {
		if name, url, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			noted[name] = url
		}
	}
	return noted
}

// writeRemotes notes the URLs. Where it cannot, the next push reads the same
// signs again.
func writeRemotes(path string, noted map[string]string) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(noted)) {
		if !strings.ContainsAny(name+noted[name], "\t\n") {
			fmt.Fprintf(&b, "%s\t%s\n", name, noted[name])
		}
	}
	if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = writeFile(path, b.String(), 0o644)
	}
}

// clonedFrom is the URL that the first line of a reflog of git clone names.
func (t *tracking) clonedFrom(name string) (string, bool) {
	path := filepath.Join(t.place.common, "logs", "refs", "remotes", filepath.FromSlash(name), "HEAD")
	f, err := os.Open(path)
	if err != nil || !fs.ValidPath(name) {
		return "", false
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, maxUpdateLine).ReadString('\n')
	_, message, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
	return strings.CutPrefix(message, "clone: from ")
}

// fetchedFrom tells whether the last git fetch was from a URL.
func (t *tracking) fetchedFrom(url string) bool {
	for _, dir := range []string{t.place.git, t.place.common} {
		text, err := os.ReadFile(filepath.Join(dir, "FETCH_HEAD"))
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			fields := strings.SplitN(strings.TrimSuffix(string(line), "\n"), "\t", 3)
			if len(fields) != 3 {
				continue
			}
			if at := strings.LastIndex(fields[2], "of "); at >= 0 && bareURL(fields[2][at+3:]) == bareURL(url) {
				return true
			}
		}
	}
	return false
}

// bareURL is a URL as git shows it: without a user, and without the end that
// git adds or leaves out.
func bareURL(url string) string {
	url = strings.TrimSuffix(strings.TrimRight(url, "/"), ".git")
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "", url
	}
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	return scheme + "://" + host + "/" + strings.TrimRight(path, "/")
}
