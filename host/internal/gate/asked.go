package gate

import (
	"path/filepath"

	"github.com/pushlane/pushlane/host/internal/trace"
)

// Asked is what a run takes from the call that it answers. A run from the queue
// answers none: of its Asked only Pusher is set.
type Asked struct {
	Pusher   string // who pushes, as the server or the system names them; "": not known
	NamedBy  string // the same as the git server names them; "": it does not
	Push     string // names the push over all of its hooks
	Process  string // git's process that runs these hooks, PUSHLANE_PUSH; "": the hook does not say
	Hook     string // path of the hook that called; "": not known
	Message  string // commit-msg: path of the file of the message
	Unedited bool   // commit-msg: no editor was opened for it
	Config   string // lanes file used instead of the judged revision's; "": none

	Env   []string      // "KEY=value", for lanes that are granted some
	Fresh bool          // cached results do not count
	Tried string        // manual: sha256 of the module that its author tries
	Trace *trace.Tracer // records what plugins are given and say; nil: nothing does
}

// Asked reads what lanes, the record and the report need of the call, so that none
// of them gets the call.
func (c Call) Asked() Asked {
	a := Asked{Pusher: c.Pusher(), NamedBy: c.NamedPusher(), Push: c.PushID(), Process: c.Getenv("PUSHLANE_PUSH"),
		Hook: c.inDir(c.Getenv("PUSHLANE_HOOK")), Config: c.Config, Env: c.Env, Fresh: c.Fresh, Trace: c.Trace}
	switch c.Gate {
	case "commit-msg":
		a.Message, a.Unedited = c.inDir(c.Arg(0)), c.Getenv("GIT_EDITOR") == ":" // git says so by the editor's name
	case "manual":
		a.Tried = c.Tried
	}
	return a
}

// inDir is a path as the call's folder has it.
func (c Call) inDir(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}
