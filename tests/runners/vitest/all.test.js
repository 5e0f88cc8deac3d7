import { describe, expect, test } from 'vitest';
import * as code from './mean.js';

test('of two', () => expect(code.mean([1, 3])).toBe(2));
test('is red', () => expect(code.mean([1, 3])).toBe(3));
test('meets what is missing in the code itself', () => { code.rounded([1, 3]); });
test.skip('is skipped', () => {});
test.todo('is to do');
describe('of one', () => {
  test('is that one', () => expect(code.mean([1])).toBe(1));
  test('throws', () => { throw new RangeError('no'); });
});
