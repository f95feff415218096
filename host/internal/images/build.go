package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/zone"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/sdk"
)

// Build is how an image is made by a recipe.
type Build struct {
	Recipe  lanes.Recipe
	Recipes map[string]lanes.Recipe // that it may be made of
	// Base finds what is not a recipe, in Incus.
	Base func(ctx context.Context, from string) (fingerprint string, err error)
	// Files gives the files of the repository that globs name; nil: a recipe cannot have any.
	Files    func(ctx context.Context, globs []string) (incus.Source, error)
	Zone     zone.Zone // whose images it may use and makes
	Deadline time.Time
	Refuse   error     // why nothing may be built; nil: it may
	Out      io.Writer // of the steps; nil: no one wants to know
}

// step is one layer of a recipe.
type step struct {
	title   string
	script  string
	network bool
	env     map[string]string
	source  incus.Source // nil: no files
	key     string       // of all that goes into it, and into the steps before
	alias   string
}

// buildVersion changes when steps are made in another way.
const buildVersion = "1"

// packageScript installs packages with what the image has for that.
const packageScript = `set -e
if command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -y -q --no-install-recommends "$@"
	rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
elif command -v apk >/dev/null; then
	apk add --no-cache "$@"
elif command -v dnf >/dev/null; then
	dnf install -y "$@"
	dnf clean all
else
	echo "the image has none of apt-get, apk and dnf to install packages with" >&2
	exit 1
fi
`

// Make is the image of a recipe, built as far as that was not done before.
func (i *Images) Make(ctx context.Context, b Build, need Need) (Found, error) {
	found := Found{Name: b.Recipe.Name}
	fingerprint, err := i.base(ctx, b, need)
	if err != nil {
		return found, fmt.Errorf("cannot build image %q: %w", b.Recipe.Name, err)
	}
	steps, err := b.steps(ctx, fingerprint)
	if err != nil {
		return found, fmt.Errorf("cannot build image %q: %w", b.Recipe.Name, err)
	}
	if len(steps) == 0 {
		found.Fingerprint = fingerprint
		return found, nil
	}
	found.Digest = "recipe:" + steps[len(steps)-1].key
	done, fingerprint, err := i.reached(ctx, steps, fingerprint)
	if err == nil && done < len(steps) {
		found.Pulled = true
		fingerprint, err = i.build(ctx, b, steps, done, fingerprint, need)
	}
	found.Fingerprint = fingerprint
	return found, err
}

// base is the image that a recipe begins with.
func (i *Images) base(ctx context.Context, b Build, need Need) (string, error) {
	if from, ok := b.Recipes[b.Recipe.From]; ok {
		b.Recipe = from
		found, err := i.Make(ctx, b, need)
		return found.Fingerprint, err
	}
	return b.Base(ctx, b.Recipe.From)
}

// steps lists what a recipe does, each named by all that went in: two lines of
// the same recipe never share what only one of them saw.
func (b Build) steps(ctx context.Context, base string) ([]step, error) {
	r := b.Recipe
	var steps []step
	if len(r.Packages) > 0 {
		words := strings.Join(r.Packages, " ")
		steps = append(steps, step{title: "packages " + words, script: "set -- " + words + "\n" + packageScript,
			network: true, env: r.Env})
	}
	var source incus.Source
	if len(r.Files) > 0 {
		if b.Files == nil {
			return nil, errors.New("it takes files of a repository, and there is none here")
		}
		var err error
		if source, err = b.Files(ctx, r.Files); err != nil {
			return nil, err
		}
	}
	for _, script := range r.Run {
		steps = append(steps, step{title: firstLine(script), script: "set -e\n" + script, network: r.Network, env: r.Env,
			source: source})
	}
	if len(steps) == 0 && len(r.Env) > 0 {
		steps = append(steps, step{title: "env", script: ":", env: r.Env})
	}
	key := base
	for k := range steps {
		key = steps[k].after(key)
		steps[k].key, steps[k].alias = key, stepAlias(b.Zone.Trust, key)
	}
	return steps, nil
}

// after is the key of the step that follows on a key.
func (s step) after(key string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00%q\x00%t\x00", buildVersion, key, s.script, s.network)
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		fmt.Fprintf(sum, "%q=%q\x00", name, s.env[name])
	}
	if s.source != nil {
		fmt.Fprintf(sum, "files %s", s.source.ID())
	}
	return hex.EncodeToString(sum.Sum(nil)[:20])
}

func firstLine(script string) string {
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" {
			if len(line) > 60 {
				line = strings.ToValidUTF8(line[:60], "") + "…"
			}
			return line
		}
	}
	return "nothing"
}

// Source is files of a repository.
type Source = incus.Source

// Matching reports whether one of a recipe's globs is for a path.
func Matching(patterns []string) func(path string) bool {
	var globs []lanes.Glob
	for _, p := range patterns {
		if g, err := lanes.ParseGlob(p); err == nil { // the lanes file was checked
			globs = append(globs, g)
		}
	}
	return func(path string) bool {
		return slices.ContainsFunc(globs, func(g lanes.Glob) bool { return g.Match(path) })
	}
}

// Base is an image that a recipe of the owner's begins with, as it is pinned.
func (i *Images) Base(ctx context.Context, text string, lock *lanes.Lock, need Need) (string, error) {
	n, named, err := i.Name(text)
	if err != nil {
		return "", err
	}
	if !named {
		return i.Incus.Images().Fingerprint(ctx, text, i.Policy.IncusImages)
	}
	if n.Digest == "" {
		n.Digest = lock.Image(n.Tagged())
	}
	found, err := i.Get(ctx, n, need)
	return found.Fingerprint, err
}

// stepAlias names a step. What runs of unprotected refs built is theirs alone.
func stepAlias(t zone.Trust, key string) string {
	if t == zone.Unprotected {
		return stepPrefix + "u-" + key
	}
	return stepPrefix + "p-" + key
}

const stepPrefix = "step-"

// reached finds the last step that is there already.
func (i *Images) reached(ctx context.Context, steps []step, base string) (int, string, error) {
	for k := len(steps); k > 0; k-- {
		for _, name := range steps[k-1].names() {
			a, err := i.Incus.Images().Alias(ctx, name)
			if err == nil {
				return k, a.Fingerprint, nil
			}
			if !errors.Is(err, incus.ErrNoImage) {
				return 0, "", err
			}
		}
	}
	return 0, base, nil
}

// names are the aliases under which a step may be there, the trusted one first.
func (s step) names() []string {
	return slices.Compact([]string{stepAlias(zone.Protected, s.key), s.alias})
}

// build does the steps that are missing.
func (i *Images) build(ctx context.Context, b Build, steps []step, done int, from string, need Need) (string, error) {
	fail := func(err error) error { return fmt.Errorf("cannot build image %q: %w", b.Recipe.Name, err) }
	if b.Refuse != nil {
		return "", fail(b.Refuse)
	}
	if err := i.mayBuild(steps[done:]); err != nil {
		return "", fail(err)
	}
	if _, err := i.room(ctx, b.Recipe.Name); err != nil {
		return "", err
	}
	release, err := i.alone(ctx, "recipe "+steps[len(steps)-1].key)
	if err != nil {
		return "", err
	}
	defer release()
	for k := done; k < len(steps); k++ {
		s := steps[k]
		need.say("build image %s, step %d of %d: %s", b.Recipe.Name, k+1, len(steps), s.title)
		if from, err = i.step(ctx, b, s, from); err != nil {
			return "", fail(fmt.Errorf("step %d of %d (%s) %w", k+1, len(steps), s.title, err))
		}
		if err := i.Incus.Images().SetAlias(ctx, incus.Alias{Name: s.alias, Fingerprint: from,
			Description: fmt.Sprintf("%s, step %d of %d", b.Recipe.Name, k+1, len(steps))}); err != nil {
			return "", fail(err)
		}
	}
	return from, i.warm(ctx, from)
}

// mayBuild refuses what would fail after minutes of trying.
func (i *Images) mayBuild(steps []step) error {
	if slices.ContainsFunc(steps, func(s step) bool { return s.network }) && len(i.Policy.IncusNetworks) == 0 {
		return problem.WithHint(errors.New("it needs a network, and this host does not allow network access"),
			`./install.sh --network, and in [incus] of the policy: networks = ["pushlane0"]`)
	}
	return nil
}

// step runs one step and makes an image of what it leaves.
func (i *Images) step(ctx context.Context, b Build, s step, from string) (string, error) {
	c := sdk.Container{ID: "image", Image: "default", Command: []string{"/bin/sh", "-c", s.script}, User: "root",
		Env: s.env, Network: s.network}
	spec := incus.Spec{Container: c, Found: from, Address: "image:" + b.Recipe.Name, Zone: b.Zone, Attempt: 1,
		Deadline: b.Deadline, Source: s.source, Max: i.Policy.ContainerLimits()}
	ended, fingerprint, err := i.Incus.Build(ctx, spec, s.env, b.Out, b.Out)
	if err != nil {
		return "", err
	}
	if fingerprint == "" {
		return "", stepError(b.Recipe, s, ended)
	}
	return fingerprint, nil
}

// stepError says how a step failed, with its last line, and what it lacked.
func stepError(r lanes.Recipe, s step, ended incus.Ended) error {
	err := errors.New(ended.Failure())
	if line := lastLine(ended.Tail); line != "" {
		err = fmt.Errorf("%s: %s", ended.Failure(), line)
	}
	if !s.network && unresolved(ended.Tail) {
		return problem.WithHint(err, fmt.Sprintf("the step had no network; write in [image.%s]: network = true", r.Name))
	}
	return problem.WithHint(err, "the steps before it are saved, and not repeated")
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for k := len(lines) - 1; k >= 0; k-- {
		if line := strings.TrimSpace(lines[k]); line != "" && !strings.HasPrefix(line, "pushlane: ") {
			return line
		}
	}
	return ""
}

// unresolved reports whether a program could not look a name up.
func unresolved(text string) bool {
	return slices.ContainsFunc([]string{"EAI_AGAIN", "Temporary failure in name resolution", "Could not resolve host",
		"Temporary failure resolving", "bad address", "server misbehaving", "Name or service not known"},
		func(words string) bool { return strings.Contains(text, words) })
}
