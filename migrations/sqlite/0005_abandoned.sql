-- How often whoever worked on a task was gone without a word: such a task may be what ends it.
ALTER TABLE work ADD COLUMN abandoned INTEGER NOT NULL DEFAULT 0;
