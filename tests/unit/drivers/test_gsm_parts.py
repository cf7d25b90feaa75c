"""Long texts out of parts in any order."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from drivers.gsm.parts import GAP, LATE_S, MAX_HALVES, REMEMBERED, WAIT_S, Kept, Parts
from drivers.gsm.pdu import Deliver, read_pdu
from firmware_sim.devices.gsm import pdu as network
from hub.domain.clock import UTC

AT = dt.datetime(2026, 11, 21, 7, 30, 5, tzinfo=UTC)
LONG = "Careousel: medication not taken, and then a great many words that say nothing at all. " * 6


def messages(text: str, reference: int = 7, seconds: int = 0) -> list[Deliver]:
    at = AT + dt.timedelta(seconds=seconds)
    made = [read_pdu(octets) for octets in network.deliver("+4700000012", text, at, reference)]
    return [each for each in made if isinstance(each, Deliver)]


def take(parts: Parts, found: list[Deliver], mono: float = 0.0) -> list[str]:
    return [text.text for message in found for text in parts.take(message, mono)]


@given(st.data())
def test_any_order_and_any_repeats_give_the_text_once(data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from("abø€ж😀"), min_size=1, max_size=500))
    found = messages(text)
    more = data.draw(st.lists(st.sampled_from(found), max_size=5))
    order = data.draw(st.permutations(found + more))
    parts = Parts(Kept())
    assert take(parts, order) == [text]
    assert parts.kept.halves == []
    assert parts.due(1e6) == []


def test_a_missing_part_is_waited_for_and_the_rest_told() -> None:
    parts = Parts(Kept())
    first, second, third, *_ = found = messages(LONG)
    assert take(parts, [each for each in found if each is not second]) == []
    assert parts.due(WAIT_S - 1) == []
    (told,) = parts.due(WAIT_S)
    assert told.missing == (2,)
    assert GAP in told.text
    assert told.text.startswith("Careousel: medication not taken")
    assert parts.due(WAIT_S + 1) == []
    assert take(parts, [first, third], WAIT_S + 2) == []
    assert take(parts, [second], WAIT_S + 3) == [LONG]


def test_a_part_that_stays_away_for_good_is_forgotten() -> None:
    parts = Parts(Kept())
    take(parts, messages(LONG)[:1])
    assert len(parts.due(WAIT_S)) == 1
    assert parts.due(LATE_S) == []
    assert parts.kept.halves == []


def test_waiting_begins_anew_after_a_restart() -> None:
    parts = Parts(Kept())
    take(parts, messages(LONG)[1:], 5000.0)
    again = Parts(parts.kept)
    assert again.due(3.0) == []
    assert len(again.due(3.0 + WAIT_S)) == 1


def test_a_reference_that_came_round_mixes_nothing() -> None:
    parts = Parts(Kept())
    old, new = messages("a" * 300), messages("b" * 300, seconds=9)
    assert take(parts, old[:1]) == []
    assert take(parts, new[:1]) == ["a" * 153 + GAP]
    assert take(parts, new[1:]) == ["b" * 300]


def test_the_same_words_at_another_time_are_another_text() -> None:
    parts = Parts(Kept())
    assert take(parts, messages("not taken") * 2 + messages("not taken", seconds=60)) == ["not taken"] * 2


def test_without_a_stamp_nothing_is_taken_for_a_repeat() -> None:
    parts = Parts(Kept())
    assert take(parts, [messages("jam")[0]._replace(time=None)] * 2) == ["jam", "jam"]


def test_memory_has_an_end() -> None:
    parts = Parts(Kept())
    told = [take(parts, messages("x" * 200, reference=at, seconds=at)[:1]) for at in range(MAX_HALVES + 5)]
    assert sum(map(len, told)) == 5
    assert len(parts.kept.halves) == MAX_HALVES
    take(parts, [message for at in range(REMEMBERED + 9) for message in messages("y", seconds=at)])
    assert len(parts.kept.seen) == REMEMBERED
