import { test } from 'vitest';

test('green', () => { setTimeout(() => { throw new Error('late'); }, 0); });
test('waits', () => new Promise((done) => setTimeout(done, 50)));
