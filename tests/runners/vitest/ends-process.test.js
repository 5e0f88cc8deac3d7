import { expect, test } from 'vitest';

test('before', () => {});
test('ends', () => process.exit(0));
test('red', () => expect(1).toBe(2));
