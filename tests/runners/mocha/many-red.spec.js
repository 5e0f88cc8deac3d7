for (let n = 1; n <= 256; n++) it(`test ${n}`, () => { throw new Error('red'); });
