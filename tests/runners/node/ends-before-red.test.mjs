import test from 'node:test';

test('green', () => {});
test('ends', () => process.exit(0));
test('red', () => { throw new Error('red'); });
