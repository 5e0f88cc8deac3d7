import { test, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import * as code from './mean.mjs';

test('of two', () => assert.equal(code.mean([1, 3]), 2));
test('is red', () => assert.equal(code.mean([1, 3]), 3));
test('needs what is missing', () => assert.equal(code.median([1, 3]), 2));
test('meets what is missing in the code itself', () => code.rounded([1, 3]));
test('is skipped', { skip: true }, () => {});
test('is to do', { todo: true }, () => assert.fail());
describe('of one', () => {
  it('is that one', () => assert.equal(code.mean([1]), 1));
  it('throws', () => { throw new RangeError('no'); });
});
test('has subtests', async (t) => {
  await t.test('green', () => {});
  await t.test('red', () => assert.ok(false));
});
