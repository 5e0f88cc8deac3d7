import sys


def test_exits():
    sys.exit(0)


def test_later():
    pass
