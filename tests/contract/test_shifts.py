"""Shift start and handover at run time, on both databases."""

import datetime as dt
from typing import Any

import pytest

from hub.central import shifts as shifts_at_run_time
from hub.central.incidents import desk as incident_desk
from hub.central.incidents.desk import Finding
from hub.central.notify import replies
from hub.central.notify.channels.base import Inbound
from hub.central.shifts import confirm, start
from hub.central.store.tables import audit, due, messages, shift_messages, shifts
from hub.domain.clock import UTC
from hub.domain.codes import Kind, Severity
from hub.domain.errors import RefusedError
from tests.fakes.centre import DeskCentre
from tests.fakes.site import DUTY, LEADER, NEIGHBOUR, SITE

ALL_DAY = 'phone = "nord-1-duty"\ndays = "daily"\nfrom = "00:00"\nto = "24:00"\n'
TWO_SHIFTS = (
    'phone = "nord-1-duty"\ndays = "daily"\nfrom = "15:00"\nto = "08:00"\n'
    '[[rota]]\nzone = "nord-1"\nrole = "duty"\nphone = "nord-2-duty"\n'
    'days = "daily"\nfrom = "08:00"\nto = "15:00"\n'
)
CHECKED = (
    SITE.replace('id = "nord-1"\nlast_resort', 'id = "nord-1"\nshift_check = true\nlast_resort', 1)
    .replace(
        'zone = "nord-1"\nrole = "technician"\nphone = "technician"',
        'zone = "nord-2"\nrole = "technician"\nphone = "technician"',
    )
    .replace("nord-1:technician", "nord-2:technician")
)
assert CHECKED != SITE
assert ALL_DAY in SITE
MINUTES, HOURS = 60, 3600


async def arm(desk: DeskCentre) -> None:
    """Look at shifts and gaps only: days of silence and of rounds are other tests' business."""
    await desk.centre.transact(shifts_at_run_time.arm)


@pytest.fixture
async def ward(desk: DeskCentre) -> DeskCentre:
    """A zone whose day and night shifts are asked about; it is 07:50 in Oslo, on a winter's morning."""
    desk.clock.at = dt.datetime(2026, 11, 24, 6, 50, tzinfo=UTC)
    desk.move_in(CHECKED.replace(ALL_DAY, TWO_SHIFTS))
    await arm(desk)
    return desk


async def texts(desk: DeskCentre) -> list[tuple[str, str]]:
    """Every text about a shift: to which number, and what it says."""
    linked = {row.message_id for row in await desk.rows(shift_messages)}
    rows = [row for row in await desk.rows(messages) if row.id in linked]
    return [(row.number, row.text) for row in sorted(rows, key=lambda row: row.id)]


async def answer(desk: DeskCentre, number: str, text: str, ref: list[int] = [0]) -> str:  # noqa: B006 - counts up
    ref[0] += 1
    inbound = Inbound(
        provider="46elks",
        provider_ref=f"in-{ref[0]}",
        sender=number,
        recipient="+4700000099",
        text=text,
        at=desk.clock.now().utc,
    )
    return await desk.centre.transact(lambda tx: replies.receive(tx, inbound))


async def standing(desk: DeskCentre) -> Any:
    (row,) = [row for row in await desk.rows(shifts) if row.open_key]
    return row


def alarm(zone: str = "nord-1") -> Finding:
    return Finding(
        incident_class="care",
        kind=Kind.ALARM_PRESSED,
        severity=Severity.CRITICAL,
        need=f"care:{zone}:r-1017",
        reason="test",
        zone=zone,
        occurred_at=dt.datetime(2026, 11, 24, 6, 50, tzinfo=UTC),
        resident_id="r-1017",
    )


async def test_no_shift_is_asked_about_unless_the_zone_says_so(desk: DeskCentre) -> None:
    desk.move_in(SITE.replace(ALL_DAY, TWO_SHIFTS))
    await arm(desk)
    await desk.pass_time(48 * HOURS)
    assert await desk.rows(shifts) == []
    assert await texts(desk) == []


async def test_the_phone_that_comes_on_duty_is_asked_and_confirms(ward: DeskCentre) -> None:
    await ward.pass_time(1)
    assert await answer(ward, DUTY, "vakt") == "Vakten er bekreftet."
    await ward.pass_time(10 * MINUTES)
    sent = await texts(ward)
    assert sent[0] == (DUTY, "Du har vakt: duty for nord-1 til 08:00. Ingen åpne. Svar VAKT for å bekrefte.")
    assert sent[1] == (NEIGHBOUR, "Du har vakt: duty for nord-1 til 15:00. Ingen åpne. Svar VAKT for å bekrefte.")
    assert await answer(ward, NEIGHBOUR, "SHIFT") == "Vakten er bekreftet."
    row = await standing(ward)
    assert (row.phone, row.confirmed_by) == ("nord-2-duty", "sms:nord-2-duty")
    assert row.asked_at == dt.datetime(2026, 11, 24, 7, tzinfo=UTC)
    await ward.pass_time(6 * HOURS)
    assert len(await texts(ward)) == 2
    assert [entry.actor for entry in await ward.rows(audit, audit.c.action == confirm.ACTION)] == [
        "sms:nord-1-duty",
        "sms:nord-2-duty",
    ]


async def test_the_leader_is_told_after_ten_minutes_and_again_until_somebody_confirms(ward: DeskCentre) -> None:
    await ward.pass_time(9 * MINUTES)
    assert len(await texts(ward)) == 1
    await ward.pass_time(59)
    assert len(await texts(ward)) == 1
    await answer(ward, DUTY, "VAKT")
    await ward.pass_time(10 * MINUTES + 1)  # the morning's shift began at 08:00
    told = await texts(ward)
    assert told[2][0] == LEADER
    assert told[2][1].startswith("Vakt ikke bekreftet: duty for nord-1, nord-2-duty, spurt kl. 08:00.")
    await ward.pass_time(30 * MINUTES)
    assert [number for number, _ in await texts(ward)] == [DUTY, NEIGHBOUR, *[LEADER] * 4]
    assert (await standing(ward)).leader_told == 4
    assert await answer(ward, LEADER, "vakt") == "Vakten er bekreftet."
    await ward.pass_time(5 * HOURS)
    assert len(await texts(ward)) == 6
    assert (await standing(ward)).confirmed_by == "sms:leader"


async def test_the_next_shift_takes_over_from_one_that_nobody_confirmed(ward: DeskCentre) -> None:
    await ward.pass_time(10 * MINUTES)
    rows = await ward.rows(due, due.c.kind == start.UNCONFIRMED)
    assert [row.subject for row in rows] == [str((await standing(ward)).id)]
    ended = [row for row in await ward.rows(shifts) if row.ended_at]
    assert [(row.phone, row.confirmed_at) for row in ended] == [("nord-1-duty", None)]


async def test_a_shift_that_goes_on_with_the_same_phone_is_not_asked_again(desk: DeskCentre) -> None:
    same = TWO_SHIFTS.replace("nord-2-duty", "nord-1-duty")
    desk.move_in(CHECKED.replace(ALL_DAY, same))
    await arm(desk)
    await desk.pass_time(1)
    await answer(desk, DUTY, "vakt")
    await desk.pass_time(3 * 24 * HOURS)
    await arm(desk)  # a restart asks nothing that was answered
    await desk.pass_time(HOURS)
    assert [number for number, _ in await texts(desk)] == [DUTY]


async def test_an_override_that_is_applied_in_the_middle_of_a_shift_asks_the_new_phone(ward: DeskCentre) -> None:
    await ward.pass_time(1)
    await answer(ward, DUTY, "vakt")
    override = (
        '[[overrides]]\nzone = "nord-1"\nrole = "duty"\nphone = "technician"\nfrom = "2026-11-24T06:00"\n'
        'to = "2026-11-24T12:00"\nkind = "sick"\nreason = "test"\n'
    )
    ward.move_in(CHECKED.replace(ALL_DAY, TWO_SHIFTS) + override)
    await arm(ward)
    await ward.pass_time(1)
    assert (await standing(ward)).phone == "technician"
    ward.move_in(SITE)  # and switched off again
    await arm(ward)
    await ward.pass_time(1)
    assert [row for row in await ward.rows(shifts) if row.open_key] == []
    assert await ward.rows(due, due.c.kind.in_([start.CHANGE, start.UNCONFIRMED])) == []


async def test_the_handover_lists_what_is_open_by_number_only(ward: DeskCentre) -> None:
    number = await ward.centre.transact(lambda tx: incident_desk.raise_incident(tx, alarm()))
    await ward.pass_time(1)
    ((_, text),) = await texts(ward)
    assert f"Åpne: {number}." in text
    assert "r-1017" not in text


async def test_a_bare_ok_confirms_a_shift_only_where_nothing_is_open(ward: DeskCentre) -> None:
    await ward.pass_time(1)
    number = await ward.centre.transact(lambda tx: incident_desk.raise_incident(tx, alarm()))
    said = await answer(ward, DUTY, "OK")
    assert said == f"Hvilken? Åpne: {number}. Svar OK og nummeret, eller VAKT for vakten."
    assert (await ward.incidents())[0].state == "alerting"
    assert (await standing(ward)).confirmed_at is None
    await answer(ward, DUTY, "VAKT")
    assert (await standing(ward)).confirmed_at is not None
    assert (await ward.incidents())[0].state == "alerting"  # a shift is no incident
    await answer(ward, DUTY, "OK")
    assert (await ward.incidents())[0].state == "acknowledged"


async def test_a_bare_ok_is_enough_when_only_the_shift_can_be_meant(ward: DeskCentre) -> None:
    await ward.pass_time(1)
    assert await answer(ward, DUTY, "ok") == "Vakten er bekreftet."
    assert (await standing(ward)).confirmed_by == "sms:nord-1-duty"


async def test_ok_with_a_number_never_confirms_a_shift(ward: DeskCentre) -> None:
    await ward.pass_time(1)
    number = await ward.centre.transact(lambda tx: incident_desk.raise_incident(tx, alarm()))
    await answer(ward, DUTY, f"OK {number}")
    assert (await ward.incidents())[0].state == "acknowledged"
    assert (await standing(ward)).confirmed_at is None


@pytest.mark.parametrize("text", ["vakt 1", "ikke vakt", "vakt?", "VAKT OK 1"])
async def test_what_is_not_clearly_a_confirmation_confirms_nothing(ward: DeskCentre, text: str) -> None:
    await ward.pass_time(1)
    await ward.centre.transact(lambda tx: incident_desk.raise_incident(tx, alarm()))
    await answer(ward, DUTY, text)
    assert (await standing(ward)).confirmed_at is None
    assert (await ward.incidents())[0].state == "alerting"


async def test_another_phone_cannot_confirm(ward: DeskCentre) -> None:
    await ward.pass_time(1)
    said = await answer(ward, NEIGHBOUR, "VAKT")
    assert said == "Ingen vakt venter på bekreftelse fra denne telefonen."
    assert (await standing(ward)).confirmed_at is None


async def test_the_console_confirms_once(ward: DeskCentre) -> None:
    await ward.pass_time(1)
    number = (await standing(ward)).id
    await ward.centre.transact(lambda tx: confirm.by_user(tx, number, "user:kari"))
    with pytest.raises(RefusedError, match="was confirmed by user:kari"):
        await ward.centre.transact(lambda tx: confirm.by_user(tx, number, "user:ola"))
    with pytest.raises(RefusedError, match="no shift 999"):
        await ward.centre.transact(lambda tx: confirm.by_user(tx, 999, "user:ola"))
