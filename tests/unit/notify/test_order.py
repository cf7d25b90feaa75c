"""Which provider carries a message next: in order, at once, never twice, and never nobody while one could."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.notify.breaker import FIRST_PAUSE, OPENS_AFTER, PROBE, WINDOW, Breaker, Condition
from hub.central.notify.message import REACHED, MessageState, standing, withdrawn
from hub.central.notify.order import Next, Nobody, Past, Way, following
from tests.fakes.ward import START

S = MessageState
A, B, C = Way("a"), Way("b"), Way("c")
NEVER = START - dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)


def broken(way: Way, errors: int = 3) -> Way:
    return way._replace(condition=Condition.OPEN, errors=errors)


def tried(name: str, ago_s: float = 0, state: MessageState = S.UNDELIVERABLE, *, final: bool = False) -> Past:
    return Past(name, state, final, START - dt.timedelta(seconds=ago_s))


@pytest.mark.parametrize(
    ("ways", "past", "provider", "wait_s"),
    [
        ([A, B, C], [], "a", 0),
        ([A, B, C], [tried("a")], "b", 0),
        ([A, B, C], [tried("a"), tried("b")], "c", 0),
        # All have failed: from the first again, later each time, without end.
        ([A, B], [tried("a"), tried("b")], "a", 2),
        ([A, B], [tried("a"), tried("b"), tried("a")], "b", 0),
        ([A, B], [tried("a"), tried("b")] * 2, "a", 4),
        ([A], [tried("a")] * 9, "a", 30),
        ([A], [tried("a", ago_s=40)] * 9, "a", -10),  # it is due already
        # Who refused it is not asked again.
        ([A, B], [tried("a", final=True)], "b", 0),
        ([A, B], [tried("a", final=True), tried("b")], "b", 2),
        # Who has it is not given it twice.
        ([A, B], [tried("a", state=S.SENT)], "b", 0),
        ([A, B], [tried("a", state=S.SENT), tried("b")], "b", 2),
        # Who fails lately goes last, and waits for nobody.
        ([broken(A), B], [], "b", 0),
        ([broken(A), B], [tried("b")], "a", 0),
        ([broken(A), B, C], [tried("b")], "c", 0),
        ([broken(A, 9), broken(B, 3)], [], "b", 0),
        ([broken(A, 3), broken(B, 3)], [], "a", 0),
        ([broken(A)], [], "a", 0),
        ([A._replace(condition=Condition.HALF_OPEN, errors=5), B], [], "a", 0),
        # What never left does not count.
        ([A], [Past(None, S.CANCELLED, False, NEVER), Past(None, S.QUEUED, False, NEVER)], "a", 0),
    ],
)
def test_next(ways: list[Way], past: list[Past], provider: str, wait_s: float) -> None:
    step = following(ways, past, START)
    assert isinstance(step, Next)
    assert (step.provider, step.at) == (provider, START + dt.timedelta(seconds=wait_s))
    assert step.reason


@pytest.mark.parametrize(
    ("ways", "past", "reason"),
    [
        ([], [], "no provider serves the channel"),
        ([A, B], [tried("a", final=True), tried("b", final=True)], "each provider refuses it"),
        ([A], [tried("a", state=S.SENT)], "each that could carry it has it"),
        ([A, B], [tried("a", state=S.SENT), tried("b", final=True)], "each that could carry it has it"),
    ],
)
def test_nobody(ways: list[Way], past: list[Past], reason: str) -> None:
    assert following(ways, past, START) == Nobody(reason)


_ways = st.lists(
    st.builds(Way, st.sampled_from("abc"), st.sampled_from(Condition), st.integers(0, 9)),
    unique_by=lambda way: way.provider,
)
_past = st.lists(st.builds(Past, st.sampled_from("abc"), st.sampled_from(S), st.booleans(), st.just(START)))


@given(_ways, _past)
def test_while_one_could_carry_it_one_is_named_and_never_far_off(ways: list[Way], past: list[Past]) -> None:
    step = following(ways, past, START)
    out = {p.provider for p in past if p.final or p.state in REACHED | {S.SENT}}
    able = {way.provider for way in ways} - out
    if isinstance(step, Nobody):
        assert not able
        return
    assert step.provider in able
    assert START <= step.at <= START + 30 * SECOND
    untried = {way.provider for way in ways} - {p.provider for p in past if p.state is S.UNDELIVERABLE} - out
    if untried:
        assert step.at == START
        assert step.provider in untried


@pytest.mark.parametrize(
    ("attempts", "message"),
    [
        ("", "queued"),
        ("queued", "queued"),
        ("undeliverable queued", "queued"),
        ("undeliverable undeliverable", "undeliverable"),
        ("undeliverable sent", "sent"),
        ("sent queued", "sent"),
        ("sent undeliverable", "sent"),
        ("sent cancelled", "sent"),
        ("sent delivered", "delivered"),
        ("read delivered", "read"),
        ("delivered accepted", "accepted"),
        ("rejected delivered", "rejected"),
        ("undeliverable cancelled", "cancelled"),
        ("undeliverable cancelled_by_other", "cancelled_by_other"),
    ],
)
def test_a_message_stands_where_its_attempts_have_brought_it(attempts: str, message: str) -> None:
    states = [S(word) for word in attempts.split()]
    assert standing(states) == standing(reversed(states)) == message


@pytest.mark.parametrize(
    ("taken_by", "state"),
    [
        (None, "cancelled"),
        ("user:kari-test", "cancelled"),
        ("sms:p-duty", "cancelled"),
        ("sms:p-leader", "cancelled_by_other"),
        ("call:p-leader", "cancelled_by_other"),
    ],
)
def test_who_took_it_decides_how_it_is_cancelled(taken_by: str | None, state: str) -> None:
    assert withdrawn("p-duty", taken_by) == state


def opened() -> Breaker:
    breaker = Breaker()
    assert [breaker.failed(START) for _ in range(OPENS_AFTER)] == [False, False, True]
    return breaker


def test_a_breaker_opens_after_errors_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(OPENS_AFTER):
        for _ in range(OPENS_AFTER - 1):
            assert not breaker.failed(START)
        assert not breaker.answered()
    assert breaker.condition(START) is Condition.CLOSED
    for number in range(OPENS_AFTER * 2):  # too far apart to be an outage
        assert not breaker.failed(START + number * WINDOW)
    assert opened().condition(START) is Condition.OPEN


def test_one_message_finds_out_whether_it_works_again() -> None:
    breaker = opened()
    later = START + FIRST_PAUSE
    assert breaker.condition(later - SECOND) is Condition.OPEN
    assert breaker.condition(later) is Condition.HALF_OPEN
    breaker.began(later)
    assert breaker.condition(later) is Condition.OPEN  # for the others
    assert not breaker.failed(later + SECOND)
    assert breaker.condition(later + FIRST_PAUSE) is Condition.OPEN  # twice as long now
    again = later + SECOND + 2 * FIRST_PAUSE
    assert breaker.condition(again) is Condition.HALF_OPEN
    breaker.began(again)
    assert breaker.answered()
    assert (breaker.condition(again), breaker.errors) == (Condition.CLOSED, 0)


def test_a_probe_of_which_nothing_is_heard_is_followed_by_another() -> None:
    breaker = opened()
    later = START + FIRST_PAUSE
    breaker.began(later)
    assert breaker.condition(later + PROBE) is Condition.HALF_OPEN
