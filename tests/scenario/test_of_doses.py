"""Given, missed, unknown: three things that must not be taken for each other.

What is done to the dispensers is done when the ward starts; here the end of their window is waited for.
"""

import pytest

from tests.scenario.chain import Chain
from tests.scenario.layout import DUTY

pytestmark = pytest.mark.asyncio(loop_scope="session")
# Until the window ends, the grace after it, and a busy machine.
_WITHIN_S = 110


async def test_doses_are_given_missed_or_unknown(ward: Chain) -> None:
    missed = await ward.story("dose.not_dispensed", _WITHIN_S, device_id="disp-missed")
    unknown = await ward.story("dose.unknown", device_id="disp-lost")
    never = await ward.story("dose.unknown", device_id="disp-never")
    assert "dispenser disp-lost is out of contact" in unknown["incident"]["reason"]
    assert "hub h-0044 is out of contact" in never["incident"]["reason"]
    for story, said in ((missed, "Dose ikke tatt ut"), (unknown, "Ukjent"), (never, "Ukjent")):
        text = await ward.text_about(story["incident"]["id"])
        assert text["to"] == DUTY
        assert said in text["message"]
    for kind in ("dose.not_dispensed", "dose.unknown"):
        assert ward.numbers(kind, device_id="disp-given") == []
    assert ward.numbers("dose.unknown", device_id="disp-missed") == []
    assert ward.numbers("dose.not_dispensed", device_id="disp-lost") == []
