package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/author"
	"github.com/pushlane/pushlane/host/internal/gate"
	"github.com/pushlane/pushlane/host/internal/plugins"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/trace"
	"github.com/pushlane/pushlane/lanes"
)

// TryPlugin runs a module on a range of a real repository, as the only lane, which
// grants what the module requests within the policy: with real files and real
// containers.
func TryPlugin(ctx context.Context, h *host.Host, call gate.Call, file, with string, out report.Output) (int, error) {
	settings, err := author.WithJSON(with)
	if err != nil {
		return gate.ExitUsage, err
	}
	module, err := author.ReadModule(file)
	if err != nil {
		return gate.ExitUsage, problem.Usage(fmt.Errorf("cannot run plugin: %w", err))
	}
	checked, err := plugins.CheckModule(filepath.Base(file), module)
	if err != nil {
		return gate.ExitUndecided, err
	}
	dir, err := os.MkdirTemp("", "pushlane-try-")
	if err != nil {
		return gate.ExitUndecided, err
	}
	defer os.RemoveAll(dir)
	name := checked.Manifest().Name
	as := name
	if h.Plugins().FirstParty(h.Policy(), name) { // which would run in its place
		as = "tried-" + name
	}
	var lock plugins.LockFile
	lock.Lock, lock.Path = &lanes.Lock{Version: 1}, filepath.Join(dir, gate.LockName)
	lock.Put(lanes.Locked{Name: as, Source: "./" + name + ".wasm", SHA256: checked.Digest(),
		Capabilities: plugins.Granted(checked.Manifest())})
	if err := lock.Save(); err != nil {
		return gate.ExitUndecided, err
	}
	call.Config = filepath.Join(dir, "lanes.toml")
	call.Lanes = []string{name}
	call.Fresh = true
	call.Tried = checked.Digest()
	for path, data := range map[string][]byte{filepath.Join(dir, name+".wasm"): module,
		call.Config: trialLane(name, settings, lock.Plugins[0])} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return gate.ExitUndecided, err
		}
	}
	return h.Judge(ctx, call, out), nil
}

// trialLane is a lanes file with one lane that grants what its plugin asks.
func trialLane(name string, with []byte, p lanes.Locked) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "version = 1\n[[lane]]\nid = %q\nplugin = %q\non = [\"pre-push\", \"manual\"]\n", name, p.Name)
	if text := tomlOf(with); text != "" {
		fmt.Fprintf(&b, "[lane.with]\n%s", text)
	}
	b.WriteString("[lane.grant]\n")
	for _, c := range p.Capabilities {
		items := slices.DeleteFunc(slices.Clone(c.Scope), func(s string) bool { return s == "*" })
		if !strings.HasPrefix(c.Name, "repo.") { // granted unless written otherwise
			fmt.Fprintln(&b, lanes.GrantLine(c.Name, items...))
		}
	}
	return []byte(b.String())
}

// tomlOf writes settings, JSON, as the members of a TOML table.
func tomlOf(with []byte) string {
	var v map[string]any
	dec := json.NewDecoder(bytes.NewReader(with))
	dec.UseNumber()
	if dec.Decode(&v) != nil || len(v) == 0 {
		return ""
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(v)) {
		fmt.Fprintf(&b, "%q = %s\n", key, tomlValue(v[key]))
	}
	return b.String()
}

func tomlValue(v any) string {
	switch v := v.(type) {
	case []any:
		var items []string
		for _, one := range v {
			items = append(items, tomlValue(one))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var items []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			items = append(items, fmt.Sprintf("%q = %s", key, tomlValue(v[key])))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case string:
		data, _ := json.Marshal(v) // a JSON string is a TOML one
		return string(data)
	}
	return fmt.Sprint(v)
}

// Replay repeats every call of a trace in this host's sandbox; see Replay.
func Replay(ctx context.Context, h *host.Host, w io.Writer, file, other string) (bool, error) {
	pool, err := h.Sandbox()
	if err != nil {
		return false, err
	}
	return trace.Replay(ctx, pool, w, file, other)
}

// Bench is where an author tries a module on this host.
func Bench(h *host.Host) author.Bench { return author.Bench{Sandbox: h.Sandbox, Policy: h.Policy()} }
