test('red', () => expect(1).toBe(2));
test('ends', () => process.exit(0));
test('later', () => {});
