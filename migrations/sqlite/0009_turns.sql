-- Repositories take turns at the worker's slots, and of one what has begun goes before what is new.
ALTER TABLE work ADD COLUMN repo INTEGER;                       -- NULL: it takes no slot
ALTER TABLE work ADD COLUMN begun INTEGER NOT NULL DEFAULT 1;
CREATE INDEX work_in_slots ON work (repo) WHERE slot = 1 AND lease_until IS NOT NULL;
-- Whose turn was last: the higher, the later.
CREATE TABLE turns (
    repo INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL
) STRICT;
