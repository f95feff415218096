-- +goose Up
-- Version 5: runs that wait for a group without a host, how many hosts a run
-- outlived, and verdicts of branch heads that outlive their runs.
ALTER TABLE runs ADD COLUMN parked INTEGER NOT NULL DEFAULT 0; -- it waits for a group, and cannot be claimed
ALTER TABLE runs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0; -- of hosts that worked on it
DROP INDEX runs_waiting;
CREATE INDEX runs_waiting ON runs (protected DESC, priority DESC, id) WHERE state = 'queued' AND waiting AND NOT parked;

CREATE TABLE verdicts (
    repository INTEGER NOT NULL REFERENCES repositories (id),
    ref        TEXT    NOT NULL,
    id         TEXT    NOT NULL, -- the commit
    state      TEXT    NOT NULL,
    number     INTEGER NOT NULL, -- of the run that decided, which is no longer there
    ended      INTEGER NOT NULL,
    PRIMARY KEY (repository, ref)
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_gate_ended ON runs (gate, ended) WHERE ended > 0;

PRAGMA user_version = 5;
