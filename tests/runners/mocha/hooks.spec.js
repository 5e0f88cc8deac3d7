describe('with a hook', () => {
  before(() => { throw new Error('before'); });
  for (let n = 1; n <= 5; n++) it(`test ${n}`, () => {});
});
