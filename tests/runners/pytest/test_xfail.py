import pytest


@pytest.mark.xfail(strict=True)
def test_strict():
    pass


@pytest.mark.xfail
def test_green():
    pass


@pytest.mark.xfail
def test_red():
    assert 1 == 2
