-- +goose Up
-- Version 3: what plugins keep, and verdicts that may be used again.
CREATE TABLE plugin_values (
    repository TEXT NOT NULL, -- key of the repository
    plugin     TEXT NOT NULL, -- its name and who answers for it
    name       TEXT NOT NULL,
    value      BLOB NOT NULL,
    PRIMARY KEY (repository, plugin, name)
) STRICT;

CREATE TABLE remembered (
    id    INTEGER PRIMARY KEY,
    key   TEXT    NOT NULL, -- digest of all that a lane run was given
    body  BLOB    NOT NULL, -- what it asked, and what it said
    made  INTEGER NOT NULL,
    used  INTEGER NOT NULL
) STRICT;
CREATE INDEX remembered_key ON remembered (key, id);
CREATE INDEX remembered_used ON remembered (used);

PRAGMA user_version = 3;
