import os


def test_red():
    assert 1 == 2


def test_ends():
    os._exit(0)


def test_later():
    pass
