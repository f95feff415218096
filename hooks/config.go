package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	format "github.com/go-git/go-git/v5/plumbing/format/config"
)

// config is a repository's own configuration: values by "section.key" or
// "section.subsection.key", section and key in lower case. Included files are
// not in it: git too decides on a repository's format without them.
type config map[string][]string

// config reads the configuration as it is now: a remote may be added or the format
// may change while a Repo is open.
func (g *gitCommand) config(ctx context.Context) (config, error) {
	c, err := readConfig(ctx, g.env, g.place)
	if err != nil {
		return nil, err
	}
	return c, c.checkFormat(g.place.common)
}

func readConfig(ctx context.Context, env Env, p place) (config, error) {
	c := make(config)
	if err := c.read(ctx, env, filepath.Join(p.common, "config")); err != nil {
		return nil, err
	}
	if c.isTrue("extensions.worktreeconfig") {
		if err := c.read(ctx, env, filepath.Join(p.git, "config.worktree")); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// read adds one file. What go-git's reader does not take, git itself is asked
// for.
func (c config) read(ctx context.Context, env Env, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the repository's configuration: %w", err)
	}
	raw := format.New()
	if err := format.NewDecoder(bytes.NewReader(text)).Decode(raw); err != nil {
		return c.readByGit(ctx, env, path)
	}
	for _, s := range raw.Sections {
		c.add(s.Name, s.Options)
		for _, ss := range s.Subsections {
			c.add(strings.ToLower(s.Name)+"."+ss.Name, ss.Options)
		}
	}
	return nil
}

func (c config) add(section string, options format.Options) {
	if !strings.Contains(section, ".") {
		section = strings.ToLower(section)
	}
	for _, o := range options {
		key := section + "." + strings.ToLower(o.Key)
		c[key] = append(c[key], o.Value)
	}
}

func (c config) readByGit(ctx context.Context, env Env, path string) error {
	out, err := runGit(ctx, env, nil, "config", "--file", path, "--null", "--list")
	if err != nil {
		return fmt.Errorf("cannot read the repository's configuration: %w", err)
	}
	for _, item := range strings.Split(string(out), "\x00") {
		key, value, ok := strings.Cut(item, "\n")
		if key != "" {
			if !ok {
				value = "true"
			}
			c[key] = append(c[key], value)
		}
	}
	return nil
}

// last is the value that counts, "" when the key is not there.
func (c config) last(key string) string {
	if v := c[key]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// isTrue reads a git boolean; a key without a value is true.
func (c config) isTrue(key string) bool {
	if len(c[key]) == 0 {
		return false
	}
	switch v := strings.ToLower(c.last(key)); v {
	case "", "true", "yes", "on":
		return true
	default:
		n, err := strconv.Atoi(v)
		return err == nil && n != 0
	}
}

// partial tells whether objects may be missing that a remote has promised.
func (c config) partial() bool {
	if len(c["extensions.partialclone"]) > 0 {
		return true
	}
	for key := range c {
		if strings.HasPrefix(key, "remote.") && strings.HasSuffix(key, ".promisor") && c.isTrue(key) {
			return true
		}
	}
	return false
}

// checkFormat refuses a repository whose objects or refs would be misread.
// The accepted extensions change neither.
func (c config) checkFormat(dir string) error {
	version := c.last("core.repositoryformatversion")
	if version != "" && version != "0" && version != "1" {
		return &FormatError{dir, "repository format version " + quote(version) + " is unknown", "upgrade pushlane"}
	}
	for key := range c {
		name, ok := strings.CutPrefix(key, "extensions.")
		if !ok {
			continue
		}
		if err := checkExtension(dir, name, strings.ToLower(c.last(key))); err != nil {
			return err
		}
	}
	return nil
}

func checkExtension(dir, name, value string) error {
	switch name {
	case "noop", "noop-v1", "preciousobjects", "partialclone", "worktreeconfig", "relativeworktrees":
		return nil
	case "objectformat":
		if value == "sha1" {
			return nil
		}
		return &FormatError{dir, "its object ids are " + quote(value) + ", only SHA-1 repositories can be judged",
			"make a SHA-1 repository with: git init --object-format=sha1"}
	case "refstorage":
		if value == "files" {
			return nil
		}
		return &FormatError{dir, "its refs are stored as " + quote(value) + ", only files can be read",
			"change it with: git refs migrate --ref-format=files"}
	}
	return &FormatError{dir, "repository extension " + quote(name) + " is unknown", "upgrade pushlane"}
}

// SetConfig sets one key of the repository's own configuration.
func SetConfig(ctx context.Context, env Env, key, value string) error {
	p, err := findPlace(env)
	if err != nil {
		return err
	}
	if _, err := runGit(ctx, env, nil, "config", "--file", filepath.Join(p.common, "config"), key, value); err != nil {
		return fmt.Errorf("cannot set %s: %w", key, err)
	}
	return nil
}

// The key that makes git ask the proc-receive hook, and the value with which
// it does so for every ref.
const (
	PerRefKey   = "receive.procReceiveRefs"
	PerRefValue = "refs"
)

// Config returns every value of a key in the repository's own configuration.
func Config(ctx context.Context, env Env, key string) ([]string, error) {
	p, err := findPlace(env)
	if err != nil {
		return nil, err
	}
	c, err := readConfig(ctx, env, p)
	return c[strings.ToLower(key)], err
}

// configMatching lists the settings of all configuration files whose keys match,
// each key with its value, in the order in which git reads them.
func (g *gitCommand) configMatching(ctx context.Context, pattern string) ([][2]string, error) {
	out, err := g.run(ctx, "config", "--null", "--get-regexp", pattern)
	var failed *gitError
	if errors.As(err, &failed) && failed.status == 1 {
		return nil, nil // none is set
	}
	if err != nil {
		return nil, err
	}
	var all [][2]string
	for _, item := range strings.Split(out, "\x00") {
		if key, value, _ := strings.Cut(item, "\n"); key != "" {
			all = append(all, [2]string{key, value})
		}
	}
	return all, nil
}
