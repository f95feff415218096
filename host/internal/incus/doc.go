// Package incus runs one command in one throw-away Incus container and says
// how it ended. It is the only package that speaks to Incus.
//
// A run is one straight line (run.go):
//
//	Spec --plan--------> limits and paths checked: what is not allowed is refused
//	     --image-------> the alias as a fingerprint, once per run
//	     --source------> a small tree as a tar, a large one as a shared read-only volume
//	     --create------> one request: unprivileged, own id map, no network, limits, labels
//	     --prepare-----> /work/base read-only, /work/src writable above it, user lane
//	     --exec--------> stdout and stderr apart and live, the real exit status
//	     --collect-----> artifacts over SFTP, links never followed
//	     --discard-----> always, with a time limit of its own
//
// What went wrong with the command is a value (Ended). What went wrong with
// the infrastructure is an error: *Error for what someone has to fix, with a hint
// that says how, *MachineError for what a second attempt may cure.
//
// Nothing is left behind: the command dies with this process because Incus
// kills it when the control socket closes, every container carries its owner,
// the owner's process and a deadline as labels, and Sweep removes those whose
// process is gone or whose time is up.
package incus
