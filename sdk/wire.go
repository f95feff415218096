package sdk

// ABI is the version of the contract in ABI.md that this package speaks. A
// host refuses a module whose manifest names another one.
const ABI = 1

// Request is what the host writes to a plugin's standard input: one JSON
// object, then end of file.
type Request struct {
	ABI        int    `json:"abi"`
	Run        string `json:"run"`        // the run's address, "repo@abc1234:lane"
	Lane       string `json:"lane"`       // the lane's id
	Repository string `json:"repository"` // the repository's short name
	// pre-commit, commit-msg, pre-push, pre-receive, post-receive, schedule or manual
	Gate    string   `json:"gate"`
	Update  Update   `json:"update"`
	Changes []Change `json:"changes"`           // in git's order, by path bytes; nil: ask for them (changes.list@1)
	History []Change `json:"history,omitempty"` // what commits add beyond New; nil: ask for it (history.list@1)
	Commits []Commit `json:"commits,omitempty"` // new commits, oldest first; only with capability "repo.history"
	With    RawJSON  `json:"with,omitempty"`    // the lane's settings, already checked against the manifest's schema
	Granted []string `json:"granted"`           // capability names
	Ops     []string `json:"ops,omitempty"`     // operations the host offers to lane1.call: "container.start@1"
	Limits  Limits   `json:"limits"`
	Results []Result `json:"results,omitempty"` // of the containers an earlier call of this lane run asked for
}

// RawJSON is a JSON value as its bytes.
type RawJSON []byte

// Update is the ref line that is being judged.
type Update struct {
	Ref    string `json:"ref"`              // "refs/heads/main"; empty outside a push
	Old    string `json:"old"`              // object id the ref had, zeros when it is new
	New    string `json:"new"`              // object id pushed; a tree's id at pre-commit
	Base   string `json:"base"`             // object id the changes are counted from, zeros for the empty tree
	Forced bool   `json:"forced,omitempty"` // the old commit is not an ancestor of the new one
}

// Change is one path that differs between base and new. A move is a deletion
// and an addition. Paths are bytes: a name that is not UTF-8 is sent with
// every offending byte as the code point U+DC00 + byte (a lone surrogate in
// JSON, "\udcff"), so that no two names become one.
type Change struct {
	Path   string `json:"path"`
	Status string `json:"status"`         // "A", "M" or "D"
	Mode   string `json:"mode,omitempty"` // "100644", "100755", "120000", "160000"; empty when deleted
	OldID  string `json:"old,omitempty"`  // blob id in base
	NewID  string `json:"new,omitempty"`  // blob id in new

	// Only in History: the id of the first new commit that has it. OldID is then
	// what the commit's first parent has at the path, or what the commit moved
	// there. Merged are ids of what the commit's other parents have there, or of
	// files of this name that it removed.
	Commit string   `json:"commit,omitempty"`
	Merged []string `json:"merged,omitempty"`
}

// Commit is one commit that the push adds. At commit-msg it is the one that is about
// to be made, without author and parents and with zeros as id.
type Commit struct {
	ID      string   `json:"id"`
	Parents []string `json:"parents,omitempty"`
	Author  string   `json:"author"`  // "Name <mail>"
	Time    int64    `json:"time"`    // committer time, seconds since 1970 UTC
	Message string   `json:"message"` // as written, invalid UTF-8 replaced
}

// Limits are the ceilings of this lane run.
type Limits struct {
	Memory   int64 `json:"memory"`   // bytes of linear memory
	Millis   int64 `json:"millis"`   // wall time of the whole lane run, milliseconds
	Log      int64 `json:"log"`      // bytes of standard error that are stored
	Findings int   `json:"findings"` // records of type finding
	Out      int64 `json:"out"`      // bytes below /out
	Fuel     int64 `json:"fuel"`     // units of work of one call, about 16 bytes of code each; 0: no limit
}

// Container is a request to run one command in one throw-away container. Empty
// fields mean the host's defaults; a value above the host's policy is refused, never
// reduced.
type Container struct {
	ID        string            `json:"id"`                  // unique in this lane run, [a-z0-9][a-z0-9_-]*
	Image     string            `json:"image,omitempty"`     // alias the policy allows; "default"
	Command   []string          `json:"command"`             // argv
	Env       map[string]string `json:"env,omitempty"`       // no secrets: Incus shows it in its operations
	Cwd       string            `json:"cwd,omitempty"`       // absolute; "/work/src"
	User      string            `json:"user,omitempty"`      // "lane" (uid 1000, the default), "root" or a decimal uid
	CPU       string            `json:"cpu,omitempty"`       // cores, decimal: "2", "0.5"
	Memory    string            `json:"memory,omitempty"`    // "1GiB"
	Disk      string            `json:"disk,omitempty"`      // "5GiB"
	Processes int               `json:"processes,omitempty"` // count
	Millis    int64             `json:"millis,omitempty"`    // wall time from launch, milliseconds
	Network   bool              `json:"network,omitempty"`   // needs capability "container.network"
	Caches    []Cache           `json:"caches,omitempty"`    // volumes that outlive the container
	Artifacts []string          `json:"artifacts,omitempty"` // absolute paths or globs, copied out after the command
	// absolute paths or globs, copied out for the plugin to read, and not listed as artifacts of the run
	Reads []string `json:"reads,omitempty"`
	// whether /work/src has a .git of the judged commit, see ABI.md. Needs "repo.history", and all of "repo.read"
	Git bool `json:"git,omitempty"`
	// names; each is a file /run/secrets/<name>. Needs capability "secret"
	Secrets []string `json:"secrets,omitempty"`
	// variables of the command, each with the name of the secret that is its value. Needs capability "secret"
	SecretEnv map[string]string `json:"secret_env,omitempty"`
}

// Cache is a volume of this repository mounted in a container.
type Cache struct {
	Name string `json:"name"` // [a-z0-9][a-z0-9-]*
	Path string `json:"path"` // absolute, outside /work/src
}

// Result is the result of a container.
type Result struct {
	ID        string   `json:"id"`
	Exit      int      `json:"exit"`                // the command's exit status; 128+n after signal n
	TimedOut  bool     `json:"timed_out,omitempty"` // the command was killed at its limit
	Millis    int64    `json:"millis"`              // from launch to exit, milliseconds
	Tail      string   `json:"tail"`                // last 64 KiB of its output, cleaned
	Artifacts []string `json:"artifacts,omitempty"` // names below /results/<id>/
}

// Finding is a message at a file and line.
type Finding struct {
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"` // from 1; 0 for the whole file
	Col     int    `json:"col,omitempty"`  // from 1, in bytes
	Level   string `json:"level"`          // error, warning or note
	Rule    string `json:"rule,omitempty"`
	Message string `json:"message"`
}

// Record is one line of a plugin's standard output when its manifest says
// output = "jsonl": an object whose "type" names which of the fields counts.
type Record struct {
	Type      string     `json:"type"` // finding, progress, artifact, container or verdict
	Finding   *Finding   `json:"finding,omitempty"`
	Container *Container `json:"container,omitempty"`
	Message   string     `json:"message,omitempty"` // of a progress or verdict record
	Path      string     `json:"path,omitempty"`    // of an artifact, below /out
	Verdict   string     `json:"verdict,omitempty"` // pass, fail or skip
}

// Manifest describes a module, in its custom section "lane.manifest", as TOML.
type Manifest struct {
	Name         string       `json:"name" toml:"name"`
	Version      string       `json:"version" toml:"version"`
	ABI          int          `json:"abi" toml:"abi"`
	Output       string       `json:"output" toml:"output"` // jsonl, sarif, gnu or text
	Capabilities []Capability `json:"capabilities,omitempty" toml:"capabilities"`
	Schema       string       `json:"schema,omitempty" toml:"schema"` // JSON Schema of the lane's "with", as text
	// keys of the request that the plugin reads in addition to those every one has: "run", "gate", "update",
	// "changes", "commits"; absent: all of these; "history" too, only where it is listed
	Input []string `json:"input,omitempty" toml:"input"`
	// more of these keys for lanes that have a setting: its name to the keys
	InputIf map[string][]string `json:"input_if,omitempty" toml:"input_if"`
	Tool    *Tool               `json:"tool,omitempty" toml:"tool"` // for a program that does not read requests
}

// Tool describes how an ordinary command-line program is called as a plugin.
type Tool struct {
	Args []string `json:"args,omitempty" toml:"args"` // arguments; "{changed}" is replaced by the changed files
	// globs of the changed files that it is given, as /src/<path>; without any it is not run
	Files []string `json:"files,omitempty" toml:"files"`
	Fail  []int    `json:"fail,omitempty" toml:"fail"` // exit statuses that mean fail; absent: 1
}

// Capability is a permission that a plugin requests, and the reason.
// Names: repo.read, repo.history, container, container.network, http, secret,
// kv, clock, env.
type Capability struct {
	Name string `json:"name" toml:"name"`
	Why  string `json:"why" toml:"why"`
	// http: hosts; secret, env: names; repo.read: globs. "*": whatever the lane grants
	Scope []string `json:"scope,omitempty" toml:"scope"`
}
