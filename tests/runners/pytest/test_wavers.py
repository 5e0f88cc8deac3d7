tries = []


def test_wavers():
    tries.append(1)
    assert len(tries) > 1
