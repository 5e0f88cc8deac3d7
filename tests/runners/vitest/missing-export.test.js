import { expect, test } from 'vitest';
import { median } from './mean.js';

test('median', () => expect(median([1, 2, 9])).toBe(2));
