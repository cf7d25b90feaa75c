import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.clock import UTC
from hub.domain.codes import CENTRE_KINDS, CODES, EDGE_KINDS, Kind, Lane, lane
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name, new_epoch, uuid7


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2900, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants bounds without a zone
def test_uuid7_has_its_version_its_variant_and_its_time(at: dt.datetime) -> None:
    text = uuid7(at)
    assert (len(text), text[14], text[19] in "89ab") == (36, "7", True)
    assert int(text.replace("-", "")[:12], 16) == int(at.timestamp() * 1000)


def test_ids_of_one_instant_differ() -> None:
    at = dt.datetime(2026, 11, 21, tzinfo=UTC)
    assert len({uuid7(at) for _ in range(1000)}) == 1000
    assert len(new_epoch()) == 8


@pytest.mark.parametrize("name", ["", "-a", "A", "h_1", "h/1", "h+", "x" * 49, "h#"])
def test_a_name_fits_a_topic(name: str) -> None:
    with pytest.raises(MalformedError, match="thing"):
        checked_name(name, "thing")


def test_every_kind_has_its_codes_and_belongs_to_one_side() -> None:
    assert set(CODES) == set(Kind)
    assert set(Kind) == EDGE_KINDS | CENTRE_KINDS
    assert lane(Kind.DOOR_OPENED) is Lane.READING
    assert lane(Kind.DOOR_OPENED, critical=True) is Lane.ALARM
    assert lane(Kind.MOTION_DETECTED, critical=True) is Lane.READING
    for kind in Kind:
        if kind.startswith(("alarm.", "fall.", "smoke.", "water.", "co.", "heat.", "dose.not_")):
            assert lane(kind) is Lane.ALARM
