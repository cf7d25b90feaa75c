"""Answers from phones: bound to one incident and one phone, and always answered so that it helps."""

import datetime as dt
import itertools

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from hub.central.centre import Centre
from hub.central.escalation import engine
from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.notify.channels.base import Inbound
from hub.central.notify.message import ANSWER
from hub.central.notify.replies import receive
from hub.central.site.directory import Directory
from hub.central.store.tables import audit, incidents, messages, replies
from hub.central.texts import gsm
from tests.fakes.ward import DUTY, LEADER, STRANGER, HandClock, raised

_refs = itertools.count(1)


async def text(
    centre: Centre, words: str, sender: str = DUTY, ref: str | None = None, at: dt.datetime | None = None
) -> str:
    inbound = Inbound(
        provider="one",
        provider_ref=ref or f"in-{next(_refs)}",
        sender=sender,
        recipient="+4700000001",
        text=words,
        at=at or centre.clock.now().utc,
    )
    answer = await centre.transact(lambda tx: receive(tx, inbound))
    assert gsm.fits(answer), answer
    return answer


async def state(centre: Centre, number: int) -> tuple[str, str | None]:
    query = sa.select(incidents.c.state, incidents.c.taken_by).where(incidents.c.id == number)
    row = await centre.store.read(lambda c: c.execute(query).one())
    return row.state, row.taken_by


async def audited(centre: Centre) -> list[tuple[str, str, str]]:
    query = sa.select(audit.c.actor, audit.c.subject, audit.c.detail).order_by(audit.c.id)
    return [tuple(row) for row in await centre.store.read(lambda c: c.execute(query).all())]


async def close(centre: Centre, number: int) -> None:
    await centre.transact(
        lambda tx: desk.act(tx, number, Event.CLOSE, "user:test", outcome=Outcome.HELP_GIVEN, cause=Cause.NEED)
    )


async def test_the_whole_way(centre: Centre) -> None:
    number = await raised(centre)
    assert await text(centre, f"OK {number}") == (
        f"{number} er din. Svar VEI {number} når du drar og FREMME {number} når du er der."
    )
    assert await state(centre, number) == ("acknowledged", "sms:p-duty")
    assert "på vei" in await text(centre, f"På vei {number}")
    assert (await state(centre, number))[0] == "on_the_way"
    assert "framme" in await text(centre, f"FREMME {number}")
    assert (await state(centre, number))[0] == "arrived"
    assert await audited(centre) == []


async def test_the_same_text_again_does_nothing_and_gets_the_same_answer(centre: Centre) -> None:
    number = await raised(centre)
    first = await text(centre, f"ok {number}", ref="in-same")
    await close(centre, number)
    assert await text(centre, f"ok {number}", ref="in-same") == first
    assert await audited(centre) == []
    rows = await centre.store.read(lambda c: c.execute(sa.select(replies)).all())
    assert [(row.incident_id, row.answer) for row in rows] == [(number, first)]


async def test_only_a_phone_that_was_told_may_answer(centre: Centre) -> None:
    number = await raised(centre)
    answer = await text(centre, f"OK {number}", sender=LEADER)
    assert answer == f"{number} er ikke sendt til denne telefonen."
    # An incident that does not exist gets the same answer: numbers cannot be fished for.
    assert await text(centre, f"OK {number + 1}", sender=LEADER) == answer.replace(str(number), str(number + 1))
    assert (await state(centre, number))[0] == "alerting"
    assert [row[0] for row in await audited(centre)] == ["sms:p-leader", "sms:p-leader"]


async def test_a_stranger_learns_nothing_and_is_not_answered_for_ever(centre: Centre) -> None:
    number = await raised(centre)
    answers = [await text(centre, f"OK {number}", sender=STRANGER) for _ in range(5)]
    assert answers[0].startswith("Dette nummeret tar ikke imot")
    assert answers[3:] == ["", ""]
    assert (await state(centre, number))[0] == "alerting"
    rows = await audited(centre)
    assert len(rows) == 5
    assert {row[0] for row in rows} == {"sms:unknown"}
    assert STRANGER not in str(rows)


async def test_two_machines_that_answer_each_other_come_to_an_end_but_a_nurse_gets_through(
    centre: Centre,
) -> None:
    number = await raised(centre)
    answers = [await text(centre, "Jeg er på ferie") for _ in range(25)]
    assert answers[0] != ""
    assert answers[-1] == ""
    assert "er din" in await text(centre, f"OK {number}")


@pytest.mark.parametrize("words", ["ok", "nei", "vakt", "opptatt", "FERDIG 1", "OK 99"])
@pytest.mark.parametrize("opened", [1, 2])
async def test_a_machine_comes_to_an_end_whatever_word_it_has(centre: Centre, words: str, opened: int) -> None:
    for person in range(opened):
        await raised(centre, f"r-{person}")
    answers = [await text(centre, words) for _ in range(25)]
    assert all(answers[:20])
    assert answers[20:] == [""] * 5


async def test_in_a_night_with_fifty_alarms_each_answer_is_answered(centre: Centre) -> None:
    numbers = [await raised(centre, f"r-{person}") for person in range(50)]
    for number in numbers:
        await centre.transact(lambda tx, number=number: engine.step_due(tx, str(number)))  # type: ignore[misc] # a default argument
    for number in numbers[::2]:
        assert "er din" in await text(centre, f"OK {number}")
        assert "tatt av p-duty" in await text(centre, f"OK {number}", sender=LEADER)
    assert "Hvilken?" in await text(centre, "ok")
    assert "Forstod ikke" in await text(centre, f"OK {numbers[1]} takk skal du ha")
    assert "er din" in await text(centre, f"OK {numbers[1]}")


async def test_a_bare_ok_with_one_open_incident(centre: Centre) -> None:
    number = await raised(centre)
    assert "er din" in await text(centre, "ok")
    assert (await state(centre, number))[0] == "acknowledged"


async def test_a_bare_ok_with_two_open_incidents_asks_which(centre: Centre) -> None:
    numbers = [await raised(centre, f"r-{n}") for n in (1, 2)]
    assert await text(centre, "ok") == "Hvilken? Åpne: 1 2. Svar OK og nummeret."
    assert {(await state(centre, number))[0] for number in numbers} == {"alerting"}


async def test_a_bare_ok_just_after_another_was_closed_asks_which(centre: Centre, clock: HandClock) -> None:
    closed, opened = await raised(centre, "r-1"), await raised(centre, "r-2")
    await close(centre, closed)
    assert "Hvilken?" in await text(centre, "ok")
    assert (await state(centre, opened))[0] == "alerting"
    clock.move(601)
    assert "er din" in await text(centre, "ok")


async def test_a_bare_ok_for_what_is_closed_says_so_or_that_nothing_is_open(
    centre: Centre, clock: HandClock
) -> None:
    number = await raised(centre)
    await close(centre, number)
    assert await text(centre, "ok") == f"{number} er avsluttet."
    clock.move(601)
    assert await text(centre, "ok") == "Ingen åpne hendelser er sendt til denne telefonen."


async def test_a_bare_ok_typed_before_the_phone_was_told_asks_which(centre: Centre, clock: HandClock) -> None:
    clock.move(3600)
    number = await raised(centre)
    answer = await text(centre, "ok", at=clock.utc - dt.timedelta(minutes=30))
    assert "Hvilken?" in answer
    assert (await state(centre, number))[0] == "alerting"


async def test_who_comes_late_is_told_which_phone_took_it_and_when(centre: Centre, clock: HandClock) -> None:
    number = await raised(centre)
    clock.move(600)  # the leader's step
    await centre.transact(lambda tx: engine.step_due(tx, str(number)))
    await text(centre, f"OK {number}", sender=LEADER)
    clock.move(60)
    assert await text(centre, f"OK {number}") == f"{number} er tatt av p-leader kl. 21:10: tatt."
    assert await state(centre, number) == ("acknowledged", "sms:p-leader")
    assert (await audited(centre))[0][:2] == ("sms:p-duty", f"incident:{number}")


async def test_who_took_it_in_the_console_is_not_named(centre: Centre) -> None:
    number = await raised(centre)
    await centre.transact(lambda tx: desk.act(tx, number, Event.ACKNOWLEDGE, "user:somebody"))
    answer = await text(centre, f"OK {number}")
    assert "konsollen" in answer
    assert "somebody" not in answer


async def told_apart(centre: Centre) -> list[tuple[str, str, int | None]]:
    query = sa.select(messages).where(messages.c.role == ANSWER).order_by(messages.c.id)
    rows = await centre.store.read(lambda c: c.execute(query).all())
    return [(row.number, row.text, row.incident_id) for row in rows]


@pytest.mark.parametrize(
    ("word", "answer", "state_now"), [("VEI", "på vei", "noen er på vei"), ("FREMME", "framme", "noen er framme")]
)
async def test_who_takes_it_over_is_told_who_had_it_and_that_phone_is_told_too(
    centre: Centre, word: str, answer: str, state_now: str
) -> None:
    number = await raised(centre)
    await centre.transact(lambda tx: engine.step_due(tx, str(number)))
    await text(centre, f"OK {number}", sender=LEADER)
    said = await text(centre, f"{word} {number}")
    assert answer in said
    assert said.endswith(" Tatt over fra p-leader.")
    assert (await state(centre, number))[1] == "sms:p-duty"
    told = [(LEADER, f"{number} er nå hos p-duty: {state_now}.", None)]
    assert await told_apart(centre) == told
    # It is no alarm: what that phone answers means the incident, as before.
    assert "tatt av p-duty" in await text(centre, "OK", sender=LEADER)
    assert await told_apart(centre) == told


async def test_the_same_phone_takes_nothing_over(centre: Centre) -> None:
    number = await raised(centre)
    for word in ("OK", "VEI", "FREMME"):
        assert "Tatt over" not in await text(centre, f"{word} {number}")
    assert await told_apart(centre) == []


async def test_between_a_phone_and_the_console_nobody_is_named(centre: Centre) -> None:
    number = await raised(centre)
    await centre.transact(lambda tx: desk.act(tx, number, Event.ACKNOWLEDGE, "user:somebody"))
    assert (await text(centre, f"VEI {number}")).endswith(" Tatt over fra konsollen.")
    assert await told_apart(centre) == []
    await centre.transact(lambda tx: desk.act(tx, number, Event.ARRIVE, "user:somebody"))
    assert await told_apart(centre) == [(DUTY, f"{number} er nå hos konsollen: noen er framme.", None)]


def with_phone(centre: Centre, name: str, **fields: object) -> None:
    """Change a phone of the centre's site."""
    site = centre.site.site
    phones = tuple(replace(phone, **fields) if phone.id == name else phone for phone in site.phones)
    centre.site = Directory(replace(site, phones=phones), 1)


async def test_a_landline_is_told_nothing_in_a_text(centre: Centre) -> None:
    number = await raised(centre)
    with_phone(centre, "p-leader", kind="landline")
    await centre.transact(lambda tx: desk.act(tx, number, Event.ACKNOWLEDGE, "call:p-leader"))
    assert (await text(centre, f"VEI {number}")).endswith(" Tatt over fra p-leader.")
    assert await told_apart(centre) == []


async def test_the_phone_that_had_it_is_told_in_its_own_language(centre: Centre) -> None:
    number = await raised(centre)
    with_phone(centre, "p-leader", language="en")
    await centre.transact(lambda tx: desk.act(tx, number, Event.ACKNOWLEDGE, "call:p-leader"))
    await text(centre, f"VEI {number}")
    assert await told_apart(centre) == [(LEADER, f"{number} is now with p-duty: someone is on the way.", None)]


async def test_what_nobody_has_any_more_is_not_taken_over(centre: Centre) -> None:
    number = await raised(centre)
    await centre.transact(lambda tx: engine.step_due(tx, str(number)))
    await text(centre, f"OK {number}", sender=LEADER)
    await text(centre, f"NEI {number}", sender=LEADER)
    assert "Tatt over" not in await text(centre, f"VEI {number}")
    assert await told_apart(centre) == []


async def test_twice_ok_from_the_same_phone_is_fine(centre: Centre) -> None:
    number = await raised(centre)
    await text(centre, f"OK {number}")
    assert await text(centre, f"OK {number}") == f"{number} er allerede din: tatt."
    assert await audited(centre) == []


@pytest.mark.parametrize("words", ["FERDIG {}", "done {}"])
async def test_closing_needs_the_console(centre: Centre, words: str) -> None:
    number = await raised(centre)
    assert "konsollen" in await text(centre, words.format(number))
    assert (await state(centre, number))[0] == "alerting"


async def test_what_is_closed_stays_closed(centre: Centre) -> None:
    number = await raised(centre)
    await close(centre, number)
    assert await text(centre, f"OK {number}") == f"{number} er avsluttet."
    assert (await state(centre, number))[0] == "closed"


async def test_what_is_not_understood_gets_the_open_numbers(centre: Centre) -> None:
    for n in range(60):
        await raised(centre, f"r-{n}")
    answer = await text(centre, "hva er dette")
    assert answer.startswith("Forstod ikke.")
    assert "Åpne: 1 2 3 " in answer
    assert " +" in answer
    assert (await audited(centre))[0][2].endswith("not understood")


async def test_a_phone_of_the_site_that_was_never_told_is_known(centre: Centre) -> None:
    assert await text(centre, "hei", sender=LEADER) == "Forstod ikke. Svar OK, VEI eller FREMME og nummeret."
