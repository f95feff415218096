-- +goose Up
-- The same tables as in ../sqlite at this version.
CREATE INDEX updates_between ON updates (ref, old, new);
