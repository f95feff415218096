// Package incus runs commands in throw-away Incus containers, the only
// package that speaks to an Incus.
//
// One container lives like this: the intent is checked against the limits,
// the image alias becomes a fingerprint, the container is created and started
// in one request (no profile, no network device, unprivileged, every limit
// set), the pushed tree arrives at /work/base and is overlaid at /work/src,
// the command runs with its two output streams apart, artifacts are copied
// out, and the container is deleted whatever happened. Its labels
// (user.pushlane.*) say whose it is and when it must be gone; Sweep removes
// what a killed host left behind.
//
// The client library is pinned at v6.23.0. Worked around: its event listener
// can crash the process or lose operations, so events are never used and
// operations are waited for by asking; a lost operation (gone five seconds
// after its end) is settled by looking at the instance.
package incus
