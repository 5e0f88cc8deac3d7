const assert = require('node:assert/strict');
const code = require('./mean');

it('of two', () => assert.equal(code.mean([1, 3]), 2));
it('is red', () => assert.equal(code.mean([1, 3]), 3));
it('needs what is missing', () => assert.equal(code.median([1, 3]), 2));
describe('of one', () => {
  it('is that one', () => assert.equal(code.mean([1]), 1));
  it('meets what is missing in the code itself', () => code.rounded([1]));
  it.skip('is skipped', () => {});
  it('is to do');
});
