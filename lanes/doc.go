// Package lanes reads the lanes file and decides which lanes a push runs.
//
// Load reads a lanes file and refuses it with all errors at once. Pick takes one
// update and decides about every lane, with the path and the pattern that decided.
// Import converts the configuration of another tool to a lanes file.
//
// # The file
//
// A lanes file is TOML, at .pushlane/lanes.toml, lanes.toml or ci/lanes.toml of its
// repository.
//
//	version = 1
//
//	[[lane]]
//	id = "go-test"
//	plugin = "shell"
//	paths = ["**/*.go", "go.mod"]
//	[lane.with]
//	run = "go test ./..."
//	[lane.grant]
//	container = true
//
// The keys of the file:
//
//   - version: 1; required.
//   - [[lane]]: one check; they are reported in the order of the file.
//   - [groups.NAME] limit: lane runs of that group at once, from 1 to 1000.
//
// The keys of a lane:
//
//   - id: its name, of a-z, 0-9, _ and -; unique.
//   - title: the name shown to people; default: the id.
//   - plugin: the program that does the work, by its first-party name or by a name in lanes.lock.
//   - paths: patterns; the lane runs when a changed path matches one. Left out: it runs on every push.
//   - ignore: patterns; a path that matches one does not count.
//   - on: the gates, of pre-commit, commit-msg, pre-push, pre-receive, post-receive, schedule and manual;
//     default: pre-push and pre-receive.
//   - branches: patterns of target branches; refs/tags/v* and the like for tags. Left out: every ref.
//   - schedule: a cron line in UTC, see [Schedule]; together with the gate schedule.
//   - needs: ids of lanes that must pass before this one starts.
//   - required: false for a lane whose result is shown but never refuses a push; default: true.
//   - timeout: such as "90s" or "1h30m", at most 24h; default: 10m.
//   - retries: how often to try again after an infrastructure error (a container stopped
//     from outside, a plugin's process that died), at most 10; default: 0. A failure is never tried again.
//   - concurrency_group: the [groups.NAME] whose limit the lane shares.
//   - supersede: true lets a newer push cancel an older run that is still waiting.
//   - [lane.with]: settings, passed to the plugin as JSON and validated against its schema.
//   - remember: which results are cached until an input changes: "plugin" (of runs without containers;
//     the default), "containers" (also with containers, for the same image and source), "never".
//   - [lane.grant]: what the plugin may request: read and history (default: true); container, network, kv
//     and clock (default: false); http, secrets and env, lists of hosts and names. read may be a list of
//     globs: then no other file exists, neither for the plugin nor for its containers. network may be a list
//     of names ("example.org", "*.example.org", "example.org:8443", "*"): then containers reach these alone.
//
// # Patterns
//
// A pattern means exactly what git's `:(glob)` pathspec means; see [Glob]. A
// path counts when it was added, changed, deleted, or moved from or to.
//
// In `branches` the same wildcards match the name of a branch, and a star does not
// match a slash; there a plain name matches only that branch.
//
// # What is picked
//
// A lane is picked if the gate, the ref and the paths all match. For an update that
// changes no path, the lanes without paths are picked. A lane that runs only on a
// schedule is never picked by a push.
//
// Needs determine the order of lanes, not which lanes run: a needed lane that is not
// picked does not run and counts as passed. Otherwise every lane that others need
// would have to repeat all their paths.
//
// # Doubtful input
//
// Doubtful input never means fewer checks. A file with an error is refused as a
// whole, and an import converts a check that it cannot translate to a lane that
// refuses every push until someone writes its command.
package lanes
