def test_one_of_three(subtests):
    for n in range(3):
        with subtests.test(n=n):
            assert n != 1
