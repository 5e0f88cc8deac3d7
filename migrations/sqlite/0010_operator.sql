-- For whoever runs the server.

-- Where each job stands and how it ended, beside its state: jobs are listed and counted by them.
ALTER TABLE jobs ADD COLUMN stage TEXT NOT NULL DEFAULT 'queued';
ALTER TABLE jobs ADD COLUMN ending TEXT;        -- NULL: not over
UPDATE jobs SET
    stage = CASE json_type(state, '$.stage')
        WHEN 'text' THEN json_extract(state, '$.stage')
        ELSE (SELECT key FROM json_each(state, '$.stage') LIMIT 1) END,
    ending = CASE json_type(state, '$.stage.done')
        WHEN 'text' THEN json_extract(state, '$.stage.done')
        WHEN 'object' THEN (SELECT key FROM json_each(state, '$.stage.done') LIMIT 1) END;
CREATE INDEX jobs_not_over ON jobs (seq, stage) WHERE stage <> 'done';
CREATE INDEX jobs_over ON jobs (updated) WHERE stage = 'done';

-- The job that a patch was last made for, with which it goes.
ALTER TABLE patches ADD COLUMN job TEXT;        -- NULL: not known
CREATE INDEX patches_by_job ON patches (job) WHERE job IS NOT NULL;

CREATE INDEX ledger_by_age ON ledger (at, amount);

-- A row is there while nothing new begins.
CREATE TABLE pauses (
    since INTEGER PRIMARY KEY
) STRICT;

-- Who changed what. Rows are chained (src/core/audit.rs): none is ever changed or removed, but what
-- it says may be taken out.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    repo   INTEGER,
    salt   BLOB,
    body   TEXT,                                -- JSON; NULL: taken out
    digest BLOB    NOT NULL,                    -- of salt and body
    hash   BLOB    NOT NULL                     -- of the row before, and this one
) STRICT;
CREATE INDEX audit_by_repo ON audit (repo) WHERE repo IS NOT NULL;
CREATE TABLE audit_head (
    seq  INTEGER PRIMARY KEY,                   -- of the last row
    hash BLOB    NOT NULL
) STRICT;
CREATE TRIGGER audit_keeps_its_rows BEFORE DELETE ON audit
BEGIN
    SELECT raise(ABORT, 'the audit log keeps its rows');
END;
CREATE TRIGGER audit_keeps_what_it_says BEFORE UPDATE ON audit
WHEN NEW.body IS NOT NULL OR NEW.salt IS NOT NULL OR NEW.seq IS NOT OLD.seq
    OR NEW.at IS NOT OLD.at OR NEW.digest IS NOT OLD.digest OR NEW.hash IS NOT OLD.hash
BEGIN
    SELECT raise(ABORT, 'the audit log keeps what it says');
END;
