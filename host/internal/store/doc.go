// Package store keeps runs: what was pushed, which lanes were chosen and why,
// what became of each, in one SQLite file that several processes share.
//
// Every change is one transaction on one writing connection, in write-ahead
// mode with full synchronisation: what a call has returned from survives the
// death of the process and of the machine. Logs are files beside the
// database; it holds their path, size and digest.
package store
