test.todo('is to do');
