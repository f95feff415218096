package wasm

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/pushlane/pushlane/lanes/plaintext"
	"github.com/pushlane/pushlane/sdk"
)

// manifestSection is the custom section that holds the manifest's TOML text.
const manifestSection = "lane.manifest"

// maxManifest is the longest manifest in bytes. Readers of TOML and of schemas
// call themselves for everything that is nested: a few megabytes of brackets
// take a gigabyte of stack, which ends the process.
const maxManifest = 64 << 10

// maxPatterns is how many globs, hosts or names one list of a manifest may have:
// each is held against every path.
const maxPatterns = 1000

// ManifestHint is what helps a module whose manifest is wrong.
const ManifestHint = "fix the manifest, then: pushlane plugin pack"

// packHint is what helps a module without a usable manifest.
const packHint = "add one with: pushlane plugin pack IN.wasm OUT.wasm"

var (
	manifestName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	outputs      = []string{"jsonl", "sarif", "gnu", "text"}
	inputs       = []string{"run", "gate", "update", "changes", "commits"}
)

// Capabilities are all that a manifest may ask for.
func Capabilities() []string {
	return []string{"repo.read", "repo.history", "container", "container.network", "http", "secret", "kv", "clock", "env"}
}

// scoped are the capabilities that reach only what their scope lists. Without
// a scope repo.read reaches all, and the others nothing.
var scoped = []string{"repo.read", "http", "secret", "env"}

// Pack puts a manifest, TOML text, into a module in place of the one it may
// have. The result is the plugin: one file, one digest.
func Pack(module, manifest []byte) ([]byte, error) {
	if _, err := parseManifest(manifest); err != nil {
		return nil, fmt.Errorf("cannot pack plugin: %w", err)
	}
	sections, err := split(module)
	if err != nil {
		return nil, fmt.Errorf("cannot pack plugin: %w", err)
	}
	out := slices.Clone(module[:8])
	for _, s := range sections {
		if s.id != 0 || s.name != manifestSection {
			out = append(out, module[s.start:s.end]...)
		}
	}
	body := appendName(nil, manifestSection)
	body = append(body, manifest...)
	out = appendSection(out, 0, body)
	// What is packed can be loaded, or the author hears of it now.
	if _, err := check(out); err != nil {
		return nil, fmt.Errorf("cannot pack plugin: %w", err)
	}
	return out, nil
}

// ReadManifest reads a module's manifest without compiling the module.
func ReadManifest(module []byte) (sdk.Manifest, error) {
	sections, err := split(module)
	if err != nil {
		return sdk.Manifest{}, err
	}
	return manifestOf(module, sections)
}

// HasManifest reports whether a module has a manifest, be it a wrong one. What
// is not a module has none to be put in, and counts as one that has.
func HasManifest(module []byte) bool {
	sections, err := split(module)
	return err != nil || slices.ContainsFunc(sections,
		func(s section) bool { return s.id == 0 && s.name == manifestSection })
}

func manifestOf(module []byte, sections []section) (sdk.Manifest, error) {
	var text []byte
	found := 0
	for _, s := range sections {
		if s.id == 0 && s.name == manifestSection {
			text = module[s.body:s.end]
			found++
		}
	}
	switch {
	case found == 0:
		return sdk.Manifest{}, &FormatError{Msg: "it has no manifest (custom section lane.manifest)", Help: packHint}
	case found > 1:
		return sdk.Manifest{}, &FormatError{Msg: fmt.Sprintf(
			"it has %d manifests (custom section lane.manifest), one is allowed", found), Help: packHint}
	}
	return parseManifest(text)
}

// parseManifest reads the text strictly: unknown keys, capabilities and
// outputs are errors. The ABI number is judged by who loads it, the schema by
// package settings.
func parseManifest(text []byte) (sdk.Manifest, error) {
	var m sdk.Manifest
	if len(text) > maxManifest {
		return m, manifestError("it is %d bytes long, at most %d are allowed", len(text), maxManifest)
	}
	text, err := plaintext.Of(text)
	if err != nil {
		return m, manifestError("%v", err)
	}
	dec := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, manifestError("%s", tomlMessage(err))
	}
	switch {
	case !manifestName.MatchString(m.Name):
		return m, manifestError("name %q is not of the form [a-z0-9][a-z0-9_-]*, at most 63 long", m.Name)
	case m.ABI < 1:
		return m, manifestError("abi is missing; this host speaks %d", sdk.ABI)
	case !slices.Contains(outputs, m.Output):
		return m, manifestError("output %q is not one of %s", m.Output, strings.Join(outputs, ", "))
	}
	for _, key := range m.Input {
		if !slices.Contains(inputs, key) {
			return m, manifestError("input %q is not one of %s", key, strings.Join(inputs, ", "))
		}
	}
	for name, keys := range m.InputIf {
		for _, key := range keys {
			if !slices.Contains(inputs, key) {
				return m, manifestError("input_if.%s %q is not one of %s", name, key, strings.Join(inputs, ", "))
			}
		}
		if m.Input == nil {
			return m, manifestError("input_if goes with input")
		}
	}
	if err := checkTool(m); err != nil {
		return m, err
	}
	seen := map[string]bool{}
	for _, c := range m.Capabilities {
		if !slices.Contains(Capabilities(), c.Name) {
			return m, manifestError("capability %q is not one of %s", c.Name, strings.Join(Capabilities(), ", "))
		}
		if err := checkScope(c); err != nil {
			return m, err
		}
		if seen[c.Name] {
			return m, manifestError("capability %q is requested twice", c.Name)
		}
		seen[c.Name] = true
	}
	return m, nil
}

// checkTool holds the tool table against the rest of the manifest.
func checkTool(m sdk.Manifest) error {
	if m.Tool == nil {
		return nil
	}
	changed := 0
	for _, arg := range m.Tool.Args {
		if arg == "{changed}" {
			changed++
		}
		if arg != "{changed}" && strings.Contains(arg, "{changed}") {
			return manifestError("tool: {changed} is an argument of its own, not a part of %q", arg)
		}
		if strings.IndexByte(arg, 0) >= 0 {
			return manifestError("tool: an argument holds a NUL byte")
		}
	}
	reads := slices.ContainsFunc(m.Capabilities, func(c sdk.Capability) bool { return c.Name == "repo.read" })
	switch {
	case m.Output == "jsonl":
		return manifestError("a tool does not print records: output is sarif, gnu or text")
	case len(m.Tool.Files) > maxPatterns:
		return manifestError("tool: files has %d globs, at most %d are allowed", len(m.Tool.Files), maxPatterns)
	case changed > 1:
		return manifestError("tool: {changed} may appear once")
	case (changed > 0 || len(m.Tool.Files) > 0) && !reads:
		return manifestError("tool: the changed files need the capability repo.read")
	}
	for _, status := range m.Tool.Fail {
		if status < 1 || status > 255 {
			return manifestError("tool: exit status %d is not between 1 and 255", status)
		}
	}
	return nil
}

func checkScope(c sdk.Capability) error {
	switch {
	case len(c.Scope) > 0 && !slices.Contains(scoped, c.Name):
		return manifestError("capability %q has no scope", c.Name)
	case len(c.Scope) > maxPatterns:
		return manifestError("capability %q has a scope of %d items, at most %d are allowed", c.Name, len(c.Scope),
			maxPatterns)
	case len(c.Scope) == 0 && c.Name != "repo.read" && slices.Contains(scoped, c.Name):
		return manifestError("capability %q needs a scope: what it reaches, or [\"*\"] for everything "+
			"that the lane grants", c.Name)
	}
	return nil
}

func manifestError(format string, args ...any) error {
	return &FormatError{Msg: "its manifest is wrong: " + fmt.Sprintf(format, args...), Help: ManifestHint}
}

// tomlMessage is the first fault with its line.
func tomlMessage(err error) string {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := unknown.Errors[0]
		line, _ := first.Position()
		return fmt.Sprintf("line %d: unknown key %q", line, strings.Join(first.Key(), "."))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, _ := decode.Position()
		return fmt.Sprintf("line %d: %s", line, strings.TrimPrefix(decode.Error(), "toml: "))
	}
	return err.Error()
}
