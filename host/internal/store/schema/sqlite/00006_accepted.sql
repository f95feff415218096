-- +goose Up
-- Version 6: whether git took a push, and verdicts of refs that are gone, are
-- found without reading whole runs.
CREATE INDEX updates_between ON updates (ref, old, new);

PRAGMA user_version = 6;
