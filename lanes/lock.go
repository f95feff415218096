package lanes

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	tomlv2 "github.com/pelletier/go-toml/v2"

	"github.com/pushlane/pushlane/lanes/plaintext"
)

// Lock is a lanes.lock: the third-party plugins that lanes can use, each pinned to
// one module and to its capabilities, and the images of registries, each pinned to
// its content.
type Lock struct {
	Version int           `toml:"version"`
	Plugins []Locked      `toml:"plugin,omitempty"`
	Images  []LockedImage `toml:"image,omitempty"`
}

// Locked is one pinned plugin.
type Locked struct {
	Name      string `toml:"name"`
	Source    string `toml:"source"`                   // where updates are looked for
	Resolved  string `toml:"resolved,omitempty"`       // where this very module was found
	SHA256    string `toml:"sha256"`                   // of the module, hex
	PluginVer string `toml:"plugin_version,omitempty"` // an update that is not newer is held
	// who signed it, as checked when it was added; empty: no one
	Signer string `toml:"signer,omitempty"`
	// fingerprint of the SSH key that signed it; an update by another is held
	SignerKey    string       `toml:"signer_key,omitempty"`
	Capabilities []Granted    `toml:"capability,omitempty"`
	Held         *HeldVersion `toml:"held,omitempty"` // an update that waits for approval
}

// Granted is a capability that was approved for the pinned module.
type Granted struct {
	Name  string   `toml:"name"`
	Why   string   `toml:"why,multiline,omitempty"`
	Scope []string `toml:"scope,omitempty"`
}

// HeldVersion is an update that is not approved yet.
type HeldVersion struct {
	Resolved     string    `toml:"resolved,omitempty"`
	SHA256       string    `toml:"sha256"`
	PluginVer    string    `toml:"plugin_version,omitempty"`
	Signer       string    `toml:"signer,omitempty"`
	SignerKey    string    `toml:"signer_key,omitempty"`
	Capabilities []Granted `toml:"capability,omitempty"`
}

var lockDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ReadLock reads a lock file; unknown keys are errors. Source is the name used in
// errors.
func ReadLock(source string, data []byte) (*Lock, error) {
	fail := func(format string, args ...any) error {
		return &FormatError{File: source, Msg: fmt.Sprintf(format, args...)}
	}
	if len(data) > MaxFile {
		return nil, fail("it has %d bytes, at most %d are allowed", len(data), MaxFile)
	}
	data, err := plaintext.Of(data)
	if err != nil {
		return nil, fail("%v", err)
	}
	var lock Lock
	err = tomlv2.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&lock)
	var strict *tomlv2.StrictMissingError
	var wrong *tomlv2.DecodeError
	switch {
	case errors.As(err, &strict):
		line, _ := strict.Errors[0].Position()
		return nil, &FormatError{File: source, Line: line,
			Msg: fmt.Sprintf("unknown key %q", strings.Join(strict.Errors[0].Key(), "."))}
	case errors.As(err, &wrong):
		line, _ := wrong.Position()
		return nil, &FormatError{File: source, Line: line, Msg: strings.TrimPrefix(wrong.Error(), "toml: ")}
	case err != nil:
		return nil, fail("%v", err)
	case lock.Version != 1:
		return nil, fail("version is %d, this pushlane knows version 1", lock.Version)
	}
	seen := map[string]bool{}
	for _, p := range lock.Plugins {
		switch {
		case !validID(p.Name):
			return nil, fail("bad plugin name %q: %s", p.Name, idRule)
		case seen[p.Name]:
			return nil, fail("plugin %q is there twice", p.Name)
		case !lockDigest.MatchString(p.SHA256) || p.Held != nil && !lockDigest.MatchString(p.Held.SHA256):
			return nil, fail("plugin %q has no sha256 of 64 hex digits", p.Name)
		case p.Source == "":
			return nil, fail("plugin %q has no source", p.Name)
		}
		seen[p.Name] = true
	}
	if err := lock.checkImages(fail); err != nil {
		return nil, err
	}
	return &lock, nil
}

// Find returns the plugin of that name.
func (l *Lock) Find(name string) (Locked, bool) {
	if l == nil {
		return Locked{}, false
	}
	i := slices.IndexFunc(l.Plugins, func(p Locked) bool { return p.Name == name })
	if i < 0 {
		return Locked{}, false
	}
	return l.Plugins[i], true
}

// Put adds a plugin, or replaces the one of the same name. They are sorted by
// name.
func (l *Lock) Put(p Locked) {
	l.Drop(p.Name)
	l.Plugins = append(l.Plugins, p)
	slices.SortFunc(l.Plugins, func(a, b Locked) int { return strings.Compare(a.Name, b.Name) })
}

// Drop removes a plugin and reports whether it was there.
func (l *Lock) Drop(name string) bool {
	n := len(l.Plugins)
	l.Plugins = slices.DeleteFunc(l.Plugins, func(p Locked) bool { return p.Name == name })
	return len(l.Plugins) < n
}

// Bytes is the lock file's text.
func (l *Lock) Bytes() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Third-party plugins, pinned. Written by: pushlane plugin add, update, approve, remove\n")
	if len(l.Images) > 0 {
		b.WriteString("# Images, pinned. Written by: pushlane image pin\n")
	}
	enc := tomlv2.NewEncoder(&b)
	enc.SetIndentTables(false)
	err := enc.Encode(Lock{Version: 1, Plugins: l.Plugins, Images: l.Images})
	return b.Bytes(), err
}

// More lists, for people, the requests of capabilities beyond those granted; empty
// if there are none.
func More(granted, asked []Granted) []string {
	var words []string
	for _, a := range asked {
		i := slices.IndexFunc(granted, func(g Granted) bool { return g.Name == a.Name })
		if i < 0 {
			words = append(words, "+ "+capabilityLine(a))
			continue
		}
		if more := beyond(granted[i].Scope, a); len(more) > 0 {
			words = append(words, fmt.Sprintf("+ %s now reaches %s as well", a.Name, strings.Join(more, ", ")))
		}
	}
	return words
}

// beyond is what of a scope was not granted. Only repo.read without a scope
// reaches everything.
func beyond(granted []string, a Granted) []string {
	everything := a.Name == "repo.read" && len(a.Scope) == 0
	switch {
	case slices.Contains(granted, "*") || a.Name == "repo.read" && len(granted) == 0:
		return nil
	case everything:
		return []string{"every file"}
	}
	return slices.DeleteFunc(slices.Clone(a.Scope), func(item string) bool { return slices.Contains(granted, item) })
}

func capabilityLine(c Granted) string {
	line := c.Name
	if len(c.Scope) > 0 {
		line += " (" + strings.Join(c.Scope, ", ") + ")"
	}
	if c.Why != "" {
		line += ": " + c.Why
	}
	return line
}

// Difference lists the differences of two sets of capabilities, a line each: "+ http
// (api.example.org): asks for advisories".
func Difference(old, now []Granted) []string {
	words := More(old, now)
	for _, g := range old {
		i := slices.IndexFunc(now, func(a Granted) bool { return a.Name == g.Name })
		if i < 0 {
			words = append(words, "- "+capabilityLine(g))
		} else if less := beyond(now[i].Scope, g); len(less) > 0 {
			words = append(words, fmt.Sprintf("- %s no longer reaches %s", g.Name, strings.Join(less, ", ")))
		}
	}
	return words
}
