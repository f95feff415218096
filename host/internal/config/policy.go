// Package config reads the policy of a host's owner: its keys, what it allows to
// which repository, and the files that it names.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/hostlog"
	"github.com/pushlane/pushlane/host/internal/incus"
	"github.com/pushlane/pushlane/host/internal/notify"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/wasm"
	"github.com/pushlane/pushlane/lanes"
	"github.com/pushlane/pushlane/lanes/plaintext"
)

// Policy is the host owner's ceiling on what lanes and plugins may ask for,
// and where this host finds its parts. One flat struct: every key is the path
// of a TOML key. A request outside it is refused with a reason, never reduced.
type Policy struct {
	OnUndecided  string `koanf:"on_undecided"`  // refuse or accept: what a gate does that cannot decide
	NoLanes      string `koanf:"no_lanes"`      // refuse or accept: a pushed tree without a lanes file
	AllowSkip    bool   `koanf:"allow_skip"`    // whether PUSHLANE_SKIP counts
	DefaultLanes string `koanf:"default_lanes"` // a lanes file for trees that have none

	Protect     []string `koanf:"protect"`      // server: patterns of refs that need a pass; none: the default branch
	AllowDelete bool     `koanf:"allow_delete"` // server: whether a protected ref may be deleted
	// server: whether a protected ref may be rewound or replaced; what it loses is judged too
	AllowForce  bool     `koanf:"allow_force"`
	PushOptions []string `koanf:"push_options"` // server: of lane.skip, lane.only and priority
	Listen      string   `koanf:"listen"`       // server: address of the page, or unix:/path; empty: none
	URL         string   `koanf:"url"`          // server: where people reach the page; empty: no links
	TLSCert     string   `koanf:"tls.cert"`     // server: certificate of the page, PEM file
	TLSKey      string   `koanf:"tls.key"`
	ProxyHeader string   `koanf:"proxy_header"` // server: in which a trusted proxy names the user

	// server: of the proxies that proxy_header is believed from, "127.0.0.1/32"; none: it is ignored, except on a socket
	ProxyAddresses []string `koanf:"proxy_addresses"`
	ProxyScope     string   `koanf:"proxy_scope"` // server: none, read or run: what users named by a proxy may do
	Access         []Access `koanf:"access"`      // server: the same, of one user each

	Repositories []Repository `koanf:"repository"` // server: names of repositories
	// server: what lanes of which repository may have of secrets, http, env and networks
	Allows []Allow `koanf:"allow"`

	Statuses []notify.Status  `koanf:"status"`    // server: forges that show commit statuses
	Webhooks []notify.Webhook `koanf:"webhook"`   // server: addresses that receive notifications
	Notes    bool             `koanf:"notes"`     // server: verdicts as git notes in refs/notes/pushlane
	NotesKey string           `koanf:"notes_key"` // SSH key file to sign them with
	OTLP     string           `koanf:"otlp"`      // server: OTLP/HTTP endpoint for spans

	Parallel int    `koanf:"parallel"` // lanes at once: those that may run containers, and as many others
	Plugins  string `koanf:"plugins"`  // folder of first-party modules
	State    string `koanf:"state"`    // folder of runs, logs and the socket
	Store    string `koanf:"store"`    // postgres://…; empty: a SQLite file in the state folder
	Cache    string `koanf:"cache"`    // folder of compiled modules; a server's without it: cache in the state folder

	IncusURL        string   `koanf:"incus.url"` // https://…; empty: the local socket
	IncusSocket     string   `koanf:"incus.socket"`
	IncusCert       string   `koanf:"incus.cert"` // client certificate, PEM file
	IncusKey        string   `koanf:"incus.key"`
	IncusServerCert string   `koanf:"incus.server_cert"` // pinned, PEM file
	IncusProject    string   `koanf:"incus.project"`
	IncusPool       string   `koanf:"incus.pool"`
	IncusImages     []string `koanf:"incus.images"`   // aliases or fingerprints a lane may name; "*": any in the project
	IncusNetworks   []string `koanf:"incus.networks"` // networks a lane with network = true gets; empty: none may

	// names of images in registries that lanes may use: "docker.io/library/*", "ghcr.io/acme/**"; "*": any that
	// is written in the lane's settings
	ImageNames  []string `koanf:"images.names"`
	ImagePull   string   `koanf:"images.pull"`    // push or add: whether a push pulls them, or only pushlane image add
	ImageShort  []string `koanf:"images.short"`   // short names: "node=docker.io/library/node"
	ImageMirror []string `koanf:"images.mirrors"` // "docker.io=mirror.example.org/dockerhub": asked in its place
	// how long a tag counts as what it meant when it was looked up; a pinned one is not looked up
	ImageRefresh time.Duration `koanf:"images.refresh"`
	MaxImage     string        `koanf:"images.max_size"` // of one image, unpacked
	MaxImages    string        `koanf:"images.total"`    // of all images that were pulled or built
	MaxLayers    string        `koanf:"images.layers"`   // of layers that are kept for the next pull
	// names that a lane's network may list: "registry.example.org", "*.example.org", "*.example.org:8443", "*"
	NetworkHosts []string `koanf:"network.hosts"`
	// address blocks that such names may lead to although they are not public: "10.1.2.0/24"
	NetworkPrivate []string `koanf:"network.private"`
	// PEM file of the authorities that containers with a network trust; empty: the image's
	NetworkCA string `koanf:"network.ca"`

	MaxCPU        string        `koanf:"limits.cpu"` // of one container: cores
	MaxMemory     string        `koanf:"limits.memory"`
	MaxDisk       string        `koanf:"limits.disk"`
	MaxProcesses  int           `koanf:"limits.processes"`
	MaxTime       time.Duration `koanf:"limits.time"`       // of one lane run
	MaxContainers int           `koanf:"limits.containers"` // of one lane run
	// of one lane run: bytes of its artifacts, and of the disk they take
	MaxArtifacts string `koanf:"limits.artifacts"`

	// of all runs of a repository that are still there, protected and other refs apart
	MaxArtifactsTotal string `koanf:"limits.artifacts_total"`

	// of all logs of this host: those of the oldest runs go first
	MaxLogsTotal string `koanf:"limits.logs_total"`

	// of one lane run: bytes to and from the names that its network lists
	MaxNetwork string `koanf:"limits.network"`

	// of all caches of a repository, by the disk they may take; protected and other refs apart
	MaxCaches string `koanf:"limits.caches"`
	// of one call of a plugin: units of work, the same on every machine, about 16 bytes of its code
	// each; 0: no limit but limits.time
	MaxFuel      int64    `koanf:"limits.fuel"`
	Capabilities []string `koanf:"capabilities"`  // that may be granted at all
	FetchPlugins bool     `koanf:"fetch_plugins"` // whether a pinned plugin that is not here is fetched while a push waits
	// hosts that plugins may send requests to: "api.example.org", "*.example.org", "*"
	HTTPHosts []string `koanf:"http.hosts"`
	Secrets   string   `koanf:"secrets"` // folder of secrets, a file each
	// file of the key that encrypts them; empty: the folder's name and .key
	SecretsKey string `koanf:"secrets_key"`
	// whether a secret may be a variable of a container's command; as a file it may always
	SecretVariables bool `koanf:"secret_variables"`

	// Who may sign third-party plugins. If one of the two names a signer, these
	// plugins must be signed.
	AllowedSigners string `koanf:"allowed_signers"` // file of SSH keys, ssh-keygen(1)
	// "ISSUER SUBJECT" of sigstore certificates; in the subject, * is anything up to the next /
	SigstoreIdentities []string `koanf:"sigstore_identities"`
	// trusted_root.json of the sigstore instance whose bundles are accepted
	SigstoreRoots string `koanf:"sigstore_roots"`

	LogLevel  string `koanf:"log.level"`  // of the host's log: error, warning or info
	LogFormat string `koanf:"log.format"` // text (logfmt) or json

	KeepRuns time.Duration `koanf:"retention.runs"` // age at which runs, logs and artifacts are removed

	file string // the first that it was read from
	only *Allow // what a run may reach of secrets, http and env; nil: all that the keys above say
}

// PolicyFile is the machine's own policy, and all of a server's.
const PolicyFile = "/etc/pushlane/config.toml"

// PolicyFiles are read in order, the later over the earlier; missing ones are
// skipped. PUSHLANE_CONFIG replaces both (tests, several hosts on a machine).
func PolicyFiles(getenv func(string) string) []string {
	if one := getenv("PUSHLANE_CONFIG"); one != "" {
		return []string{one}
	}
	files := []string{PolicyFile}
	if dir := configHome(getenv); dir != "" {
		files = append(files, filepath.Join(dir, "pushlane", "config.toml"))
	}
	return files
}

// Load reads the policy of this host: defaults, files, PUSHLANE_*
// variables (PUSHLANE_INCUS_POOL is incus.pool). An unknown key is an error.
func Load(getenv func(string) string) (Policy, error) {
	p, err := loadFiles(getenv, PolicyFiles(getenv), nil, policyEnv(getenv))
	if err == nil {
		err = p.unpackPlugins()
	}
	return p, err
}

// LoadServer is LoadPolicy for a server's gates: the machine's file, or
// the one that the hook names, and nothing out of a home or a variable. Where
// it names no cache, that is in the state folder, which the hook names too.
func LoadServer(getenv func(string) string) (Policy, error) {
	p, err := loadFiles(getenv, PolicyFiles(getenv)[:1], map[string]any{"fetch_plugins": false, "cache": ""})
	if err == nil && p.Cache == "" {
		p.Cache = filepath.Join(p.State, "cache")
	}
	if err == nil {
		err = p.unpackPlugins()
	}
	return p, err
}

func loadFiles(getenv func(string) string, files []string, defaults map[string]any,
	layers ...koanf.Provider) (Policy, error) {
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(defaultPolicy(getenv), "."), nil); err != nil {
		return Policy{}, err
	}
	if err := k.Load(confmap.Provider(defaults, "."), nil); err != nil {
		return Policy{}, err
	}
	for _, name := range files {
		if err := loadPolicyFile(k, name); err != nil {
			return Policy{}, err
		}
	}
	for _, one := range layers {
		if err := k.Load(one, nil); err != nil {
			return Policy{}, err
		}
	}
	var p Policy
	if err := k.UnmarshalWithConf("", &p, koanf.UnmarshalConf{FlatPaths: true}); err != nil {
		return Policy{}, problem.WithHint(fmt.Errorf("cannot read the policy: %w", err),
			"check "+strings.Join(PolicyFiles(getenv), " and "))
	}
	p.file = files[0]
	return p, p.validate()
}

// File is where the owner of the host says what it allows.
func (p Policy) File() string { return cmp.Or(p.file, PolicyFile) }

func loadPolicyFile(k *koanf.Koanf, name string) error {
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := Trusted("policy", name); err != nil {
		return err
	}
	one := koanf.New(".")
	text, err := readPolicyFile(name)
	if err == nil {
		err = one.Load(rawbytes.Provider(text), toml.Parser())
	}
	if err != nil {
		return fmt.Errorf("cannot read policy %s: %w", name, err)
	}
	for _, key := range one.Keys() {
		if !slices.Contains(policyKeys(), key) {
			return problem.WithHint(fmt.Errorf("cannot read policy %s: unknown key %q", name, key),
				"known keys: "+strings.Join(policyKeys(), ", "))
		}
	}
	for key, known := range map[string][]string{"status": keysOf(reflect.TypeFor[notify.Status]()),
		"webhook":    keysOf(reflect.TypeFor[notify.Webhook]()),
		"repository": keysOf(reflect.TypeFor[Repository]()), "allow": keysOf(reflect.TypeFor[Allow]()),
		"access": keysOf(reflect.TypeFor[Access]())} {
		if err := checkTables(one.Get(key), key, known); err != nil {
			return problem.WithHint(fmt.Errorf("cannot read policy %s: %w", name, err), "known keys: "+strings.Join(known, ", "))
		}
	}
	if err := checkLog(one, text); err != nil {
		return fmt.Errorf("cannot read policy %s: %w", name, err)
	}
	return k.Merge(one)
}

// checkLog refuses what the log cannot be, with the line that says it.
func checkLog(file *koanf.Koanf, text []byte) error {
	for name, words := range map[string][]string{"level": hostlog.Levels(), "format": hostlog.Formats()} {
		if key := "log." + name; file.Exists(key) {
			if err := oneOf(file.Get(key), words); err != nil {
				return fmt.Errorf("line %d: %s is %w", lanes.LineOf(text, "log", name), key, err)
			}
		}
	}
	return nil
}

func oneOf(value any, words []string) error {
	if word, ok := value.(string); ok && slices.Contains(words, word) {
		return nil
	}
	last := len(words) - 1
	return fmt.Errorf("%q, want %s or %s", fmt.Sprint(value), strings.Join(words[:last], ", "), words[last])
}

// maxPolicy is the longest policy file, in bytes.
const maxPolicy = 1 << 20

func readPolicyFile(name string) ([]byte, error) {
	if name == os.DevNull { // explicitly no policy
		return nil, nil
	}
	data, err := bounded.ReadFile(name, maxPolicy)
	if err != nil {
		return nil, err
	}
	return plaintext.Of(data)
}

// checkTables refuses unknown keys in a list of tables.
func checkTables(value any, key string, known []string) error {
	if value == nil {
		return nil
	}
	tables, ok := value.([]any)
	if !ok {
		return fmt.Errorf("%s is not a list of tables, write [[%s]]", key, key)
	}
	for _, one := range tables {
		table, _ := one.(map[string]any)
		for name := range table {
			if !slices.Contains(known, name) {
				return fmt.Errorf("unknown key %q in [[%s]]", name, key)
			}
		}
	}
	return nil
}

// policyEnv reads PUSHLANE_<KEY> for every key but tables, dots as
// underscores. An empty variable is one that is not there.
func policyEnv(getenv func(string) string) koanf.Provider {
	keys := map[string]string{} // by variable: an underscore may be a dot
	var environ []string
	for _, key := range policyKeys() {
		name := "PUSHLANE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		value := getenv(name)
		if value == "" || slices.Contains([]string{"status", "webhook", "repository", "allow", "access"}, key) {
			continue
		}
		keys[name] = key
		environ = append(environ, name+"="+value)
	}
	return env.Provider(".", env.Opt{
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			if slices.Contains(listKeys(), keys[name]) {
				return keys[name], strings.Split(value, ",")
			}
			return keys[name], value
		},
	})
}

// listKeys are the keys whose values are lists, separated by commas in a
// variable.
func listKeys() []string {
	return []string{"incus.images", "incus.networks", "network.hosts", "network.private", "capabilities",
		"http.hosts", "protect", "push_options",
		"sigstore_identities",
		"proxy_addresses", "images.names", "images.short", "images.mirrors"}
}

// policyKeys is every key a policy file may hold, in the order of Policy.
func policyKeys() []string { return keysOf(reflect.TypeFor[Policy]()) }

func keysOf(t reflect.Type) []string {
	var keys []string
	for _, field := range reflect.VisibleFields(t) {
		if field.IsExported() {
			keys = append(keys, field.Tag.Get("koanf"))
		}
	}
	return keys
}

func (p Policy) validate() error {
	switch {
	case p.OnUndecided != "refuse" && p.OnUndecided != "accept":
		return fmt.Errorf("cannot read the policy: on_undecided is %q, want refuse or accept", p.OnUndecided)
	case p.NoLanes != "refuse" && p.NoLanes != "accept":
		return fmt.Errorf("cannot read the policy: no_lanes is %q, want refuse or accept", p.NoLanes)
	case lanes.Refs(p.Protect).Check() != nil:
		return fmt.Errorf("cannot read the policy: protect: %w", lanes.Refs(p.Protect).Check())
	case slices.ContainsFunc(p.Capabilities, unknownCapability):
		return fmt.Errorf("cannot read the policy: capabilities is %q, want some of %s", p.Capabilities,
			strings.Join(wasm.Capabilities(), ", "))
	case slices.ContainsFunc(p.PushOptions, unknownOption):
		return fmt.Errorf("cannot read the policy: push_options is %q, want some of lane.skip, lane.only and priority",
			p.PushOptions)
	case oneOf(p.LogLevel, hostlog.Levels()) != nil:
		return fmt.Errorf("cannot read the policy: log.level is %w", oneOf(p.LogLevel, hostlog.Levels()))
	case oneOf(p.LogFormat, hostlog.Formats()) != nil:
		return fmt.Errorf("cannot read the policy: log.format is %w", oneOf(p.LogFormat, hostlog.Formats()))
	case p.Parallel < 1 || p.Parallel > 1024:
		return fmt.Errorf("cannot read the policy: parallel is %d, want 1 to 1024", p.Parallel)
	case p.MaxTime <= 0 || p.MaxContainers < 0 || p.MaxProcesses < 1:
		return errors.New("cannot read the policy: limits.time, limits.processes and limits.containers must be above zero")
	case p.MaxFuel < 0:
		return fmt.Errorf("cannot read the policy: limits.fuel is %d, want units of work, or 0 for no limit", p.MaxFuel)
	case p.checkImages() != nil:
		return p.checkImages()
	case p.checkSizes() != nil:
		return p.checkSizes()
	case len(p.SigstoreIdentities) > 0 && p.SigstoreRoots == "":
		return problem.WithHint(errors.New("cannot read the policy: sigstore_identities needs sigstore_roots"),
			"name the instance's trusted_root.json")
	case !filepath.IsAbs(p.State) || p.Cache != "" && !filepath.IsAbs(p.Cache):
		return problem.WithHint(fmt.Errorf("cannot read the policy: state is %q and cache %q, want absolute paths", p.State,
			p.Cache),
			"set HOME, or state and cache in "+PolicyFile)
	}
	if _, err := p.Identities(); err != nil {
		return fmt.Errorf("cannot read the policy: sigstore_identities: %w", err)
	}
	if err := p.checkProxies(); err != nil {
		return err
	}
	if err := p.checkNetwork(); err != nil {
		return err
	}
	return p.checkAllows()
}

// checkSizes reads the limits that the host itself enforces.
func (p Policy) checkSizes() error {
	for _, limit := range []struct{ key, text string }{
		{"limits.artifacts", p.MaxArtifacts}, {"limits.artifacts_total", p.MaxArtifactsTotal},
		{"limits.logs_total", p.MaxLogsTotal},
		{"limits.caches", p.MaxCaches}, {"limits.network", p.MaxNetwork},
		{"images.max_size", p.MaxImage}, {"images.total", p.MaxImages}, {"images.layers", p.MaxLayers},
	} {
		if _, err := incus.ParseSize(limit.text); err != nil {
			return fmt.Errorf("cannot read the policy: %s: %w", limit.key, err)
		}
	}
	return nil
}

func unknownCapability(name string) bool { return !slices.Contains(wasm.Capabilities(), name) }

func unknownOption(name string) bool {
	return !slices.Contains([]string{OptionSkip, OptionOnly, OptionPriority}, name)
}

// pluginFolder is where install.sh puts the first-party modules, seen from
// the running binary: <prefix>/bin/pushlane and <prefix>/lib/pushlane/plugins.
func pluginFolder() string {
	exe, err := os.Executable()
	if err != nil {
		return "/usr/local/lib/pushlane/plugins"
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return filepath.Join(filepath.Dir(filepath.Dir(exe)), "lib", "pushlane", "plugins")
}

// stateFolder follows the XDG base directories; PUSHLANE_STATE comes first
// because the hook client looks for the socket there too.
func stateFolder(getenv func(string) string) string {
	if dir := getenv("PUSHLANE_STATE"); dir != "" {
		return dir
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pushlane")
	}
	return filepath.Join(home(getenv), ".local", "state", "pushlane")
}

// home is the user's home, as the system knows it where no variable says so:
// web servers and units start programs without one.
func home(getenv func(string) string) string {
	if dir := getenv("HOME"); dir != "" {
		return dir
	}
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return ""
}

func cacheFolder(getenv func(string) string) string {
	if dir := getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pushlane")
	}
	return filepath.Join(home(getenv), ".cache", "pushlane")
}

func configHome(getenv func(string) string) string {
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if dir := home(getenv); dir != "" {
		return filepath.Join(dir, ".config")
	}
	return ""
}
