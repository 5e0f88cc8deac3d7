-- A job and a release name their repository `repo`, formerly `place`. What a job knows together
-- stands together: what preparing found, and a change with what its checks said.
UPDATE jobs SET state = json_set(
    json_remove(state, '$.place', '$.base', '$.rules', '$.budget', '$.proposal', '$.evidence'),
    '$.repo', json_extract(state, '$.place'),
    '$.prepared', json(iif(
        json_type(state, '$.base') = 'object' AND json_type(state, '$.rules') = 'object',
        json_object(
            'base', json_extract(state, '$.base'),
            'rules', json_extract(state, '$.rules'),
            'budget', json_extract(state, '$.budget')
        ),
        'null'
    )),
    '$.change', json(iif(
        json_type(state, '$.proposal') = 'object',
        json_object(
            'proposal', json_extract(state, '$.proposal'),
            'evidence', json_extract(state, '$.evidence')
        ),
        'null'
    ))
);
UPDATE releases SET state = json_set(
    json_remove(state, '$.place'),
    '$.repo', json_extract(state, '$.place')
);
UPDATE work SET task = json_set(
    json_remove(task, '$.reply.place'),
    '$.reply.repo', json_extract(task, '$.reply.place')
) WHERE json_type(task, '$.reply') = 'object';

-- A task that takes one of the worker's slots is claimed only where one is free, so that it is not
-- held by a loop that answers people meanwhile. Of what waits now, every step of a job counts so.
ALTER TABLE work ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;
UPDATE work SET slot = 1 WHERE lane LIKE 'job:%';
DROP INDEX work_ready;
CREATE INDEX work_ready ON work (slot, ready) WHERE head = 1;
