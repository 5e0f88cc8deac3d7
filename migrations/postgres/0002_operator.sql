-- For whoever runs the server.

-- Where each job stands and how it ended, beside its state: jobs are listed and counted by them.
ALTER TABLE jobs ADD COLUMN stage TEXT NOT NULL DEFAULT 'queued';
ALTER TABLE jobs ADD COLUMN ending TEXT;        -- NULL: not over
-- What stands in a text cannot look like this: its quotes have a backslash.
UPDATE jobs SET
    stage = substring(state from '"stage":\s*\{?\s*"([a-z_]+)"'),
    ending = substring(state from '"stage":\s*\{\s*"done":\s*\{?\s*"([a-z_]+)"');
CREATE INDEX jobs_not_over ON jobs (seq, stage) WHERE stage <> 'done';
CREATE INDEX jobs_over ON jobs (updated) WHERE stage = 'done';

-- The job that a patch was last made for, with which it goes.
ALTER TABLE patches ADD COLUMN job TEXT;        -- NULL: not known
CREATE INDEX patches_by_job ON patches (job) WHERE job IS NOT NULL;

CREATE INDEX ledger_by_age ON ledger (at, amount);

-- A row is there while nothing new begins.
CREATE TABLE pauses (
    since BIGINT PRIMARY KEY
);

-- Who changed what. Rows are chained (src/core/audit.rs): none is ever changed or removed, but what
-- it says may be taken out.
CREATE TABLE audit (
    seq    BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    repo   BIGINT,
    salt   BYTEA,
    body   TEXT,                                -- JSON; NULL: taken out
    digest BYTEA  NOT NULL,                     -- of salt and body
    hash   BYTEA  NOT NULL                      -- of the row before, and this one
);
CREATE INDEX audit_by_repo ON audit (repo) WHERE repo IS NOT NULL;
CREATE TABLE audit_head (
    seq  BIGINT PRIMARY KEY,                    -- of the last row
    hash BYTEA  NOT NULL
);
CREATE FUNCTION audit_keeps_its_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log keeps its rows, and what they say';
END
$$;
CREATE TRIGGER audit_keeps_its_rows BEFORE DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_keeps_its_rows();
CREATE TRIGGER audit_keeps_what_it_says BEFORE UPDATE ON audit
    FOR EACH ROW WHEN (NEW.body IS NOT NULL OR NEW.salt IS NOT NULL OR NEW.seq <> OLD.seq
        OR NEW.at <> OLD.at OR NEW.digest <> OLD.digest OR NEW.hash <> OLD.hash)
    EXECUTE FUNCTION audit_keeps_its_rows();
