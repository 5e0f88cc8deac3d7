-- When each regular task was last done, all of it: what lags is said.
CREATE TABLE sweeps (
    name TEXT    PRIMARY KEY,
    done INTEGER NOT NULL
) STRICT;
