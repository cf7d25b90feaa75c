"""Many hubs that fall silent together: one incident, residents by risk, hubs off the list as they come back."""

import datetime as dt
from collections.abc import AsyncIterator, Iterable

import pytest

from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.presence import write
from hub.central.store.tables import incident_events
from hub.central.supervision import hub_need
from hub.domain.codes import Kind
from tests.fakes.centre import DeskCentre
from tests.fakes.site import SITE, TECHNICIAN

HUBS = [f"h-{number}" for number in range(2, 9)]
ALL = ["h-1", *HUBS]


def _home(number: int) -> str:
    return f"""
[[residents]]
id = "r-{number}"
zone = "nord-1"
risk = {number % 4}
[[hubs]]
id = "h-{number}"
zone = "nord-1"
links = [{{ id = "radio", kind = "serial", port = "/dev/stick-{number}", driver = "enocean" }}]
[[devices]]
id = "pendant-{number}"
hub = "h-{number}"
link = "radio"
driver = "enocean"
address = "0102030{number}"
profile = "F6-01-01"
resident = "r-{number}"
"""


DOCUMENT = SITE + "".join(_home(number) for number in range(2, 9))


@pytest.fixture
async def desk(store_url: str) -> AsyncIterator[DeskCentre]:
    centre = DeskCentre(store_url, document=DOCUMENT)
    yield centre
    centre.store.close()


async def heard(desk: DeskCentre, names: Iterable[str]) -> None:
    for name in names:
        desk.presence.heard_hub(name, desk.clock.at)
    news = desk.presence.take()
    await desk.store.write(lambda connection: write(connection, news))


async def back(desk: DeskCentre, name: str) -> None:
    await heard(desk, [name])
    assert hub_need(name) in desk.presence.lost
    desk.presence.lost.discard(hub_need(name))
    await desk.centre.transact(lambda tx: desk.supervision.returned(tx, hub_need(name), name, tx.now.utc))


async def live(desk: DeskCentre, seconds: int, names: Iterable[str]) -> None:
    """Let time pass while some hubs are heard."""
    for _ in range(seconds // 30):
        await desk.pass_time(30)
        await heard(desk, names)


async def lost(desk: DeskCentre) -> list[tuple[str, str]]:
    return [(row.kind, row.state) for row in await desk.incidents() if row.incident_class == "technical"]


async def test_two_silent_hubs_are_two_incidents(desk: DeskCentre) -> None:
    await heard(desk, ALL)
    await desk.arm()
    await live(desk, 300, ALL[2:])
    assert await lost(desk) == [(Kind.HUB_LOST, "alerting")] * 2


async def test_many_are_one_with_the_residents_by_risk_and_it_clears_as_they_come_back(desk: DeskCentre) -> None:
    await heard(desk, ALL)
    await desk.arm()
    await live(desk, 300, ["h-1"])
    (incident,) = [row for row in await desk.incidents() if row.state != "closed"]
    assert incident.kind == Kind.NETWORK_LOST
    assert incident.unprotected.split() == ["r-3", "r-7", "r-2", "r-6", "r-5", "r-4", "r-8"]
    assert (await desk.told(incident.id))[0] == TECHNICIAN
    for left, name in reversed(list(enumerate(HUBS))):
        await back(desk, name)
        row = (await desk.incidents())[incident.id - 1]
        assert len(row.unprotected.split()) == max(left, 1)
        assert row.state == ("closed" if left == 0 else "alerting")
    await live(desk, 300, ALL)
    assert {state for _, state in await lost(desk)} == {"closed"}


async def test_a_hub_that_falls_silent_at_another_time_is_alone(desk: DeskCentre) -> None:
    await heard(desk, ALL)
    await desk.arm()
    await live(desk, 300, ["h-1", "h-2"])
    await live(desk, 300, ["h-1"])
    still = [row for row in await desk.incidents() if row.state != "closed"]
    assert sorted(row.kind for row in still) == [Kind.HUB_LOST, Kind.NETWORK_LOST]
    (alone,) = [row for row in still if row.kind == Kind.HUB_LOST]
    assert alone.hub_id == "h-2"


async def test_those_that_follow_join_and_alert_whoever_took_it_when_they_are_many_more(desk: DeskCentre) -> None:
    await heard(desk, ALL)
    await desk.arm()
    await heard(desk, ALL[3:])
    await desk.pass_time(60)
    await heard(desk, ALL[3:])
    await desk.pass_time(31)
    (incident,) = [row for row in await desk.incidents() if row.state != "closed"]
    await desk.centre.transact(lambda tx: acts.act(tx, incident.id, Event.ACKNOWLEDGE, "sms:technician"))
    await desk.pass_time(70)
    (same,) = [row for row in await desk.incidents() if row.state != "closed"]
    assert (same.id, same.state, len(same.unprotected.split())) == (incident.id, "alerting", 9)
    assert "alerts_again" in await desk.story(incident.id)
    notes = await desk.rows(incident_events, incident_events.c.event == "press")
    assert notes[-1].detail.startswith("silent too: h-")


async def test_after_a_restart_the_members_are_known(desk: DeskCentre) -> None:
    await heard(desk, ALL)
    await desk.arm()
    await live(desk, 300, ["h-1"])
    desk.presence.lost.clear()
    await desk.arm()
    assert desk.presence.lost == {hub_need(name) for name in HUBS}
    assert dt.timedelta(0) < (await desk.incidents())[-1].opened_at - (await desk.incidents())[-1].occurred_at


async def test_a_person_may_close_it_and_what_is_still_silent_comes_up_again(desk: DeskCentre) -> None:
    await heard(desk, ALL)
    await desk.arm()
    await live(desk, 300, ["h-1"])
    (incident,) = [row for row in await desk.incidents() if row.state != "closed"]
    await desk.centre.transact(
        lambda tx: acts.act(
            tx,
            incident.id,
            Event.CLOSE,
            "user:x",
            outcome=Outcome.REPAIRED,
            cause=Cause.TECHNICAL,
        )
    )
    await live(desk, 120, ["h-1"])
    (again,) = [row for row in await desk.incidents() if row.state != "closed"]
    assert (again.kind, len(again.unprotected.split())) == (Kind.NETWORK_LOST, 7)


async def test_a_hub_that_falls_silent_again_with_others_names_their_residents(desk: DeskCentre) -> None:
    await heard(desk, ALL)
    await desk.arm()
    await live(desk, 150, ALL[3:])  # h-1, h-2 and h-3 fall silent together
    await back(desk, "h-1")
    await live(desk, 600, ["h-1", *ALL[3:]])
    await live(desk, 150, ALL[5:])  # now h-1, h-4 and h-5
    first, second = await desk.incidents()
    assert set(first.unprotected.split()) == {"r-2", "r-3"}
    assert set(second.unprotected.split()) == {"r-1017", "r-1018", "r-4", "r-5"}
    assert (await desk.told(second.id))[0] == TECHNICIAN
