-- Moments are milliseconds since 1970 UTC, amounts are millionths of a dollar.

-- What GitHub sent, as far as it takes to recognise it when it comes again.
-- Rows are lean because every accepted delivery pays for them.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    hook        INTEGER NOT NULL,
    guid        BLOB    NOT NULL,           -- 16 bytes, ordered by their time
    body_digest BLOB    NOT NULL,           -- SHA-256 of the raw body
    event       TEXT    NOT NULL,
    received    INTEGER NOT NULL,
    quarantine  TEXT                        -- why it is kept out of the queue
) STRICT;
CREATE UNIQUE INDEX deliveries_by_guid ON deliveries (guid, hook);
CREATE UNIQUE INDEX deliveries_by_body ON deliveries (body_digest);
CREATE INDEX deliveries_by_age ON deliveries (received);

-- The queue. Only the first task of a lane (its head) may be taken, so that a claim reads one
-- index entry however long the queue is; the triggers below keep that flag true.
CREATE TABLE work (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: a lease names it
    lane        TEXT    NOT NULL,
    task        TEXT    NOT NULL,           -- JSON
    due         INTEGER NOT NULL,
    head        INTEGER NOT NULL DEFAULT 0,
    tries       INTEGER NOT NULL DEFAULT 0,
    fence       INTEGER NOT NULL DEFAULT 0, -- grows with every claim
    lease_until INTEGER,                    -- NULL: nobody has it
    fault       TEXT,                       -- what went wrong the last time
    ready       INTEGER AS (coalesce(lease_until, due))
) STRICT;
CREATE INDEX work_by_lane ON work (lane);
CREATE INDEX work_ready ON work (ready) WHERE head = 1;

CREATE TRIGGER work_first_of_its_lane AFTER INSERT ON work
WHEN NOT EXISTS (SELECT 1 FROM work WHERE lane = NEW.lane AND id < NEW.id)
BEGIN
    UPDATE work SET head = 1 WHERE id = NEW.id;
END;

CREATE TRIGGER work_next_of_its_lane AFTER DELETE ON work WHEN OLD.head = 1
BEGIN
    UPDATE work SET head = 1 WHERE id = (SELECT min(id) FROM work WHERE lane = OLD.lane);
END;

CREATE TABLE jobs (
    seq     INTEGER PRIMARY KEY,            -- the order in which they were made
    id      TEXT    NOT NULL UNIQUE,
    repo    INTEGER NOT NULL,
    number  INTEGER NOT NULL,               -- the issue
    pull    INTEGER,                        -- the pull request, once there is one
    live    INTEGER NOT NULL,               -- holds its subject
    state   TEXT    NOT NULL,               -- JSON
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_by_number ON jobs (repo, number);
CREATE INDEX jobs_by_pull ON jobs (repo, pull) WHERE pull IS NOT NULL;
CREATE UNIQUE INDEX one_live_job_on_a_subject ON jobs (repo, number) WHERE live = 1;

-- Acts that were answered.
CREATE TABLE acts (
    key TEXT    PRIMARY KEY,
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX acts_by_age ON acts (at);

CREATE TABLE ledger (
    id           INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    job          TEXT    NOT NULL,
    repo         INTEGER NOT NULL,
    installation INTEGER NOT NULL,
    person       INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    what         TEXT    NOT NULL
) STRICT;
CREATE INDEX ledger_by_repo ON ledger (repo, at, amount);
CREATE INDEX ledger_by_installation ON ledger (installation, at, amount);
CREATE INDEX ledger_by_person ON ledger (person, at, amount);

CREATE TABLE log (
    id   INTEGER PRIMARY KEY,
    job  TEXT,                              -- NULL: what was done belongs to no job
    at   INTEGER NOT NULL,
    text TEXT    NOT NULL
) STRICT;
CREATE INDEX log_by_job ON log (job);

CREATE TABLE patches (
    digest TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;
