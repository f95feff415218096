// Package host is the process that judges pushes: it schedules the lane runs of
// a push, processes the queue of runs that no pusher waits for, and serves hooks as
// a resident. Choosing the lanes, running one lane and reporting are packages below
// it.
//
// One push, step by step. Git calls the hook, a three-line shim, which calls
// pushlane-hook; that passes git's input to the resident host (wire.go), or
// executes `pushlane hook` if there is none. Both end in Host.Judge, whose
// steps are (judge.go):
//
//	git stdin --decide---> gate.Run           every update, its base, its changes, its lanes
//	          --begin----> record.Recorder    the run and each decision, before anything runs
//	          --runLanes-> []gate.LaneRun     in lane order, whatever finished first
//	              per lane: lanerun.Lane.Run: request -> plugin -> (container -> exit, log)* -> result
//	          --end------> the verdict        of the run, in the store
//	          --report---> an exit status     and lines for the pusher
//
// The order in which the packages import each other (arrows_test.go checks it):
//
//	printable, problem   untrusted text made harmless; errors with a hint
//	secret               the encrypted secrets of the host
//	config               the policy of the host's owner
//	gate                 which lanes judge a push, by whose rules; no sandbox, no Incus
//	trace                records the input and output of a plugin, to repeat it
//	report, record       output for people and programs; the run in the store
//	plugins              the modules that lanes name: fetched, checked, loaded
//	oci, images          images of registries, as tars and in Incus; recipes
//	egress               the proxy of containers that may reach some names
//	secret               secrets, encrypted at rest
//	lanerun              one lane run
//	author, detect       tools for plugin authors; projects in a repository, for init
//	slots, held, outage  what a host knows of its runs, and of Incus
//	spool, perref        what one hook leaves for another, or for the resident
//	runfiles             logs and lines of findings, in the state folder
//	host                 this package
//	console              what the command line asks of a host
//	doctor               checks of a machine
//	hookclient           what hooks call; imports nothing of ours
//	shipped              the first-party plugins, inside the program
//
// Data flows only to the right. Lanes and policy are read from the trusted revision
// and the host, never from the output of a plugin or a container.
//
// A refusal is a value (a lane run in state failed, exit status 1), a breakage is
// an error (state broken, exit status 3), and a gate that cannot decide
// refuses. Every decision about a lane is recorded with its reason before it takes
// effect.
package host
