"""For information only: told of what happened in its transaction, and the escalation is the same without it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.notify import fyi
from hub.central.notify.channels.base import Inbound
from hub.central.notify.outcome import FLEETING_ATTEMPTS
from hub.central.notify.pipeline import Sender
from hub.central.notify.replies import receive
from hub.central.notify.ways import Ways
from hub.central.store.tables import due, incident_events, incidents, messages
from hub.central.watch import troubles
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError, TransientError
from tests.fakes.centre import DeskCentre
from tests.fakes.site import SITE
from tests.fakes.ward import ObedientProvider

CARE = '[[plans]]\nclass = "care"\n'
LIMITED = SITE.replace(CARE, CARE + "acknowledge_s = 300\n")
FYI = """
[[fyi]]
id = "office"
class = "care"
events = ["raised", "taken", "breached", "closed"]
[[fyi]]
id = "workshop"
class = "technical"
[[fyi]]
id = "elsewhere"
zones = ["nord-2"]
[[fyi]]
id = "serious"
min_severity = 40
"""


@pytest.fixture
async def desk(store_url: str) -> AsyncIterator[DeskCentre]:
    centre = DeskCentre(store_url, document=LIMITED + FYI)
    yield centre
    centre.store.close()


async def informed(desk: DeskCentre) -> list[Any]:
    return sorted(await desk.rows(messages, messages.c.channel == "fyi"), key=lambda row: row.id)


async def press(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))


async def act(desk: DeskCentre, event: Event, **more: Any) -> None:
    await desk.centre.transact(lambda tx: acts.act(tx, 1, event, "sms:nord-1-duty", **more))


async def test_who_wants_to_know_is_told_in_the_same_transaction(desk: DeskCentre) -> None:
    await press(desk)
    rows = await informed(desk)
    assert [row.phone for row in rows] == ["office", "serious"]
    assert rows[0].text.startswith("Til orientering, ny: 1 Trygghetsalarm: r-")
    assert "Svar" not in rows[0].text
    assert {(row.number, row.state, row.plan_round) for row in rows} == {("", "queued", -1)}


async def test_what_is_rolled_back_tells_nobody(desk: DeskCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fyi.tell

    def torn(*args: Any, **named: Any) -> None:
        real(*args, **named)
        raise TransientError("the power goes")

    monkeypatch.setattr("hub.central.notify.fyi.tell", torn)
    with pytest.raises(TransientError):
        await press(desk)
    assert (await informed(desk), await desk.rows(incidents)) == ([], [])
    assert await desk.rows(due, due.c.kind != "site.changed") == []


async def test_each_event_that_was_asked_for_is_told_and_none_cancels_another(desk: DeskCentre) -> None:
    await press(desk)
    await desk.pass_time(300)
    await act(desk, Event.ACKNOWLEDGE)
    await act(desk, Event.DEPART)
    await act(desk, Event.CLOSE, outcome=Outcome.HELP_GIVEN, cause=Cause.NEED)
    told = [row for row in await informed(desk) if row.phone == "office"]
    assert [row.text.split(":")[0].removeprefix("Til orientering, ") for row in told] == [
        "ny",
        "frist gått ut",
        "tatt",
        "lukket",
    ]
    assert {row.state for row in told} == {"queued"}


async def test_an_incident_that_becomes_more_severe_is_told_to_whom_it_is_new(desk: DeskCentre) -> None:
    def found(severity: int) -> acts.Finding:
        return acts.Finding(
            incident_class="technical",
            kind=Kind.DEVICE_FAULT,
            severity=severity,
            need="technical:d",
            reason="a fault",
            zone="nord-1",
            occurred_at=desk.clock.now().utc,
        )

    for severity in (20, 40, 40):
        await desk.centre.transact(lambda tx, severity=severity: acts.raise_incident(tx, found(severity)))  # type: ignore[misc] # a default argument
    assert [row.phone for row in await informed(desk)] == ["workshop", "serious"]


async def test_a_test_concerns_nobody_else(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED, test=True))
    assert len(await desk.rows(incidents)) == 1
    assert await informed(desk) == []


async def test_nobody_can_answer_it(desk: DeskCentre) -> None:
    """A modem may tell a text without a sender: it must not pass for the one who has no number."""
    await press(desk)
    at = desk.clock.now().utc
    nameless = Inbound(provider="modem", provider_ref="1", sender="", recipient="", text="OK 1", at=at)
    await desk.centre.transact(lambda tx: receive(tx, nameless))
    assert (await desk.incidents())[0].state == "alerting"


class _Down(ObedientProvider):
    """Takes nothing."""

    def __init__(self, error: Exception) -> None:
        super().__init__("apprise", "fyi")
        self.error = error

    async def send(self, outgoing: Any) -> Any:
        self.sent.append(outgoing)
        raise self.error


async def _night(url: str, document: str, ways: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Let nobody answer for a while; return alerts, what is due and what the auditor finds."""
    desk = DeskCentre(url, document=document)
    sender = Sender(desk.centre, Ways(ways), lambda _name: "")
    found: list[Any] = []
    awake = desk.clock.now()
    await press(desk)
    for _ in range(40):
        await desk.clockwork._round()
        for message_id in dict.fromkeys(desk.carried):
            await sender.send(message_id)
        desk.carried.clear()
        while sender._tasks:
            await asyncio.wait(list(sender._tasks.values()))
        now = desk.clock.now()
        found += troubles.stored(desk.store.read_now(lambda c, at=now.utc: troubles.see(c, at)), now, awake)  # type: ignore[misc] # a default argument
        await desk.pass_time(10)
    await sender.close()
    alerts = sorted(await desk.rows(messages, messages.c.channel != "fyi"), key=lambda row: row.id)
    acts_due = await desk.rows(due, due.c.kind.like("incident.%"))
    seen = [(row.created_at, row.phone, row.plan_round, row.plan_step, row.state) for row in alerts]
    desk.store.close()
    return seen, sorted((row.at, row.kind) for row in acts_due), found


@pytest.mark.parametrize("error", [TransientError("down"), RefusedError("no address")])
async def test_a_site_whose_fyi_is_down_escalates_unchanged(
    tmp_path_factory: pytest.TempPathFactory, error: Exception
) -> None:
    without, with_fyi = (f"sqlite:///{tmp_path_factory.mktemp('store')}/central.db" for _ in range(2))
    plain = await _night(without, LIMITED, [ObedientProvider()])
    down = _Down(error)
    night = await _night(with_fyi, LIMITED + FYI, [ObedientProvider(), down])
    assert night[:2] == plain[:2]
    assert len(plain[0]) > 2
    assert plain[2] == []
    # One that answers, and be it a refusal, keeps nobody waiting.
    assert {trouble.name for trouble in night[2]} == (set() if isinstance(error, RefusedError) else {"fyi"})

    desk = DeskCentre(with_fyi)
    rows = [row for row in await informed(desk) if row.incident_id == 1 and row.phone == "serious"]
    of_one = [sent for sent in down.sent if sent.message_id == rows[0].id]
    assert len(of_one) == (1 if isinstance(error, RefusedError) else FLEETING_ATTEMPTS)
    assert {row.state for row in rows} == {"undeliverable"}
    noted = await desk.rows(incident_events, incident_events.c.detail.contains("to serious"))
    assert [row.event for row in noted if row.incident_id == 1][-1] == "undeliverable"
    assert await desk.rows(incident_events, incident_events.c.event == "not_reached") == []
    desk.store.close()


async def test_a_centre_without_such_a_provider_notes_it_and_goes_on(tmp_path_factory: Any) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/central.db"
    alerts, next_actions, found = await _night(url, LIMITED + FYI, [ObedientProvider()])
    assert alerts
    assert next_actions
    assert found == []


async def test_sent_is_all_that_is_ever_known_of_it(desk: DeskCentre) -> None:
    provider = ObedientProvider("apprise", "fyi")
    sender = Sender(desk.centre, Ways([provider]), lambda _name: "")
    await press(desk)
    await desk.clockwork._round()
    for message_id in dict.fromkeys(desk.carried):
        await sender.send(message_id)
    assert [sent.number for sent in provider.sent] == ["office", "serious"]
    assert {row.state for row in await informed(desk)} == {"sent"}
    assert await desk.rows(due, due.c.kind == "message.receipt") == []
    await sender.close()
