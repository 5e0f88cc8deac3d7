import pytest


@pytest.fixture
def closing():
    yield
    raise RuntimeError("torn down")


def test_green(closing):
    pass
