"""Shipped scenarios of a street, of six hours, of a week, as ``hub-sim run`` plays them."""

from pathlib import Path

import pytest

from firmware_sim.scenario.command import shipped
from tests.scenario.shipped import HOMES, TOWN, play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", TOWN)
async def test_all_is_as_it_must_be(name: str, tmp_path: Path) -> None:
    report = await play(name, tmp_path)
    assert report.faults == []
    assert len(report.lines) == len(report.scenario.expectations) > 0


def test_every_shipped_scenario_is_played() -> None:
    assert sorted([*HOMES, *TOWN]) == sorted(shipped())
