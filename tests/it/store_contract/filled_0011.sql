-- What the eleventh version left behind: written down once, never brought up to date.
INSERT INTO deliveries (hook, guid, body_digest, event, received, quarantine) VALUES
    (42, x'11e3cc7872d3162e81ab4c9367dc0958', zeroblob(32), 'issue_comment', 1700000000000, NULL),
    (42, x'11e3cc7872d3162e81ab4c9367dc0959', randomblob(32), 'issues', 1700000000001, 'no issue');
INSERT INTO work (lane, task, due) VALUES
    ('subject:1/7', '{"delivery":{"id":"72d3162e-cc78-11e3-81ab-4c9367dc0958","event":"issue_comment","payload":{"action":"created","repository":{"id":1,"full_name":"acme/widgets"},"issue":{"id":5,"number":7,"state":"open"}}}}', 1700000000000),
    ('subject:1/7', '{"next_on":{"repo":1,"number":7}}', 1700000000000),
    ('sweep:OldRows', '{"sweep":"old_rows"}', 1700000000000);
INSERT INTO sweeps (name, done) VALUES ('MissedDeliveries', 1700000000000);
UPDATE work SET lease_until = 1700000020000, fence = 1, abandoned = 2 WHERE id = 1;
INSERT INTO jobs (id, repo, number, pull, live, state, version, created, updated) VALUES
    ('aaaabbbbcccc', 1, 7, NULL, 1, '{"id":"aaaabbbbcccc","repo":{"installation":3,"repo":1,"name":"acme/widgets"},"subject":7,"order":{"kind":"fix","by":2,"login":"mona","at":1700000000000,"comment":9,"request":"","budget":null,"base":null,"model":null},"stage":{"fixing":{"round":1,"attempt":2}},"prepared":{"base":{"branch":"main","sha":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"rules":{},"budget":"$3.00"},"change":null,"unfinished":null,"pull":null,"spent":"$0.25"}', 4, 1700000000000, 1700000000000);
INSERT INTO acts (key, at) VALUES ('1/comment/9', 1700000000000);
INSERT INTO ledger (at, job, repo, installation, person, amount, what) VALUES
    (1700000000000, 'aaaabbbbcccc', 1, 3, 2, 250000, 'attempt 1');
INSERT INTO log (job, at, text) VALUES ('aaaabbbbcccc', 1700000000000, 'asked by mona');
INSERT INTO patches (digest, bytes) VALUES
    ('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', x'2d2d2d');
INSERT INTO releases (id, repo, base, package, pull, turn, state, version, created, updated) VALUES
    ('rrrrssssttt2', 1, 'main', '', 12, 'live', '{"id": "rrrrssssttt2", "repo": {"installation": 3, "repo": 1, "name": "acme/widgets"}, "subject": 9, "base": "main", "order": {"by": 2, "login": "mona", "at": 1700000000000, "comment": 11, "bump": "minor"}, "orders": 1, "stage": "proposed", "plan": {"base": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "version": "1.2.0", "tag": "v1.2.0", "last": "v1.1.0", "why": "1.1.0 and a minor, as ordered", "date": "2026-01-31", "notes": "### Fixed\n\n- a", "files": ["CHANGELOG.md"], "left": [], "fixes": [7]}, "pull": {"number": 12, "branch": "gander/release-main-rrrrssssttt2", "head": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}, "edited": false, "blocked": null, "merged": null, "tries": 0, "run": null}', 3, 1700000000000, 1700000000000);
INSERT INTO log (job, at, text) VALUES ('rrrrssssttt2', 1700000000000, 'ordered by mona');
UPDATE jobs SET warned = 1, changed = 0 WHERE id = 'aaaabbbbcccc';
INSERT INTO check_results (repo, name, app, suite, sha, place, red, at) VALUES
    (1, 'lint', 15368, 7, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '#12', 1, 1700000000000);
INSERT INTO turns (repo, turn) VALUES (1, 3);
UPDATE jobs SET stage = 'fixing' WHERE id = 'aaaabbbbcccc';
UPDATE patches SET job = 'aaaabbbbcccc';
INSERT INTO audit (seq, at, repo, salt, body, digest, hash) VALUES
    (1, 1700000000000, 1, x'01', '{"who":"mona","what":"opening the pull request","repo":1}', x'02', x'03'),
    (2, 1700000000000, NULL, NULL, NULL, x'04', x'05');
INSERT INTO audit_head (seq, hash) VALUES (2, x'05');
INSERT INTO slack (key, subject, record, until) VALUES
    ('link/U0MONA', NULL, '{"link": {"user_id": 2, "login": "mona"}}', NULL),
    ('thread/C0WIDGETS/1700000000.000001', '1/7', '{"thread": {"asked": "1700000000.000001", "by": "U0MONA", "words": "one too low", "repo": {"installation": 3, "repo": 1, "name": "acme/widgets"}, "issue": 7, "card": null, "state": "asked", "told": null}}', NULL);
