package lanes

import (
	"strconv"
	"time"
)

// Set is one lanes file, checked.
type Set struct {
	Version int
	Lanes   []Lane            // in file order
	Groups  map[string]Group  // by name, the ones written in the file
	Images  map[string]Recipe // by name
	Source  string            // the name errors carry, such as ".pushlane/lanes.toml"

	globs map[string]Glob // every pattern of the file, parsed once
}

// Lane is one named check and its triggers.
type Lane struct {
	ID               string // [a-z0-9][a-z0-9_-]*, unique in the file
	Title            string // for people; the id where the file gives none
	Plugin           string
	Paths            []string // globs; none: every push
	Ignore           []string // globs; a path that matches one does not count
	On               []string // gates
	Branches         []string // patterns of target refs; none: all
	Needs            []string // ids of lanes that must pass first
	Schedule         string   // five cron fields, UTC; only with the gate "schedule"
	Required         bool     // false: shown, never refuses
	Timeout          time.Duration
	Retries          int // of failures of the infrastructure, never of a "no"
	ConcurrencyGroup string
	Supersede        bool           // a newer push cancels an older queued run
	Remember         string         // one of the Remember… words
	With             map[string]any // settings for the plugin: string, int64, float64, bool, []any, map[string]any
	Grant            Grant
	Line             int // of the lane's [[lane]] header, from 1
}

// Which results of a lane are cached until an input changes.
const (
	RememberPlugin     = "plugin"     // runs without containers
	RememberContainers = "containers" // these too, as long as image and source are the same
	RememberNever      = "never"
)

// Grant is what a lane's plugin may request from the host, within the host's policy.
type Grant struct {
	Read      bool     // the pushed tree and the old one; true unless written otherwise
	Files     []string // globs of what of the trees is there; none: all
	History   bool     // the new commits; true unless written otherwise
	Container bool
	Network   bool     // inside containers: a bridge, where Names is empty
	Names     []string // what containers reach through the host's proxy: "example.org", "*.example.org:8443", "*"
	HTTP      []string // hosts that requests may go to: "api.example.org", "example.org:8443"
	Secrets   []string // names of secrets
	KV        bool     // the plugin's own values
	Clock     bool     // the true time
	Env       []string // names of the host's variables
}

// Group is a set of lane runs that share a limit.
type Group struct {
	Limit int // lane runs at once, at least 1
	Line  int // of the group's header, from 1
}

// Gates are the names of the gates, as in the key `on`.
func Gates() []string {
	return []string{"pre-commit", "commit-msg", "pre-push", "pre-receive", "post-receive", "schedule", "manual"}
}

// FormatError is one error in a lanes file.
type FormatError struct {
	File       string
	Line       int // from 1; 0 when the file as a whole is meant
	Msg        string
	Suggestion string // a name close to the one that was written, or empty
}

func (e *FormatError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Msg
}

// Hint says how to fix the file; empty if unknown.
func (e *FormatError) Hint() string {
	if e.Suggestion == "" {
		return ""
	}
	return "did you mean " + strconv.Quote(e.Suggestion) + "?"
}
