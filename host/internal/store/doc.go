// Package store stores runs: what was pushed, which lanes were chosen and why, the
// result of each, and which host works on which run. It uses one SQLite file that
// several processes share, or a PostgreSQL database that several machines share;
// both behave the same.
//
// Every change is one transaction: what a call has returned from survives the
// death of the process and of the machine. SQLite has one writing connection,
// in write-ahead mode with full synchronisation; in PostgreSQL a change of a run
// locks its row first, and numbering runs or entering a group locks the
// repository's row before that. Logs are files next to the database; it
// holds their path, size and digest.
//
// # What is where
//
// Store records and reads runs. The rest has a type for each, which a method of
// Store leads to: Queue (claims), Groups (lines of lane runs), Verdicts (of refs),
// Repositories (names, trust roots, schedules), Results (the cache), Values (of
// plugins), Outbox (notifications) and Tokens. All of them ask the one database
// below them, which knows no runs.
//
// # The queue
//
// A run that is begun with Waiting is claimed by one host at a time, highest
// priority first, then in the order of beginning. A claim is good until its
// lease ends, and is prolonged with Renew; whose lease has ended, or whose
// process is seen to be dead, is Lost and can be queued again. Every claim has
// a larger Fence than the one before it, and a holder writes through the store
// that Holding gives: what it writes after its claim was lost is refused.
package store
