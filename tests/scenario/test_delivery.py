"""What arrives twice, in the wrong order or a day late is one incident, with its age."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from firmware_sim.clock import SystemClock, utc
from tests.scenario.chain import Chain
from tests.scenario.layout import DUTY, HUB
from tests.scenario.wire import Wire, wire

pytestmark = pytest.mark.asyncio(loop_scope="session")
ALARM, READING = f"wt/1/{HUB}/up/alarm", f"wt/1/{HUB}/up/reading"


def event(seq: int, device: str, kind: str, age: dt.timedelta = dt.timedelta(), **data: Any) -> dict[str, Any]:
    """Return an event as another life of the hub's journal would send it."""
    return {
        "specversion": "1.0",
        "id": f"scenario-{seq}",
        "source": f"urn:hub:{HUB}",
        "type": "no.welfarehub.observation.v1",
        "subject": device,
        "time": (utc(SystemClock().wall_s()) - age).isoformat(),
        "timequality": "synced",
        "epoch": "5ce7a210",
        "seq": seq,
        "data": {"kind": kind, **data},
    }


def stored(ward: Chain, events: list[dict[str, Any]]) -> list[int]:
    """Return which of some events are in the store, each as often as it is there."""
    rows = ward.rows("select seq from observations where epoch = '5ce7a210' order by seq")
    return [seq for (seq,) in rows if seq in {item["seq"] for item in events}]


async def receipted(ward: Chain, line: Wire, seqs: set[int]) -> None:
    """Wait for the centre's receipt for all of some numbers."""

    async def look() -> bool:
        receipts = [msgspec.json.decode(one) for one in line.passed(f"wt/1/{HUB}/down/receipt")]
        ranges = [pair for one in receipts if one["epoch"] == "5ce7a210" for pair in one["stored"]]
        return all(any(first <= seq <= last for first, last in ranges) for seq in seqs)

    await ward.until(look, 10, f"receipt for {seqs}")


async def test_what_the_hub_sends_again_changes_nothing(ward: Chain) -> None:
    async with wire(ward.broker_port) as line:
        await ward.home.do("pendant-late", "press")
        story = await ward.story("alarm.pressed", device_id="pendant-late")
        number = story["incident"]["id"]
        await ward.text_about(number)
        original = next(payload for payload in line.passed(ALARM) if b"pendant-late" in payload)
        line.heard.clear()
        for _ in range(3):
            await line.publish(ALARM, original)
            await line.publish(READING, original)

        async def answered() -> bool:
            return len(line.passed(f"wt/1/{HUB}/down/receipt")) >= 2

        await ward.until(answered, 10, "a receipt for each lane")
        # A last word on each lane shows that all before it was read.
        last = [event(1, "disp-flood", "device.alive"), event(2, "disp-flood", "device.alive")]
        await line.publish(ALARM, msgspec.json.encode(last[0]))
        await line.publish(READING, msgspec.json.encode(last[1]))
        await receipted(ward, line, {1, 2})
    story = await ward.story("alarm.pressed", device_id="pendant-late")
    assert story["incident"]["presses"] == 1
    assert len(story["observations"]) == 1
    assert len([text for text in await ward.texts() if f"OK {number}." in text["message"]]) == 1


async def test_reordered_and_repeated_presses_are_one_incident(ward: Chain) -> None:
    ages = [dt.timedelta(seconds=seconds) for seconds in (1, 2, 3, 4)]
    events = [event(10 + place, "disp-flood", "device.tamper", age) for place, age in enumerate(ages)]
    one = [msgspec.json.encode(item) for item in events]
    async with wire(ward.broker_port) as line:
        for payload in (one[3], one[1], one[3], msgspec.json.encode(events), one[0], one[2], one[0]):
            await line.publish(ALARM, payload)
        await receipted(ward, line, {10, 11, 12, 13})
    story = await ward.story("device.tamper", device_id="disp-flood")
    assert story["incident"]["presses"] == len(events)
    assert stored(ward, events) == [10, 11, 12, 13]


async def test_an_alarm_that_comes_a_day_late_tells_its_age(ward: Chain) -> None:
    late = event(20, "disp-flood", "smoke.detected", dt.timedelta(days=1, hours=1, minutes=5))
    async with wire(ward.broker_port) as line:
        for _ in range(3):
            await line.publish(ALARM, msgspec.json.encode(late))
        await receipted(ward, line, {20})
    story = await ward.story("smoke.detected", device_id="disp-flood")
    text = await ward.text_about(story["incident"]["id"])
    assert text["to"] == DUTY
    assert "(1 d 1 t gammel)" in text["message"]
    happened, opened = (dt.datetime.fromisoformat(story["incident"][key]) for key in ("occurred_at", "opened_at"))
    assert dt.timedelta(hours=25) < opened - happened < dt.timedelta(hours=26)
    assert stored(ward, [late]) == [20]
    page = await ward.page(f"/incidents/{story['incident']['id']}?lang=nb")
    assert "forsinket" in page
