test.skip('is skipped', () => {});
