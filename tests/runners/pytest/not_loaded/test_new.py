from mean import median


def test_median():
    assert median([1, 2, 9]) == 2
