let tries = 0;

it('wavers', function () {
  this.retries(2);
  if (++tries < 2) throw new Error('not at first');
});
