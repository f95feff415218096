-- +goose Up
-- Version 7: of which run a cached result is.
ALTER TABLE lane_runs ADD COLUMN cached_from INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 7;
