// Package lanes says which checks exist and which of them a push asks for.
//
// Load reads a lanes file and refuses it with every fault at once. Pick takes
// one update and decides about every lane, with the path and the pattern that
// decided. Import writes a lanes file out of another tool's.
//
// # The file
//
// A lanes file is TOML and lies at .pushlane/lanes.toml, lanes.toml or
// ci/lanes.toml of the repository it is about.
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
//   - version: 1, and it must be there.
//   - [[lane]]: one check; they are reported in the order of the file.
//   - [groups.NAME] limit: lane runs of that group at once, from 1 to 1000.
//
// The keys of a lane:
//
//   - id: its name, of a-z, 0-9, _ and -; no other lane's.
//   - title: what people see; the id where it is left out.
//   - plugin: the program that does the work, by its first-party name or by a name in lanes.lock.
//   - paths: patterns; the lane runs when a changed path matches one. Left out: it runs on every push.
//   - ignore: patterns; a path that matches one does not count.
//   - on: the gates, of pre-commit, commit-msg, pre-push, pre-receive, post-receive, schedule and manual;
//     pre-push and pre-receive where it is left out.
//   - branches: patterns of target branches; refs/tags/v* and the like for tags. Left out: every ref.
//   - schedule: a cron line in UTC, see [Schedule]; together with the gate schedule.
//   - needs: ids of lanes that must pass before this one starts.
//   - required: false for a lane that is shown and never refuses a push; true where it is left out.
//   - timeout: such as "90s" or "1h30m", at most 24h; 10m where it is left out.
//   - retries: how often to try again after an infrastructure error (a container stopped
//     from outside, a plugin's process that died), at most 10; 0 where it is left out. A "no" is never tried again.
//   - concurrency_group: the [groups.NAME] whose limit the lane shares.
//   - supersede: true lets a newer push cancel an older run that still waits.
//   - [lane.with]: settings, handed to the plugin as JSON and checked against its schema.
//   - remember: what of the lane's runs may be used again when nothing that they read has changed:
//     "plugin" (runs without containers; where left out), "containers" (these too, as long as image and
//     source are the same), "never".
//   - [lane.grant]: what the plugin may ask for: read and history (true where left out); container, network, kv
//     and clock (false where left out); http, secrets and env, lists of hosts and names. read may be a list of
//     globs: then no other file is there, neither for the plugin nor for its containers.
//
// # Patterns
//
// A pattern means exactly what git's `:(glob)` pathspec means; see [Glob]. A
// path counts when it was added, changed, deleted, or moved from or to.
//
// In `branches` the same wildcards match the name of a branch, and a star
// stops at a slash; there a plain name is that branch and none below it.
//
// # What is picked
//
// A lane is picked when the gate, the ref and the paths all agree with it. Of
// an update that changes no path, the lanes without paths are picked. A lane
// that runs on a schedule only is never picked by a push.
//
// Needs order lanes, they do not choose them: when a lane that is needed is
// itself not picked, it is not run and counts as passed. Otherwise every lane
// that others need would have to repeat all their paths.
//
// # Why not
//
// Doubtful input never means fewer checks. A file with a fault is refused as
// a whole, and an import leaves a lane that it cannot translate in place, as
// one that refuses every push until someone has written its command.
package lanes
