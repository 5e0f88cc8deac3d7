import pytest


@pytest.mark.skip(reason="not now")
def test_a():
    pass
