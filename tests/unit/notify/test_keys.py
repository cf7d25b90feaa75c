"""What a phone answers, by key or by text: it has been reached, the next person is told, or it is too late."""

from functools import partial

import pytest
from msgspec.structs import replace

from hub.central import clockwork
from hub.central.escalation import engine
from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Event
from hub.central.notify.channels.base import ReceiptStatus
from hub.central.notify.outbox import RECEIPT, SEND
from hub.central.site.directory import Directory
from hub.domain.errors import RefusedError
from tests.fakes.town import Town
from tests.fakes.ward import DUTY, LEADER, message_of, raised


async def test_who_answers_has_been_reached(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.text(f"OK {number}")
    assert await town.rows() == [("one", "accepted")]
    for kind in (SEND, RECEIPT):
        assert await town.centre.transact(partial(clockwork.scheduled, kind=kind, subject=str(message_id))) is None
    await town.report(town.one, "ref-1", ReceiptStatus.DELIVERED, message_id)
    assert await town.states() == [("p-duty", "accepted")]


async def test_who_says_no_makes_room_for_the_next_at_once(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    assert await town.text(f"nei {number}") == f"Notert. {number} går videre til neste."
    await town.sender.close()
    assert await town.states() == [("p-duty", "rejected"), ("p-leader", "sent")]
    assert [outgoing.number for outgoing in town.one.sent] == [DUTY, LEADER]
    assert (await town.incident(number))[0] == "alerting"


async def test_keys(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    assert await town.key("", message_id) == ""
    assert await town.key("7", message_id) == "Det valget finnes ikke."
    assert await town.incident(number) == ("alerting", None)
    assert await town.key("1", message_id) == f"Alarm {number} er din."
    assert await town.key("1", message_id) == f"Alarm {number} er allerede din."
    assert "på vei" in await town.key("2", message_id)
    assert await town.incident(number) == ("on_the_way", "call:p-duty")
    assert await town.rows() == [("one", "accepted")]
    # A text from the phone that pressed the key is from the one who has it.
    assert f"{number} er allerede din" in await town.text(f"OK {number}")


@pytest.mark.parametrize("taken", ["1", "2"])
async def test_nine_after_it_was_taken_hands_it_back_and_only_once(town: Town, taken: str) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.key(taken, message_id)
    for _ in range(2):
        assert await town.key("9", message_id) == f"Notert. Alarm {number} går videre til neste."
        await town.sender.close()
    assert (await town.incident(number))[0] == "alerting"
    assert await town.states() == [("p-duty", "rejected"), ("p-leader", "sent")]
    assert await town.rows() == [("one", "rejected"), ("one", "sent")]
    assert town.one.sent[-1].text.startswith(f"IGJEN, gitt videre: {number} ")


async def test_no_after_ok_hands_it_back_to_the_next_person_at_once(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    await town.text(f"OK {number}")
    assert await town.text(f"NEI {number}") == f"Notert. {number} går videre til neste."
    await town.sender.close()
    assert (await town.incident(number))[0] == "alerting"
    assert await town.states() == [("p-duty", "rejected"), ("p-leader", "sent")]
    # The last word counts: who takes it after all has taken it.
    assert "er din" in await town.text(f"ok {number}")
    assert await town.incident(number) == ("acknowledged", "sms:p-duty")
    assert (await town.states())[0] == ("p-duty", "accepted")


async def test_no_from_a_phone_that_has_it_not_changes_nothing(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.centre.transact(lambda tx: engine.step_due(tx, str(number)))
    await town.sender.close()
    await town.text(f"OK {number}", LEADER)
    before = await town.states()
    assert "tatt av p-leader" in await town.text(f"NEI {number}")
    for key in ("1", "9"):
        assert await town.key(key, message_id) == f"Alarm {number} er allerede tatt av p-leader."
    assert await town.incident(number) == ("acknowledged", "sms:p-leader")
    assert await town.states() == before


async def test_a_call_names_no_person_and_says_from_whom_it_was_taken_over(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.centre.transact(lambda tx: desk.act(tx, number, Event.ACKNOWLEDGE, "user:somebody"))
    assert await town.key("1", message_id) == f"Alarm {number} er allerede tatt av konsollen."
    assert await town.key("2", message_id) == (
        f"Notert. Du er på vei til alarm {number}. Tatt over fra konsollen."
    )


async def test_a_call_speaks_the_language_of_the_phone(town: Town) -> None:
    site = town.centre.site.site
    phones = tuple(replace(phone, language="en") if phone.id == "p-duty" else phone for phone in site.phones)
    town.centre.site = Directory(replace(site, phones=phones), 1)
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.centre.transact(lambda tx: engine.step_due(tx, str(number)))
    await town.sender.close()
    assert [(one.number, one.language) for one in town.one.sent] == [(DUTY, "en"), (LEADER, None)]
    assert await town.key("1", message_id) == f"Alarm {number} is yours."


async def test_a_key_that_is_told_again_late_takes_back_no_later_no(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.key("1", message_id)
    await town.text(f"NEI {number}")
    await town.key("1", message_id)
    assert (await town.incident(number))[0] == "alerting"
    # The same key in another call is another word.
    await town.key("1", message_id, "call-2")
    assert await town.incident(number) == ("acknowledged", "call:p-duty")


async def test_a_nine_that_is_told_again_late_takes_nothing_from_who_took_it_since(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.key("1", message_id)
    await town.key("9", message_id)
    await town.text(f"OK {number}")
    await town.key("9", message_id)
    assert await town.incident(number) == ("acknowledged", "sms:p-duty")


async def test_nine_is_the_next_person_and_only_once(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    for _ in range(2):
        assert await town.key("9", message_id) == f"Notert. Alarm {number} går videre til neste."
        await town.sender.close()
    assert await town.states() == [("p-duty", "rejected"), ("p-leader", "sent")]


@pytest.mark.parametrize(("message_id", "ref"), [(99, "ref-1"), (2, "ref-1")])
async def test_a_key_in_no_call_of_ours_is_refused(town: Town, message_id: int, ref: str) -> None:
    for person in ("r-1", "r-2"):
        await raised(town.centre, person)
        await town.sender.close()
    with pytest.raises(RefusedError):
        await town.key("1", message_id, ref)
