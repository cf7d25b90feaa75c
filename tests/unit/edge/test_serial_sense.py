"""Garbage on a line: noise is forgiven, a wrong speed is said once."""

import os
import pty
from typing import Any

import pytest

from drivers.base import Answer, Send
from hub.domain.codes import Kind
from hub.edge.links.sense import Sense
from hub.wire.serial_line import LineErrors, line_errors
from tests.unit.edge.makers import heard

_BAD = Answer(bad=("byte 0: no start",))
_NAK = Answer(bad=("byte 0: no start",), actions=(Send(b"\x15"),))
_GOOD = Answer(observations=(heard(),))
_STRANGER = Answer(strangers=("01825DAB",))
_POLL = Answer(actions=(Send(b"\x05"),))


def _after(answers: list[tuple[bytes, Answer]], apart_s: float = 10.0) -> tuple[Sense, float]:
    made = Sense()
    made.opened(1000.0, None)
    mono = 1000.0
    for data, answer in answers:
        mono += apart_s
        made.took(data, answer, mono)
    return made, mono


@pytest.mark.parametrize("garbage", [_BAD, _NAK, Answer(bad=_BAD.bad, observations=(heard(Kind.DEVICE_FAULT),))])
def test_garbage_and_nothing_else_is_said_once(garbage: Answer) -> None:
    made, mono = _after([(b"\x00", garbage)] * 5)
    assert made.complaint(mono, None) == "bytes arrive but none make sense: wrong baud or wrong driver?"
    assert made.complaint(mono, None) == ""
    made.opened(mono, None)
    for _ in range(9):
        mono += 10
        made.took(b"\x00", garbage, mono)
    assert made.complaint(mono, None) == ""
    assert made.took(b"\x00", _GOOD, mono)
    assert not made.took(b"\x00", _GOOD, mono)


@pytest.mark.parametrize("sensible", [_GOOD, _STRANGER, _POLL, Answer(state=b"1")])
def test_one_frame_that_makes_sense_forgives_the_noise_before(sensible: Answer) -> None:
    made, mono = _after([(b"\x00", _BAD)] * 4 + [(b"\x01", sensible)] + [(b"\x00", _BAD)] * 4)
    assert made.complaint(mono, None) == ""


def test_what_a_driver_sends_by_itself_says_nothing_of_the_line() -> None:
    made, mono = _after([(b"", _POLL), (b"\x00", _BAD)] * 5)
    assert made.complaint(mono, None)


def test_a_burst_of_noise_is_not_a_wrong_speed() -> None:
    made, mono = _after([(b"\x00", _BAD)] * 9, apart_s=1.0)
    assert made.complaint(mono, None) == ""


def test_framing_errors_leave_no_doubt() -> None:
    made = Sense()
    made.opened(0.0, LineErrors(100, 0))
    made.took(b"\x00", _BAD, 1.0)
    assert made.complaint(5.0, LineErrors(110, 0)) == ""
    assert "(25 framing errors)" in made.complaint(10.0, LineErrors(120, 5))


def test_framing_errors_beside_good_frames_are_forgiven() -> None:
    made = Sense()
    made.opened(0.0, LineErrors(0, 0))
    made.took(b"\x00", _GOOD, 1.0)
    assert made.complaint(5.0, LineErrors(50, 0)) == ""
    made.took(b"\x00", _BAD, 6.0)
    assert made.complaint(10.0, LineErrors(51, 0)) == ""


def test_a_port_is_asked_for_its_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    assert line_errors(theirs) is None  # a pseudo terminal counts nothing
    os.close(ours)
    os.close(theirs)

    def ioctl(_descriptor: int, request: int, room: bytes) -> Any:
        assert (request, len(room)) == (0x545D, 80)
        return b"".join(number.to_bytes(4, "little") for number in range(20))

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    assert line_errors(0) == LineErrors(framing=6, parity=8)


def test_the_line_is_looked_at_now_and_then() -> None:
    made = Sense()
    made.opened(0.0, None)
    assert [made.due(mono) for mono in (1.0, 5.0, 6.0, 10.0)] == [False, True, False, True]
