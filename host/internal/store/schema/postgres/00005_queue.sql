-- +goose Up
-- The same tables as in ../sqlite at this version.
ALTER TABLE runs ADD COLUMN parked BOOLEAN NOT NULL DEFAULT FALSE; -- it waits for a group, and cannot be claimed
ALTER TABLE runs ADD COLUMN deaths BIGINT  NOT NULL DEFAULT 0; -- of hosts that worked on it
DROP INDEX runs_waiting;
CREATE INDEX runs_waiting ON runs (protected DESC, priority DESC, id) WHERE state = 'queued' AND waiting AND NOT parked;

CREATE TABLE verdicts (
    repository BIGINT NOT NULL REFERENCES repositories (id),
    ref        TEXT   COLLATE "C" NOT NULL,
    id         TEXT   COLLATE "C" NOT NULL, -- the commit
    state      TEXT   NOT NULL,
    number     BIGINT NOT NULL, -- of the run that decided, which is no longer there
    ended      BIGINT NOT NULL,
    PRIMARY KEY (repository, ref)
);

CREATE INDEX runs_gate_ended ON runs (gate, ended) WHERE ended > 0;
