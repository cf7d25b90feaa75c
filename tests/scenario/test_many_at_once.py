"""Fifty residents of one zone press within a minute: each is on the duty phone, and each answer takes its own."""

import random
import re
from pathlib import Path

import pytest

from firmware_sim.clock import SystemClock
from tests.scenario import layout
from tests.scenario.chain import Chain, chain
from tests.scenario.layout import DUTY, HUB

RESIDENTS = [f"r-{n:02}" for n in range(1, 51)]
# From the press to the duty phone, for whoever is the last of them.
WITHIN_S = 60
SEED = 4711


class Duty:
    """What stands on the duty phone.

    Attributes:
        numbers: Of the incident, by resident.
        at_s: When the text was there, by resident.
    """

    def __init__(self, ward: Chain) -> None:
        self._ward = ward
        self.numbers: dict[str, int] = {}
        self.at_s: dict[str, float] = {}

    async def has_all(self) -> bool:
        """Look at the phone."""
        for text in await self._ward.texts():
            found = re.match(r"(\d+) .*\b(r-\d\d)\b", text["message"])
            if found and (text["to"], text["status"]) == (DUTY, "delivered") and found[2] not in self.at_s:
                self.numbers[found[2]], self.at_s[found[2]] = int(found[1]), SystemClock().mono_s()
        return len(self.at_s) == len(RESIDENTS)

    async def answer(self) -> str | None:
        """Return what was answered last."""
        said = [text["message"] for text in await self._ward.texts() if text["direction"] == "outgoing-reply"]
        return said[-1] if said else None


@pytest.mark.slow
async def test_fifty_residents_in_one_minute(tmp_path: Path) -> None:
    pendants = [layout.pendant(f"pendant-{resident}", n, resident) for n, resident in enumerate(RESIDENTS, 1)]
    site = layout.site({HUB: [layout.stick()]}, pendants)
    pressed_s: dict[str, float] = {}
    async with chain(tmp_path, home=layout.home(pendants), site=site, phones=layout.PHONES) as ward:
        for resident in RESIDENTS:
            pressed_s[resident] = SystemClock().mono_s()
            await ward.home.do(f"pendant-{resident}", "press")
        duty = Duty(ward)
        await ward.until(duty.has_all, WITHIN_S, "a text for each of them on the duty phone")
        took_s = [duty.at_s[resident] - pressed_s[resident] for resident in RESIDENTS]
        lasted_s = max(pressed_s.values()) - min(pressed_s.values())
        print(f"pressed within {lasted_s:.1f} s; on the phone after {min(took_s):.1f} to {max(took_s):.1f} s")  # noqa: T201 - figures
        assert lasted_s < 60
        assert max(took_s) < WITHIN_S
        for resident in RESIDENTS:
            assert ward.numbers("alarm.pressed", resident_id=resident) == [duty.numbers[resident]]
        board = await ward.page("/")
        assert [n for n in duty.numbers.values() if f'href="/incidents/{n}"' not in board] == []

        await ward.reply(DUTY, "OK")
        which = await ward.until(duty.answer, 10, "an answer to OK without a number")
        assert which.startswith("Hvilken? Åpne: ")
        assert ward.rows("select count(*) from incidents where state <> 'alerting'") == [(0,)]
        mixed = random.Random(SEED).sample(RESIDENTS, len(RESIDENTS))
        for count, resident in enumerate(mixed, 1):
            await ward.reply(DUTY, f"OK {duty.numbers[resident]}")
            await ward.story("alarm.pressed", state="acknowledged", resident_id=resident)
            assert ward.rows("select count(*) from incidents where state = 'acknowledged'") == [(count,)]
