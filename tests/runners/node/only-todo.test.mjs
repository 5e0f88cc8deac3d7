import test from 'node:test';

test('is to do', { todo: true }, () => { throw new Error('not yet'); });
