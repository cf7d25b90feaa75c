"""NMEA 0183: sentences out of a stream, which fixes are believed, and how often they are told."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drivers.base import Answer, Device, Setup
from drivers.nmea import open_driver
from drivers.nmea.codec import MAX_BYTES, Stream, checksum, sentence
from drivers.nmea.driver import ALIVE_S, HOLD_S, NmeaDriver
from drivers.nmea.sentences import QUALITIES, Position, distance_m, read
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.errors import MalformedError

START = dt.datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
PUBLISHED = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47"
# One minute of latitude is a nautical mile.
MINUTE_M = 1853.0


def now(seconds: float, quality: TimeQuality = TimeQuality.SYNCED) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 500.0 + seconds, quality)


def driver(**given_settings: float) -> NmeaDriver:
    made = open_driver("serial", Setup(devices=(Device(id="d-gps", settings=given_settings),)))
    made.opened(now(0))
    return made


def epoch(seconds: float, minutes: float = 10.0, *, valid: bool = True, hdop: str = "1.0") -> bytes:
    at = START + dt.timedelta(seconds=seconds)
    time, where = f"{at:%H%M%S}.00", f"69{minutes:07.4f},N,01808.5000,E"
    rmc = f"GNRMC,{time},{'A' if valid else 'V'},{where if valid else ',,,'},0.0,,{at:%d%m%y},,,A"
    gga = f"GNGGA,{time},{where if valid else ',,,'},{int(valid)},08,{hdop},10.0,M,35.0,M,,"
    return sentence(rmc) + sentence(gga)


def told(*answers: Answer) -> list[tuple[str, Any]]:
    return [(one.observation.kind.value, one.observation.value) for each in answers for one in each.observations]


def kinds(*answers: Answer) -> list[str]:
    return [kind for kind, _ in told(*answers)]


def run(heard: NmeaDriver, until: int, start: int = 0, **epochs: Any) -> list[Answer]:
    return [heard.received(epoch(second, **epochs), now(second)) for second in range(start, until)]


def test_the_checksum_is_the_published_one() -> None:
    assert checksum(PUBLISHED[1:-3]) == 0x47
    assert sentence(PUBLISHED[1:-3].decode()) == PUBLISHED + b"\r\n"


def test_a_minute_of_latitude_is_a_nautical_mile() -> None:
    assert distance_m(Position(69.0, 18.0), Position(69.0 + 1 / 60, 18.0)) == pytest.approx(MINUTE_M, abs=1)
    assert distance_m(Position(0.0, 179.999), Position(0.0, -179.999)) == pytest.approx(222.4, abs=0.1)


def test_a_fix_is_told_once_a_minute_unless_it_moved() -> None:
    heard = driver(interval_s=60, moved_m=50)
    assert kinds(*run(heard, 121)) == ["location.fix"] * 3
    near, far = 10.0 + 40 / MINUTE_M, 10.0 + 60 / MINUTE_M
    assert kinds(heard.received(epoch(121, near), now(121))) == []
    assert kinds(heard.received(epoch(122, far), now(122))) == ["location.fix"]


def test_a_poor_fix_wandering_within_its_accuracy_has_not_moved() -> None:
    heard = driver(interval_s=600, moved_m=50)
    heard.received(epoch(0), now(0))
    away = 10.0 + 100 / MINUTE_M
    assert kinds(heard.received(epoch(1, away, hdop="30.0"), now(1))) == []
    assert kinds(heard.received(epoch(2, away, hdop="2.0"), now(2))) == ["location.fix"]


def test_the_accuracy_says_what_it_rests_on() -> None:
    value = told(driver().received(epoch(0, hdop="1.7"), now(0)))[0][1]
    assert (value["accuracy_m"], value["accuracy_basis"]) == (8.5, "hdop")
    bare = told(driver().received(epoch(0, hdop=""), now(0)))[0][1]
    assert "accuracy_m" not in bare
    assert "accuracy_basis" not in bare


def test_one_false_position_is_not_told_and_two_that_agree_are() -> None:
    heard = driver(interval_s=5)
    heard.received(epoch(0), now(0))
    wrong = heard.received(epoch(10, 50.0), now(10))
    assert told(wrong) == []
    assert "too far from the one before" in wrong.bad[0]
    back = heard.received(epoch(11), now(11))
    assert [each.observation.flags for each in back.observations] == [()]
    heard.received(epoch(20, 50.0), now(20))
    there = heard.received(epoch(21, 50.001), now(21))
    assert [each.observation.flags for each in there.observations] == [("jumped",)]
    assert kinds(heard.received(epoch(30, 50.002), now(30))) == ["location.fix"]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("invalid", [0, 1])
def test_one_sentence_that_has_no_position_is_enough(invalid: int, swapped: bool) -> None:
    good, bad = (epoch(0, valid=valid).splitlines(keepends=True) for valid in (True, False))
    pair = [bad[0], good[1]] if invalid == 0 else [good[0], bad[1]]
    answer = driver().received(b"".join(reversed(pair) if swapped else pair), now(0))
    assert told(answer) == [("device.alive", {"fix": False})]


def test_no_position_is_no_fix_and_after_a_while_a_fault() -> None:
    heard = driver(no_fix_s=120)
    heard.received(epoch(0), now(0))
    answers = run(heard, 900, start=1, valid=False)
    assert kinds(*answers) == ["device.fault", "device.alive", "device.alive"]
    assert told(*answers)[0] == ("device.fault", {"reason": "no_fix", "seconds": 120})
    assert kinds(heard.received(epoch(901), now(901))) == ["location.fix"]


def test_a_receiver_without_news_is_alive() -> None:
    heard = driver(interval_s=3600)
    answers = run(heard, int(2 * ALIVE_S) + 1)
    assert told(*answers)[1:] == [("device.alive", {"fix": True})] * 2


def test_sentences_of_one_moment_are_one_fix_wherever_they_are_cut() -> None:
    heard = driver(interval_s=1)
    first, second = epoch(0), epoch(1)
    rmc = first.index(b"$", 1)
    assert kinds(heard.received(first[:rmc], now(0)), heard.tick(now(HOLD_S - 0.1))) == []
    assert told(heard.received(first[rmc:], now(HOLD_S - 0.1)))[0][1]["satellites"] == 8
    assert kinds(heard.received(second[:rmc], now(2))) == []
    assert "satellites" not in told(heard.tick(now(2 + HOLD_S)))[0][1]


@pytest.mark.parametrize(
    ("ahead_s", "quality", "believed"),
    [
        (0, TimeQuality.SYNCED, True),
        (240, TimeQuality.SYNCED, True),
        (3600, TimeQuality.SYNCED, False),
        (3600, TimeQuality.UNKNOWN, True),  # then the satellites know better
        (-3600, TimeQuality.SYNCED, True),  # told with its age
        (-7168 * 86400, TimeQuality.SYNCED, False),
        (-7168 * 86400, TimeQuality.UNKNOWN, False),
    ],
)
def test_the_satellites_time_is_believed_where_it_can_be(
    ahead_s: int, quality: TimeQuality, believed: bool
) -> None:
    answer = driver().received(epoch(ahead_s), now(0, quality))
    seen = answer.observations[0].observation
    assert seen.time == START + dt.timedelta(seconds=ahead_s if believed else 0)
    assert seen.flags == (() if believed else ("bad_time",))


@pytest.mark.parametrize("quality", range(10))
def test_only_measured_positions_are_fixes(quality: int) -> None:
    report = read(f"GPGGA,031000,6910.0,N,01808.5,E,{quality},08,1.0,,,,,,")
    assert report is not None
    assert (report.position is not None) is (quality in set(QUALITIES) - {7, 8} | {9})


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("GPRMC,031000,A,6960.0,N,01808.5,E,,,211126", "latitude"),
        ("GPRMC,031000,A,9100.0,N,01808.5,E,,,211126", "latitude"),
        ("GPRMC,031000,A,6910.0,X,01808.5,E,,,211126", "latitude"),
        ("GPRMC,031000,A,6910.0,N,18108.5,E,,,211126", "longitude"),
        ("GPRMC,031000,A,6910.0,N,,E,,,211126", "longitude"),
        ("GPRMC,031000,A", "fields"),
        ("GPGGA,031000,6910.0,N,01808.5,E,1,x,1.0", "satellites"),
        ("GPGGA,031000,6910.0,N,01808.5,E,1,08,nan", "HDOP"),
    ],
)
def test_a_field_of_no_form_is_named_without_its_content(body: str, place: str) -> None:
    with pytest.raises(MalformedError, match=place) as raised:
        read(body)
    assert "69" not in str(raised.value)


def test_what_is_passed_over_says_no_position() -> None:
    heard = driver()
    answers = [heard.received(epoch(0)[:40] + epoch(1)[:-4] + b"00\r\n6910.0000,N", now(1))]
    answers += [heard.tick(now(3)), heard.tick(now(4))]
    lines = [line for each in answers for line in each.bad]
    assert len(lines) == 3
    assert all("6910" not in line and "01808" not in line for line in lines)


WHOLE = (epoch(0), epoch(1, 11.0), epoch(2, valid=False), PUBLISHED, sentence("GPGSV,1,1,00"))
_noise = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"$", b"*", b"$GPRMC,*", b"*4", b"\r\n"]),
        st.sampled_from(WHOLE).flatmap(lambda whole: st.integers(1, 60).map(lambda cut: whole[:cut])),
        st.integers(120, 140).map(lambda count: b"$" + b"A" * count),
    ),
    max_size=4,
).map(b"".join)


@settings(max_examples=50)
@given(parts=st.lists(st.tuples(_noise, st.sampled_from(WHOLE)), max_size=3), data=st.data())
def test_noise_loses_no_sentence_and_cuts_change_nothing(
    parts: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(noise + whole for noise, whole in parts)
    wanted = [body for _, whole in parts for _, body in Stream().feed(whole)]
    # A piece of a sentence that is whole by itself is one more.
    assume(all(not Stream().feed(noise) for noise, _ in parts))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    line = Stream()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += line.feed(stream[start:end])
    assert [each.body for each in found] == wanted
    assert all(stream[each.at + 1 :].startswith(each.body.encode()) for each in found)


@given(chunks=st.lists(st.tuples(st.one_of(st.binary(max_size=300), _noise), st.floats(0, 400)), max_size=8))
def test_no_input_raises_or_fills_the_memory(chunks: list[tuple[bytes, float]]) -> None:
    heard = driver()
    at = 0.0
    for chunk, pause in chunks:
        at += pause
        heard.received(chunk, now(at))
        heard.tick(now(at))
        assert len(heard._stream._buffer) <= MAX_BYTES + 3


@given(body=st.text(st.characters(codec="ascii", exclude_characters="$*\r\n"), max_size=90))
def test_any_sentence_is_read_or_named(body: str) -> None:
    heard = driver()
    for start in ("", "GPRMC,031000,A,", "GPGGA,031000,6910.0,N,01808.5,E,1,"):
        heard.received(sentence(start + body), now(1))
        heard.tick(now(5))
