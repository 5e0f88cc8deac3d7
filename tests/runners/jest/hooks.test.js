describe('with a hook', () => {
  beforeAll(() => { throw new Error('before'); });
  test('one', () => {});
  test('two', () => {});
});
