it('red', () => { throw new Error('red'); });
it('ends', () => process.exit(0));
it('later', () => {});
