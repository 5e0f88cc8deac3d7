import pytest

tries = []


@pytest.mark.flaky(reruns=2)
def test_wavers():
    tries.append(1)
    assert len(tries) > 1
