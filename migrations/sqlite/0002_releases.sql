-- The making of versions, written like jobs.
CREATE TABLE releases (
    seq     INTEGER PRIMARY KEY,            -- the order in which they were made
    id      TEXT    NOT NULL UNIQUE,
    repo    INTEGER NOT NULL,
    base    TEXT    NOT NULL,               -- the branch it is made from
    pull    INTEGER,                        -- its pull request, once there is one
    turn    TEXT    NOT NULL CHECK (turn IN ('waits', 'live', 'over')),
    state   TEXT    NOT NULL,               -- JSON
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE INDEX releases_by_repo ON releases (repo, seq);
CREATE INDEX releases_by_pull ON releases (repo, pull) WHERE pull IS NOT NULL;
-- One is under way on a branch, and one may wait behind it.
CREATE UNIQUE INDEX one_release_of_a_turn ON releases (repo, base, turn) WHERE turn <> 'over';
