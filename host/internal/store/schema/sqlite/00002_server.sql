-- +goose Up
-- Version 2: waiting runs with leases, groups, deliveries and tokens.
ALTER TABLE repositories ADD COLUMN served INTEGER NOT NULL DEFAULT 0;

ALTER TABLE runs ADD COLUMN waiting   INTEGER NOT NULL DEFAULT 0; -- it was made to be claimed
ALTER TABLE runs ADD COLUMN origin    TEXT    NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN priority  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN rerun_of  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN cancel_by TEXT    NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN lease     INTEGER NOT NULL DEFAULT 0; -- when the claim ends
ALTER TABLE runs ADD COLUMN fence     INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX runs_origin ON runs (repository, origin) WHERE origin <> '';
CREATE INDEX runs_waiting ON runs (priority DESC, id) WHERE state = 'queued' AND waiting;
CREATE INDEX runs_of ON runs (repository, id);
CREATE INDEX runs_ended ON runs (ended) WHERE ended > 0;

CREATE TABLE lanes_files (
    sha256 TEXT PRIMARY KEY, -- of source, a zero byte and text
    source TEXT NOT NULL,
    text   BLOB NOT NULL
) STRICT;

ALTER TABLE updates ADD COLUMN protected INTEGER NOT NULL DEFAULT 1; -- until now every required lane refused
ALTER TABLE updates ADD COLUMN lanes_rev TEXT    NOT NULL DEFAULT '';
ALTER TABLE updates ADD COLUMN lanes_sha TEXT    NOT NULL DEFAULT '';
CREATE INDEX updates_ref ON updates (ref, run);
CREATE INDEX updates_lanes ON updates (lanes_sha);

ALTER TABLE lane_runs ADD COLUMN supersede INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane_runs ADD COLUMN grp       TEXT    NOT NULL DEFAULT ''; -- concurrency group
CREATE INDEX lane_runs_open ON lane_runs (state) WHERE state IN ('queued', 'starting', 'running');

CREATE TABLE tickets (
    lane_run   INTEGER PRIMARY KEY REFERENCES lane_runs (id) ON DELETE CASCADE,
    repository INTEGER NOT NULL REFERENCES repositories (id),
    grp        TEXT    NOT NULL,
    holds      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tickets_group ON tickets (repository, grp);

CREATE TABLE schedules (
    repository INTEGER NOT NULL REFERENCES repositories (id),
    lane       TEXT    NOT NULL,
    fired      INTEGER NOT NULL, -- the newest minute that began a run; outlives the run
    PRIMARY KEY (repository, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    run      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    target   TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    body     BLOB    NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next     INTEGER NOT NULL,
    error    TEXT    NOT NULL DEFAULT '',
    state    TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed'))
) STRICT;
CREATE INDEX deliveries_run ON deliveries (run, target, id);
CREATE INDEX deliveries_next ON deliveries (next, id) WHERE state = 'waiting';

CREATE TABLE tokens (
    name    TEXT    PRIMARY KEY,
    scope   TEXT    NOT NULL,
    hash    BLOB    NOT NULL UNIQUE, -- sha256 of the token
    created INTEGER NOT NULL
) STRICT;

PRAGMA user_version = 2;
