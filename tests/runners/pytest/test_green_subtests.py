def test_three(subtests):
    for n in range(3):
        with subtests.test(n=n):
            assert n < 3
