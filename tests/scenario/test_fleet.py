"""A fleet of homes on a real broker and centre: all they observe is receipted; the same seed, the same days."""

import asyncio
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.fleet.homes import day, homes, site
from firmware_sim.stage import Stage

HOMES = 40


def test_the_same_seed_lets_the_same_things_happen() -> None:
    (home, other, *_) = homes(HOMES)
    first = list(itertools.islice(day(home, 7, 100.0), 200))
    assert first == list(itertools.islice(day(home, 7, 100.0), 200))
    assert first != list(itertools.islice(day(home, 8, 100.0), 200))
    assert [seen.kind for seen in first] != [seen.kind for seen in itertools.islice(day(other, 7, 100.0), 200)]
    opened = [seen.kind for seen in first if seen.device.endswith("-door")]
    assert opened[:4] == ["door.opened", "door.closed"] * 2


async def test_everything_that_a_fleet_observes_is_receipted(tmp_path: Path) -> None:
    stage = Stage(tmp_path, home="", site=site(HOMES), phones={"+4700000090": "leader"}, mosquitto=True)
    async with stage:
        await stage.until_ready()
        command = [sys.executable, "-m", "firmware_sim.cli", "fleet", "--homes", str(HOMES), "--seconds", "4"]
        command += ["--port", str(stage.broker_port), "--pace", "400", "--seed", "3"]
        done = await _run(command)
    figures = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert figures["homes"] == HOMES
    assert figures["observed"] == figures["receipted"] > 100
    assert figures["waiting"] == 0
    assert figures["receipt_ms"]["p99"] is not None


async def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("wrong", [["--homes", "0"], ["--seconds", "0"], ["--pace", "-1"]])
def test_a_fleet_that_cannot_be_is_refused(wrong: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "firmware_sim.cli", "fleet", *wrong], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "1 to 65535 homes" in done.stderr) == (1, True)
