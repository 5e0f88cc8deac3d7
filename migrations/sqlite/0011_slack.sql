-- What is remembered of Slack: who is who, which repository a channel talks about, which thread
-- belongs to which issue.
CREATE TABLE slack (
    key     TEXT PRIMARY KEY,
    subject TEXT,                           -- the issue that a thread is about: repository/number
    record  TEXT    NOT NULL,
    until   INTEGER                         -- NULL: it is kept
) STRICT;
CREATE INDEX slack_by_subject ON slack (subject) WHERE subject IS NOT NULL;
