import test from 'node:test';

test('green', () => {});
test('red', () => { throw new Error('red'); });
test('ends', () => process.exit(0));
