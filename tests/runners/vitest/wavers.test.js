import { expect, test } from 'vitest';

let tries = 0;
test('wavers', { retry: 2 }, () => expect(++tries).toBe(2));
