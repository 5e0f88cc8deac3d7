import pytest


@pytest.fixture
def closing():
    yield
    raise RuntimeError("torn down")


def test_red(closing):
    assert 1 == 2
