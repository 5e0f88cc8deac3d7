const test = require('tape');

test('adds', (t) => {
  t.equal(1 + 1, 2);
  t.equal(1 + 2, 3, 'and more');
  t.end();
});

test.skip('later', (t) => t.end());

test('red one', (t) => {
  t.equal(1, 2, 'should be two');
  t.ok(true);
  t.end();
});
