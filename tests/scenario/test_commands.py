"""A command, from the technician's keyboard to the dispenser and back."""

import asyncio
import subprocess

import pytest

from firmware_sim.stage.child import program
from tests.scenario.chain import Chain

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def tell(ward: Chain, *words: str) -> subprocess.CompletedProcess[str]:
    """Type ``hub devices tell`` as a technician does."""
    command = [program("hub"), "devices", "tell", *words, "--store", ward.store, "--by", "technician"]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)


async def test_a_dispenser_reminds_when_it_is_told_to(ward: Chain) -> None:
    told = await tell(ward, "disp-given", "remind")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "remind for disp-given: done" in told.stdout

    async def reminded() -> bool:
        query = "select 1 from observations where device_id = 'disp-given' and kind = 'dose.presented'"
        return bool(ward.rows(query))

    await ward.until(reminded, 10, "the dispenser reminds")


async def test_an_unknown_command_is_answered_with_those_that_there_are(ward: Chain) -> None:
    told = await tell(ward, "disp-given", "explode")
    assert told.returncode == 1
    assert "dispenser has dispense_now, remind, self_test, silence" in told.stderr
