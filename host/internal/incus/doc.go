// Package incus runs one command in one throw-away Incus container and returns its
// result. It is the only package that uses Incus.
//
// A run is one straight line (run.go):
//
//	Spec --plan--------> limits and paths checked: what is not allowed is refused
//	     --image-------> the alias as a fingerprint, once per run
//	     --source------> a small tree as a tar, a large one as a shared read-only volume
//	     --create------> one request: unprivileged, own id map, no network but the granted one, limits, labels
//	     --prepare-----> /work/base read-only, /work/src writable above it, user lane
//	     --exec--------> stdout and stderr apart and live, the real exit status
//	     --collect-----> artifacts over SFTP, links never followed
//	     --discard-----> always, with its own time limit
//
// A failure of the command is a value (Ended). A failure of the infrastructure is
// an error: *Error if someone has to fix it, with a hint, *MachineError if another
// attempt may succeed.
//
// Nothing is left behind: the command dies with this process because Incus
// kills it when the control socket closes, every container has its owner, the
// owner's process and a deadline as labels, and Sweep removes those whose process
// ended or whose deadline passed.
package incus
