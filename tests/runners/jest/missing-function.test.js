const { median } = require('./mean');

test('median', () => expect(median([1, 2, 9])).toBe(2));
