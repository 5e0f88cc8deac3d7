jest.retryTimes(2);
let tries = 0;

test('wavers', () => expect(++tries).toBe(2));
