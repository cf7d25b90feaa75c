import datetime as dt
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.clock import UTC, SteadyClock, SystemClock, TimeQuality


class Hands:
    """A machine's clock that a test sets."""

    def __init__(self) -> None:
        self.wall = 1_795_000_000.0
        self.mono = 50.0

    def go_on(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


@given(st.lists(st.floats(-7200, 7200), max_size=20))
def test_no_jump_moves_a_deadline(jumps: list[float]) -> None:
    hands = Hands()
    clock = SteadyClock(lambda: hands.wall, lambda: hands.mono)
    start = clock.now().utc
    for jump in jumps:
        hands.wall += jump if abs(jump) > 2 * len(jumps) + 2 else 0
        hands.go_on(60)
        clock.now()
    elapsed = (clock.now().utc - start).total_seconds()
    # What is followed is at most two seconds a step: sums of jumps that come back to within that.
    assert abs(elapsed - 60 * len(jumps)) <= 2 * len(jumps) + 1e-3


def test_small_corrections_are_followed_and_a_jump_is_told() -> None:
    hands = Hands()
    clock = SteadyClock(lambda: hands.wall, lambda: hands.mono)
    hands.wall += 0.5
    assert clock.now().utc.timestamp() == hands.wall
    hands.wall += 3600
    assert clock.now().utc.timestamp() == hands.wall - 3600
    assert round(clock.jump_s) == 3600
    assert clock.now().quality is TimeQuality.ESTIMATED
    hands.wall -= 3600
    clock.now()
    assert clock.jump_s == 0


@pytest.mark.parametrize("reading", range(8))
def test_a_process_that_is_stopped_between_two_readings_sees_no_jump(reading: int) -> None:
    hands, readings = Hands(), iter(range(100))

    def stopped(read: Callable[[], float]) -> Callable[[], float]:
        def reads() -> float:
            if next(readings) == reading:
                hands.go_on(120)
            return read()

        return reads

    clock = SteadyClock(stopped(lambda: hands.wall), stopped(lambda: hands.mono))
    for _ in range(2):
        assert abs(clock.now().utc.timestamp() - hands.wall) < 1e-3
        assert clock.jump_s == 0


def test_the_machines_clock_is_believed_as_far_as_floor_and_kernel_allow() -> None:
    past = dt.datetime(2026, 1, 1, tzinfo=UTC)
    future = dt.datetime(2999, 1, 1, tzinfo=UTC)
    assert SystemClock(past, lambda: True).now().quality is TimeQuality.SYNCED
    assert SystemClock(past, lambda: False).now().quality is TimeQuality.ESTIMATED
    assert SystemClock(future, lambda: True).now().quality is TimeQuality.UNKNOWN


def test_a_clock_that_shows_less_than_has_come_begins_there_and_goes_on() -> None:
    hands = Hands()
    clock = SteadyClock(lambda: hands.wall, lambda: hands.mono, since=hands.wall + 3600, synced=lambda: False)
    assert clock.now().utc.timestamp() == hands.wall + 3600
    hands.go_on(60)
    assert clock.now().utc.timestamp() == hands.wall + 3600
    assert (round(clock.jump_s), clock.ahead_s) == (-3600, 0)


def test_a_clock_that_shows_more_than_has_come_is_believed() -> None:
    hands = Hands()
    for behind in (-1, 0, 3600):
        clock = SteadyClock(lambda: hands.wall, lambda: hands.mono, since=hands.wall - behind)
        assert clock.now().utc.timestamp() == hands.wall
        assert clock.ahead_s == 0


def test_begun_behind_it_takes_up_the_time_that_was_missed_when_a_daemon_tells_it() -> None:
    hands, synced = Hands(), False
    clock = SteadyClock(lambda: hands.wall, lambda: hands.mono, since=hands.wall + 3600, synced=lambda: synced)
    hands.wall += 3600 + 180  # the machine was off for three minutes
    assert round(clock.now().utc.timestamp() - hands.wall) == -180  # nobody vouches for that
    synced = True
    assert clock.now().utc.timestamp() == hands.wall
    hands.wall += 3600  # a jump from here on is one as ever
    assert clock.now().utc.timestamp() == hands.wall - 3600


def test_a_clock_that_a_daemon_vouches_for_was_ahead_before() -> None:
    hands = Hands()
    clock = SteadyClock(lambda: hands.wall, lambda: hands.mono, since=hands.wall + 1e8, synced=lambda: True)
    assert round(clock.ahead_s) == 1e8
    clock.believe()
    assert clock.now().utc.timestamp() == hands.wall
    assert (clock.jump_s, clock.ahead_s) == (0, 0)
