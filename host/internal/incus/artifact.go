package incus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pkg/sftp"
)

const (
	maxArtifacts = 1000    // files of one container
	maxSeen      = 100_000 // names looked at
	maxDepth     = 64
	maxPatterns  = 64
)

// pattern is an absolute path, segment by segment: path.Match in each, "**"
// for any number of folders. One that names a folder means all files in it.
type pattern []string

func parsePattern(text string) (pattern, error) {
	if !path.IsAbs(text) || path.Clean(text) != text || text == "/" || len(text) > 1024 || strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("artifact %q is not a clean absolute path", short(text, 80))
	}
	segments := strings.Split(text[1:], "/")
	for _, s := range segments {
		if _, err := path.Match(s, "x"); err != nil {
			return nil, fmt.Errorf("artifact %q is not a valid pattern", short(text, 80))
		}
	}
	if top := segments[0]; slices.Contains([]string{"proc", "sys", "dev"}, top) || strings.ContainsAny(top, "*?[") {
		return nil, fmt.Errorf("artifact %q begins with a pattern or in /proc, /sys or /dev", short(text, 80))
	}
	return segments, nil
}

func (p *plan) checkArtifacts() error {
	switch {
	case len(p.Artifacts)+len(p.Reads) > maxPatterns:
		return fmt.Errorf("it names %d artifacts (at most %d)", len(p.Artifacts)+len(p.Reads), maxPatterns)
	case len(p.Artifacts)+len(p.Reads) > 0 && p.Keep == nil:
		return errors.New("it names artifacts, but nothing receives them")
	}
	for _, text := range slices.Concat(p.Artifacts, p.Reads) {
		pat, err := parsePattern(text)
		if err != nil {
			return err
		}
		p.patterns = append(p.patterns, pat)
	}
	return nil
}

// Meant reports whether a pattern of artifacts means a file, by the name that a
// sink gets.
func Meant(text, name string) bool {
	pat, err := parsePattern(text)
	meant := false
	if err == nil {
		meant, _ = pat.match(strings.Split(name, "/"))
	}
	return meant
}

// match says whether name, segment by segment, is meant (or lies in a folder
// that is), and whether something below it could be.
func (p pattern) match(name []string) (meant, below bool) {
	if len(p) == 0 {
		return true, true
	}
	if len(name) == 0 {
		return p[0] == "**" && len(p) == 1, true
	}
	if p[0] == "**" {
		m1, b1 := p[1:].match(name)
		m2, b2 := p.match(name[1:])
		if len(p) == 1 {
			return true, true
		}
		return m1 || m2, b1 || b2
	}
	if ok, _ := path.Match(p[0], name[0]); !ok {
		return false, false
	}
	return p[1:].match(name[1:])
}

// collector walks one container's files over SFTP. The container is hostile
// ground: links are never followed, nothing but regular files is opened, and
// names, counts and bytes have limits.
type collector struct {
	ctx   context.Context
	files *sftp.Client
	plan  plan
	seen  int
	names []string
}

// collect hands every artifact to the sink and returns their names, sorted.
func (b *box) collect(ctx context.Context, p plan) ([]string, error) {
	if len(p.patterns) == 0 {
		return nil, nil
	}
	files, err := await(ctx, func() (*sftp.Client, error) { return b.c.conn.srv.GetInstanceFileSFTP(b.name) })
	if err != nil {
		return nil, broke("fetch artifacts from "+b.name, err)
	}
	// A close that hangs must not delay the run.
	defer func() { go files.Close() }()
	walk := &collector{ctx: ctx, files: files, plan: p}
	_, err = await(ctx, func() (struct{}, error) { return struct{}{}, walk.dir(nil) })
	if err != nil {
		return nil, err
	}
	slices.Sort(walk.names)
	return walk.names, nil
}

func (w *collector) dir(segments []string) error {
	switch {
	case w.ctx.Err() != nil:
		return context.Cause(w.ctx)
	case len(segments) > maxDepth:
		return w.tooMuch(fmt.Errorf("folders more than %d deep", maxDepth))
	}
	entries, err := w.entries(segments)
	if err != nil {
		return nil // deleted, or not readable: missing
	}
	slices.SortFunc(entries, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if w.seen++; w.seen > maxSeen {
			return w.tooMuch(fmt.Errorf("more than %d names to check", maxSeen))
		}
		if err := w.entry(append(slices.Clone(segments), e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

// entries lists a folder. At the top only what the patterns name is looked
// at, so that nothing else of the container is touched.
func (w *collector) entries(segments []string) ([]fs.FileInfo, error) {
	if len(segments) > 0 {
		return w.files.ReadDirContext(w.ctx, "/"+strings.Join(segments, "/"))
	}
	var tops []string
	for _, p := range w.plan.patterns {
		if !slices.Contains(tops, p[0]) {
			tops = append(tops, p[0])
		}
	}
	var found []fs.FileInfo
	for _, top := range tops {
		if info, err := w.files.Lstat("/" + top); err == nil {
			found = append(found, info)
		}
	}
	return found, nil
}

func (w *collector) entry(segments []string, info fs.FileInfo) error {
	name := segments[len(segments)-1]
	if name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return nil
	}
	meant, below := false, false
	for _, p := range w.plan.patterns {
		m, b := p.match(segments)
		meant, below = meant || m, below || b
	}
	switch {
	case info.Mode().IsDir() && below:
		return w.dir(segments)
	case info.Mode().IsRegular() && meant:
		return w.file(segments)
	}
	return nil
}

func (w *collector) file(segments []string) error {
	full := "/" + strings.Join(segments, "/")
	f, err := w.files.Open(full)
	if err != nil {
		return nil // deleted meanwhile
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil // exchanged meanwhile
	}
	if len(w.names) == maxArtifacts {
		return w.tooMuch(fmt.Errorf("more than %d files", maxArtifacts))
	}
	name := full[1:]
	if err := w.plan.Keep.Keep(name, info.Size(), packets{f}); err != nil {
		return fmt.Errorf("cannot store artifact %s: %w", full, err)
	}
	w.names = append(w.names, name)
	return nil
}

// packets reads what one packet holds at a time. Incus opens its client with
// larger packets than its server sends; a read over several of them takes the
// first short one for the end of the file.
type packets struct{ f *sftp.File }

func (p packets) Read(b []byte) (int, error) { return p.f.Read(b[:min(len(b), 32<<10)]) }

func (w *collector) tooMuch(err error) error {
	return failed(fmt.Sprintf("fetch artifacts of container %q", w.plan.ID), err,
		"name fewer or smaller files in artifacts")
}
