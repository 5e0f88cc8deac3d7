-- What checks came to lately, pull requests of everybody included: by it a flaky one is known.
CREATE TABLE check_results (
    id    INTEGER PRIMARY KEY,
    repo  INTEGER NOT NULL,
    name  TEXT    NOT NULL,
    app   INTEGER,                          -- NULL: a commit status
    suite INTEGER,
    sha   TEXT    NOT NULL,
    place TEXT    NOT NULL,                 -- #12, else a branch, else the commit
    red   INTEGER NOT NULL,
    at    INTEGER NOT NULL
) STRICT;
CREATE INDEX check_results_lately ON check_results (repo, at);
CREATE INDEX check_results_by_name ON check_results (repo, name, at);
CREATE INDEX check_results_by_age ON check_results (at);
