test('slow', () => new Promise((done) => setTimeout(done, 4000)));
