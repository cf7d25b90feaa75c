"""From the device to the nurse and back: each thing that an evening on duty is made of."""

import pytest

from tests.scenario.chain import Chain
from tests.scenario.conftest import ALONE
from tests.scenario.layout import DUTY, LEADER, TECHNICIAN

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_pendant_is_answered_by_text(ward: Chain) -> None:
    await ward.home.do("pendant-reply", "press")
    story = await ward.story("alarm.pressed", device_id="pendant-reply")
    number = story["incident"]["id"]
    text = await ward.text_about(number)
    assert text["to"] == DUTY
    assert "r-1" in text["message"]
    assert "stue" in text["message"]
    await ward.reply(DUTY, f"OK {number}")
    story = await ward.story("alarm.pressed", state="acknowledged", device_id="pendant-reply")
    assert story["incident"]["taken_by"] == "sms:duty"
    assert story["incident"]["presses"] == 1
    assert [seen["kind"] for seen in story["observations"]] == ["alarm.pressed"]


async def test_an_incident_is_taken_to_its_end_at_the_console(ward: Chain) -> None:
    await ward.home.do("pendant-console", "press")
    number = (await ward.story("alarm.pressed", device_id="pendant-console"))["incident"]["id"]
    await ward.text_about(number)
    for event in ("acknowledge", "depart", "arrive"):
        answer = await ward.desk.act(number, event)
        assert answer.is_success, answer.text
    answer = await ward.desk.act(number, "close", outcome="help_given", cause="need")
    assert answer.is_success, answer.text
    story = await ward.story("alarm.pressed", state="closed", device_id="pendant-console")
    assert story["incident"]["outcome"] == "help_given"


async def test_a_press_on_an_acknowledged_incident_alerts_again(ward: Chain) -> None:
    await ward.home.do("pendant-again", "press")
    number = (await ward.story("alarm.pressed", device_id="pendant-again"))["incident"]["id"]
    await ward.text_about(number)
    await ward.reply(DUTY, f"OK {number}")
    await ward.story("alarm.pressed", state="acknowledged", device_id="pendant-again")
    await ward.home.do("pendant-again", "press")
    story = await ward.story("alarm.pressed", state="alerting", device_id="pendant-again")
    assert story["incident"]["presses"] == 2
    assert "alerts_again" in [line["event"] for line in story["lines"]]
    # Past whoever took it: the taker is told again, and so is the plan's next step.
    again = [(await ward.text_about(number, count=count))["to"] for count in (2, 3)]
    assert sorted(again) == [DUTY, LEADER]


async def test_a_door_at_night(ward: Chain) -> None:
    await ward.home.do("door", "open")
    story = await ward.story("door.opened", device_id="door")
    text = await ward.text_about(story["incident"]["id"])
    assert text["to"] == DUTY
    assert "r-6" in text["message"]
    await ward.home.do("door", "close")

    async def noted() -> bool:
        lines = (await ward.story("door.opened", device_id="door"))["lines"]
        return "news" in [line["event"] for line in lines]

    await ward.until(noted, 10, "the closed door as news of the incident")
    assert (await ward.story("door.opened", device_id="door"))["incident"]["state"] == "alerting"


async def test_a_silent_hub_is_one_incident_that_names_its_residents(ward: Chain) -> None:
    edge = await ward.another_edge(ALONE)

    async def heard() -> bool:
        return bool(ward.rows("select 1 from hubs where hub_id = ? and last_seen_at is not null", ALONE))

    await ward.until(heard, 15, f"hub {ALONE} heard")
    await edge.kill()
    story = await ward.story("hub.lost", within_s=20, hub_id=ALONE)
    assert story["incident"]["incident_class"] == "technical"
    assert story["incident"]["unprotected"] == ["r-10", "r-12"]
    text = await ward.text_about(story["incident"]["id"])
    assert text["to"] == TECHNICIAN
    assert "r-10" in text["message"]
    await edge.start()
    story = await ward.story("hub.lost", within_s=20, state="closed", hub_id=ALONE)
    assert story["incident"]["outcome"] == "cleared"
    assert ward.numbers("device.lost", hub_id=ALONE) == []
