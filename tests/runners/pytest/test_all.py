import unittest

import pytest

from mean import mean, rounded


def test_of_two():
    assert mean([1, 3]) == 2


def test_red():
    assert mean([1, 3]) == 3


def test_needs_what_is_missing():
    import mean as module

    assert module.median([1, 3]) == 2


def test_meets_what_is_missing_in_the_code_itself():
    rounded([1, 3])


def test_raises():
    mean([])


def test_does_not_raise():
    with pytest.raises(ValueError):
        mean([1])


@pytest.fixture
def broken():
    raise RuntimeError("set up")


def test_setup(broken):
    pass


class TestInside:
    class TestDeeper:
        def test_n(self):
            pass


class TestCase(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(mean([1, 3]), 3)
