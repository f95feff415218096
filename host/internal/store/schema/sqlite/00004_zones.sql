-- +goose Up
-- Version 4: what outlives a run belongs to a zone, and the refs whose lanes
-- are trusted are on record. Values and results of before were written by runs
-- of any ref, so they are dropped.
DROP TABLE plugin_values;
CREATE TABLE plugin_values (
    zone       TEXT NOT NULL, -- key of the zone: trust and repository
    plugin     TEXT NOT NULL, -- its verified signer and name, else its digest
    name       TEXT NOT NULL,
    value      BLOB NOT NULL,
    PRIMARY KEY (zone, plugin, name)
) STRICT;

DROP TABLE remembered;
CREATE TABLE remembered (
    id    INTEGER PRIMARY KEY,
    zone  TEXT    NOT NULL,
    key   TEXT    NOT NULL, -- digest of all that a lane run was given
    body  BLOB    NOT NULL, -- its inputs and its verdict
    made  INTEGER NOT NULL,
    used  INTEGER NOT NULL
) STRICT;
CREATE INDEX remembered_key ON remembered (zone, key, id);
CREATE INDEX remembered_used ON remembered (used);

ALTER TABLE tickets ADD COLUMN zone TEXT NOT NULL DEFAULT '';
DROP INDEX tickets_group;
CREATE INDEX tickets_group ON tickets (zone, grp);

CREATE TABLE trust_roots (
    repository TEXT    PRIMARY KEY, -- key of the repository
    ref        TEXT    NOT NULL,    -- whose lanes judge refs that have none of their own
    head       TEXT    NOT NULL,    -- what HEAD named then
    dangling   INTEGER NOT NULL,    -- HEAD named a branch that was not there
    id         TEXT    NOT NULL,    -- the commit it was last seen at
    seen       INTEGER NOT NULL,    -- the ref was there, with lanes
    at         INTEGER NOT NULL     -- milliseconds since 1970 UTC
) STRICT;

ALTER TABLE runs ADD COLUMN protected INTEGER NOT NULL DEFAULT 0; -- one of its updates is
UPDATE runs SET protected = 1 WHERE id IN (SELECT run FROM updates WHERE protected);
DROP INDEX runs_waiting;
CREATE INDEX runs_waiting ON runs (protected DESC, priority DESC, id) WHERE state = 'queued' AND waiting;

ALTER TABLE tokens ADD COLUMN repositories TEXT NOT NULL DEFAULT ''; -- keys that it is for, with zero bytes between; none: all

PRAGMA user_version = 4;
