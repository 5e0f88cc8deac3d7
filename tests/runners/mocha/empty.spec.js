// No test is here.
