-- Packages of one repository with versions of their own are released side by side.
ALTER TABLE releases ADD COLUMN package TEXT NOT NULL DEFAULT '';  -- empty: all of the repository
DROP INDEX one_release_of_a_turn;
CREATE UNIQUE INDEX one_release_of_a_turn ON releases (repo, base, package, turn)
    WHERE turn <> 'over';
