package hooks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxAlternates is how deep git follows alternates of alternates.
const maxAlternates = 5

// objectDirs lists the object directories in the order they are searched:
// GIT_OBJECT_DIRECTORY (in a receive hook the quarantine) or else the
// repository's own, then GIT_ALTERNATE_OBJECT_DIRECTORIES, each followed by
// its own alternates. Each appears once.
func objectDirs(env Env, common string) ([]string, error) {
	first := filepath.Join(common, "objects")
	if dir := env.get("GIT_OBJECT_DIRECTORY"); dir != "" {
		path, err := env.abs(dir)
		if err != nil {
			return nil, err
		}
		first = path
	}
	d := dirList{seen: make(map[string]bool)}
	if dir := env.get("GIT_QUARANTINE_PATH"); dir != "" {
		path, err := env.abs(dir)
		if err != nil {
			return nil, err
		}
		d.add(path)
	}
	d.add(first)
	for _, dir := range splitAlternates(env.get("GIT_ALTERNATE_OBJECT_DIRECTORIES"), os.PathListSeparator) {
		path, err := env.abs(dir)
		if err != nil {
			return nil, err
		}
		if err := d.follow(path, 0); err != nil {
			return nil, err
		}
	}
	if err := d.alternates(first, 0); err != nil {
		return nil, err
	}
	return d.dirs, nil
}

type dirList struct {
	dirs []string
	seen map[string]bool
}

func (d *dirList) add(dir string) bool {
	dir = filepath.Clean(dir)
	key := dir
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		key = real
	}
	if d.seen[key] {
		return false
	}
	d.seen[key] = true
	d.dirs = append(d.dirs, dir)
	return true
}

func (d *dirList) follow(dir string, depth int) error {
	if !d.add(dir) {
		return nil
	}
	return d.alternates(dir, depth)
}

// alternates follows a directory's info/alternates. A directory it names that
// is not there is passed over, as git does: what it held is then missing, and
// that is an error where it is needed.
func (d *dirList) alternates(dir string, depth int) error {
	text, err := os.ReadFile(filepath.Join(dir, "info", "alternates"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read alternates: %w", err)
	}
	if depth > maxAlternates {
		return fmt.Errorf("cannot follow the alternates of %s: nested more than %d deep", dir, maxAlternates)
	}
	for _, line := range splitAlternates(string(text), '\n') {
		if err := d.follow(join(dir, line), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// splitAlternates cuts a list of paths; a path that starts with a double
// quote is quoted as in C, and a line that starts with # is a comment.
func splitAlternates(list string, sep rune) []string {
	var out []string
	for list != "" {
		var item string
		if quoted, err := strconv.QuotedPrefix(list); err == nil && list[0] == '"' {
			item, _ = strconv.Unquote(quoted)
			list = list[len(quoted):]
			_, list, _ = strings.Cut(list, string(sep))
		} else {
			item, list, _ = strings.Cut(list, string(sep))
		}
		if item != "" && item[0] != '#' {
			out = append(out, item)
		}
	}
	return out
}
