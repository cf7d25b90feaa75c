"""A pendant is commissioned: over the stick, the hub, the broker, the centre and the provider to a test phone."""

import asyncio
from typing import Any

import pytest

from firmware_sim.stage.child import program
from tests.scenario.chain import Chain
from tests.scenario.layout import DUTY, TECHNICIAN

pytestmark = pytest.mark.asyncio(loop_scope="session")
PENDANT = "pendant-new"


async def hub_devices(ward: Chain, *words: str) -> str:
    """Run ``hub devices …`` on the ward's store, and return what it says."""
    command = [program("hub"), "devices", *words, "--store", f"sqlite:///{ward.store_path}"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def of_pendant(ward: Chain, count: int) -> list[tuple[Any, ...]]:
    """Wait for so many incidents of the pendant; return the number of each, and whether it is a test."""

    async def look() -> list[tuple[Any, ...]] | None:
        rows = ward.rows("select id, test from incidents where device_id = ? and kind = 'alarm.pressed'", PENDANT)
        return rows if len(rows) >= count else None

    return await ward.until(look, 10, f"{count} incidents of {PENDANT}")


async def test_a_pendant_is_tested_from_end_to_end_and_then_real(ward: Chain) -> None:
    assert '"state":"untested"' in next(
        line for line in (await hub_devices(ward, "list", "--json")).splitlines() if PENDANT in line
    )
    await hub_devices(ward, "test", PENDANT, "--phone", "technician", "--minutes", "5", "--by", "installer")
    await ward.home.do(PENDANT, "press")
    ((number, test),) = await of_pendant(ward, 1)
    assert test
    text = await ward.text_about(number)
    assert text["to"] == TECHNICIAN
    assert text["message"].startswith(f"TEST {number} ")
    await ward.reply(TECHNICIAN, f"OK {number}")

    async def in_service() -> bool:
        query = "select 1 from devices where device_id = ? and in_service_by = 'sms:technician'"
        return bool(ward.rows(query, PENDANT))

    await ward.until(in_service, 10, f"{PENDANT} in service")
    assert "I drift siden" in await ward.page(f"/devices/{PENDANT}")
    await hub_devices(ward, "test", PENDANT, "--end")
    await ward.home.do(PENDANT, "press")
    _, (number, test) = await of_pendant(ward, 2)
    assert not test
    assert (await ward.text_about(number))["to"] == DUTY
    assert not [text for text in await ward.texts() if text.get("to") == DUTY and "TEST" in text["message"]]
