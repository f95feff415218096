// Package host runs the lanes that a push picked, keeps what became of them,
// and says whether the push goes through.
//
// One push, step by step. Git calls the hook, a three-line shim, which calls
// pushlane-hook; that hands git's words to the resident host (wire.go), or
// becomes `pushlane hook` where there is none. Both end in Host.Judge:
//
//	git stdin --Call.updates---> []hooks.Update   every ref line, with its base
//	          --Repo.Changes---> []hooks.Change   the paths of the pushed tree that differ
//	          --lanes.Set.Pick-> []lanes.Picked   every lane, and the path and glob that decided
//	          --runLanes-------> []Outcome        in lane order, whatever finished first
//	              per lane: request -> plugin -> (container -> exit, log)* -> verdict
//	          --Output.report--> lines for the pusher and an exit status
//
// Data goes right only. What judges is read from the trusted revision and the
// host's Policy, never from what a plugin or a container says.
//
// A "no" is a value (an Outcome in state failed, exit status 1), a breakage is
// an error (state broken, exit status 3), and a gate that cannot decide
// refuses. Everything that is decided about a lane is recorded with its reason
// (record.go) before it is acted on.
package host
