-- +goose Up
-- The same tables as in ../sqlite at this version.
ALTER TABLE lane_runs ADD COLUMN cached_from BIGINT NOT NULL DEFAULT 0;
