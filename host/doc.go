// Package host is the process that judges pushes: it schedules the lane runs of
// a push, keeps a queue of those that no pusher waits for, and serves hooks as a
// resident. What a push is judged by, how one lane runs and what is said about
// it are packages below it.
//
// One push, step by step. Git calls the hook, a three-line shim, which calls
// pushlane-hook; that hands git's words to the resident host (wire.go), or
// becomes `pushlane hook` where there is none. Both end in Host.Judge, whose
// steps are (judge.go):
//
//	git stdin --decide---> gate.Run           every update, its base, its changes, its lanes
//	          --begin----> record.Recorder    the run and each decision, before anything runs
//	          --runLanes-> []gate.LaneRun     in lane order, whatever finished first
//	              per lane: lanerun.Lane.Run: request -> plugin -> (container -> exit, log)* -> result
//	          --End------> the verdict        of the run, in the store
//	          --Write----> report             lines for the pusher, and an exit status
//
// Which way the packages import each other (arrows_test.go holds it):
//
//	printable, problem   text of outsiders made harmless; errors with a hint
//	config               the policy of the host's owner
//	gate                 which lanes judge a push, by whose rules; no sandbox, no Incus
//	trace                what a plugin was given and asked, to repeat it
//	report, record       what people and machines read; the run in the store
//	plugins              the modules that lanes name, fetched, checked, loaded
//	lanerun              one lane run under way
//	author               what a plugin's author works with
//	host                 this package
//	doctor               what a machine lacks, on top of the host
//
// Data goes right only. What judges is read from the trusted revision and the
// host's policy, never from what a plugin or a container says.
//
// A "no" is a value (a lane run in state failed, exit status 1), a breakage is
// an error (state broken, exit status 3), and a gate that cannot decide
// refuses. Everything that is decided about a lane is recorded with its reason
// before it is acted on.
package host
