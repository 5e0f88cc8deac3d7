-- What a judging model said of a pull request, and what became of that, side by side.
ALTER TABLE jobs ADD COLUMN warned INTEGER;     -- 1: it warned, 0: it did not; NULL: nobody was asked
ALTER TABLE jobs ADD COLUMN changed INTEGER;    -- 1: not merged as it was, 0: merged so; NULL: open
CREATE INDEX jobs_judged ON jobs (repo, warned, changed)
    WHERE warned IS NOT NULL AND changed IS NOT NULL;
