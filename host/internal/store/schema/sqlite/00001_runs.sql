-- +goose Up
CREATE TABLE repositories (
    id          INTEGER PRIMARY KEY,
    key         TEXT    NOT NULL UNIQUE, -- the common git folder
    name        TEXT    NOT NULL,
    last_number INTEGER NOT NULL DEFAULT 0 -- of its newest run; never goes back
) STRICT;

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    repository  INTEGER NOT NULL REFERENCES repositories (id),
    number      INTEGER NOT NULL,
    gate        TEXT    NOT NULL,
    remote      TEXT    NOT NULL,
    pusher      TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'passed', 'failed', 'broken', 'cancelled')),
    exit        INTEGER NOT NULL DEFAULT 0,
    message     TEXT    NOT NULL DEFAULT '',
    skip_reason TEXT    NOT NULL DEFAULT '',
    queued      INTEGER NOT NULL,           -- this and all times: milliseconds since 1970 UTC, 0 for not yet
    started     INTEGER NOT NULL DEFAULT 0,
    ended       INTEGER NOT NULL DEFAULT 0,
    host_pid    INTEGER NOT NULL,
    host_start  TEXT    NOT NULL,           -- when that process began, as the system says it
    host_boot   TEXT    NOT NULL,           -- the machine's boot
    host_space  TEXT    NOT NULL,           -- the process id namespace
    UNIQUE (repository, number)
) STRICT;

CREATE INDEX runs_open ON runs (id) WHERE state IN ('queued', 'running');

CREATE TABLE updates (
    run      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    ref      TEXT    NOT NULL,
    old      TEXT    NOT NULL,
    new      TEXT    NOT NULL,
    base     TEXT    NOT NULL,
    forced   INTEGER NOT NULL,
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX updates_new ON updates (new);

CREATE TABLE lane_runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    run         INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL, -- of the update, -1 where there is none
    lane        TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    path        TEXT    NOT NULL, -- path, glob and reason: what picked the lane
    glob        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    plugin      TEXT    NOT NULL,
    digest      TEXT    NOT NULL DEFAULT '', -- of the plugin, sha256 in hex
    image       TEXT    NOT NULL DEFAULT '', -- fingerprint
    state       TEXT    NOT NULL CHECK (state IN
        ('queued', 'starting', 'running', 'passed', 'failed', 'broken', 'cancelled', 'skipped')),
    required    INTEGER NOT NULL,
    queued      INTEGER NOT NULL,
    started     INTEGER NOT NULL DEFAULT 0,
    ended       INTEGER NOT NULL DEFAULT 0,
    message     TEXT    NOT NULL DEFAULT '', -- the verdict's
    log_path    TEXT    NOT NULL DEFAULT '',
    log_size    INTEGER NOT NULL DEFAULT 0,
    log_sha256  TEXT    NOT NULL DEFAULT '',
    UNIQUE (run, position, lane, attempt)
) STRICT;

CREATE TABLE findings (
    lane_run INTEGER NOT NULL REFERENCES lane_runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    level    TEXT    NOT NULL,
    path     TEXT    NOT NULL,
    line     INTEGER NOT NULL,
    col      INTEGER NOT NULL,
    rule     TEXT    NOT NULL,
    message  TEXT    NOT NULL,
    PRIMARY KEY (lane_run, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
    lane_run INTEGER NOT NULL REFERENCES lane_runs (id) ON DELETE CASCADE,
    name     TEXT    NOT NULL,
    path     TEXT    NOT NULL,
    size     INTEGER NOT NULL,
    sha256   TEXT    NOT NULL,
    PRIMARY KEY (lane_run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    run      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    lane_run INTEGER NOT NULL, -- 0: the run itself, or a lane that was not picked
    lane     TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    message  TEXT    NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
-- +goose StatementEnd

-- Events leave only together with their run.
-- +goose StatementBegin
CREATE TRIGGER events_go_with_run BEFORE DELETE ON events
WHEN EXISTS (SELECT 1 FROM runs WHERE id = OLD.run)
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
-- +goose StatementEnd

PRAGMA user_version = 1;
