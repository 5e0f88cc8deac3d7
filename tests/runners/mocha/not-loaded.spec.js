require('./median');

it('median', () => {});
