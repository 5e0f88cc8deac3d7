import pytest


@pytest.mark.parametrize("n", [1, 2])
def test_p(n):
    assert n
