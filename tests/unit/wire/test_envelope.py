import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.clock import UTC, TimeQuality
from hub.domain.codes import EDGE_KINDS, Kind
from hub.domain.observation import Observation
from hub.wire import envelope

SAMPLE = json.loads(
    '{"specversion":"1.0","id":"0193","source":"urn:hub:h-0042","type":"no.welfarehub.observation.v1",'
    '"subject":"d-pendant-1","time":"2026-11-21T19:00:00.123456Z","timequality":"synced","epoch":"5f1c09aa",'
    '"seq":1234,"data":{"kind":"alarm.pressed","value":null,"unit":null,"battery_pct":87,"rssi_dbm":-61,'
    '"test":false,"flags":[],"raw":"44000b0164"}}'
)

values: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def sample(**changes: Any) -> bytes:
    return json.dumps({**SAMPLE, **changes}).encode()


def test_the_contracts_own_example_is_read_and_written_the_same() -> None:
    (event,), rejected = envelope.decode(sample(), "h-0042")
    assert not rejected
    assert (event.data.kind, event.seq, event.time.microsecond) == (Kind.ALARM_PRESSED, 1234, 123456)
    assert json.loads(envelope.encode(event)) == SAMPLE


@given(
    kind=st.sampled_from(sorted(EDGE_KINDS)),
    value=values,
    time=st.datetimes(timezones=st.just(UTC)),
    seqs=st.lists(st.integers(1, 2**62), min_size=1, max_size=5, unique=True),
)
def test_what_is_put_in_comes_out(kind: Kind, value: Any, time: dt.datetime, seqs: list[int]) -> None:
    observation = Observation(kind=kind, time=time, value=value, flags=("odd",), raw="00ff")
    encoded = [
        envelope.encode(
            envelope.event(
                observation,
                event_id="0193",
                hub_id="h-1",
                device_id="d-1",
                quality=TimeQuality.ESTIMATED,
                epoch="aa",
                seq=seq,
            )
        )
        for seq in seqs
    ]
    events, rejected = envelope.decode(envelope.join(encoded), "h-1")
    assert not rejected
    assert [event.seq for event in events] == seqs
    assert all((event.data.kind, event.data.value, event.time) == (kind, value, time) for event in events)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"source": "urn:hub:h-0043"}, "source"),
        ({"seq": 0}, "seq"),
        ({"seq": "1"}, "seq"),
        ({"epoch": ""}, "epoch"),
        ({"id": ""}, "id"),
        ({"id": "0" * 65}, "id"),
        ({"time": "2026-11-21T19:00:00"}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"timequality": "good"}, "timequality"),
        ({"subject": "d 1\n"}, "subject"),
        ({"type": "no.welfarehub.observation.v9"}, "type"),
        ({"data": {"kind": "alarm.shouted"}}, "data.kind"),
        ({"data": {"kind": "hub.lost"}}, "data.kind"),
        ({"data": {"kind": "alarm.pressed", "battery_pct": "full"}}, "battery_pct"),
        ({"data": None}, "data"),
        ({"epoch": "5f1c\x0009aa"}, "epoch"),
        ({"epoch": "5f1c09aa\n"}, "epoch"),
        ({"id": "01\x0093"}, "id"),
        ({"id": "01\x1f93"}, "id"),
        ({"data": {"kind": "alarm.pressed", "unit": "\x00"}}, "U+0000"),
        ({"data": {"kind": "alarm.pressed", "raw": "00\x00"}}, "U+0000"),
        ({"data": {"kind": "alarm.pressed", "flags": ["odd", "\x00"]}}, "U+0000"),
    ],
)
def test_what_is_wrong_is_named_and_its_neighbours_are_kept(changes: dict[str, Any], place: str) -> None:
    events, rejected = envelope.decode(
        b"[" + sample() + b"," + sample(**changes) + b"," + sample(seq=5) + b"]", "h-0042"
    )
    assert [event.seq for event in events] == [1234, 5]
    assert place in rejected[0].reason
    assert rejected[0].reason.startswith("element 1")


def test_a_malformed_alarm_keeps_what_can_be_read() -> None:
    _, (rejected,) = envelope.decode(sample(time=None), "h-0042")
    assert (rejected.epoch, rejected.seq, rejected.kind, rejected.subject) == (
        "5f1c09aa",
        1234,
        Kind.ALARM_PRESSED,
        "d-pendant-1",
    )


def test_what_is_read_of_a_malformed_alarm_is_what_a_store_keeps() -> None:
    _, (rejected,) = envelope.decode(sample(subject="d-\x00", epoch="5f\x00"), "h-0042")
    assert (rejected.epoch, rejected.seq) == ("5f\x00", 1234), "it is receipted as it came, or comes for ever"
    assert rejected.subject == "d-?"


def test_a_megabyte_is_refused_whole() -> None:
    events, (rejected,) = envelope.decode(b"[" + b" " * 2**20, "h-1")
    assert not events
    assert "1048577 bytes" in rejected.reason


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_nothing_raises(payload: bytes) -> None:
    events, rejected = envelope.decode(payload, "h-1")
    assert not events
    assert rejected or payload.strip() == b"[]"


def test_deep_nesting_is_refused() -> None:
    _, rejected = envelope.decode(b"[" * 100_000, "h-1")
    assert rejected
