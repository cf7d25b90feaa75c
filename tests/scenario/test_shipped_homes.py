"""Shipped scenarios of one or two homes, as ``hub-sim run`` plays them."""

from pathlib import Path

import pytest

from tests.scenario.shipped import HOMES, play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", HOMES)
async def test_all_is_as_it_must_be(name: str, tmp_path: Path) -> None:
    report = await play(name, tmp_path)
    assert report.faults == []
    assert report.accounts
    assert report.leaps > 0
