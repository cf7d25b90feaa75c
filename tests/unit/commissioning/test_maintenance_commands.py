"""`hub maintenance add`, `list` and `end`."""

import datetime as dt
from pathlib import Path

import pytest

from hub.central.commands import maintenance
from hub.central.site.apply import apply
from hub.central.site.load import load
from hub.central.store.engine import Store
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError, RefusedError
from tests.fakes.site import SITE

NOW = Now(dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC), 0.0)


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/central.db"
    made = Store(url)
    made.write_now(lambda connection: apply(connection, SITE, load(SITE), NOW, "test"))
    made.close()
    return url


def test_it_is_begun_listed_and_ended_in_local_time(store: str) -> None:
    said: list[str] = []
    period = ("2026-11-22T08:00", "2026-11-22T15:00")
    begun = maintenance.add(("hub", "h-1"), "moving", period, store, by="tech", now=NOW, say=said.append)
    assert begun == maintenance.list_all(store, as_json=False, say=said.append) == 0
    assert maintenance.end(1, store, by="tech", now=NOW, say=said.append) == 0
    assert said == [
        "maintenance 1 of hub h-1 until 2026-11-22 15:00; it ends by itself",
        "1  hub h-1  2026-11-22 08:00 to 2026-11-22 15:00  held 0  by tech: moving",
        "maintenance 1 of hub h-1 has ended; it held 0 faults",
    ]


def test_that_there_is_none_is_said_to_people_only(store: str) -> None:
    said: list[str] = []
    for as_json in (False, True):
        assert maintenance.list_all(store, as_json=as_json, say=said.append) == 0
    assert said == ["no maintenance is under way or to come"]


def test_what_cannot_be_is_one_clear_line(store: str) -> None:
    with pytest.raises(MalformedError, match="2026-12-24T15:00"):
        maintenance.add(("hub", "h-1"), "moving", (None, "soon"), store, by="t", now=NOW, say=print)
    with pytest.raises(RefusedError, match="no hub h-9"):
        maintenance.add(("hub", "h-9"), "moving", (None, "2026-11-22T15:00"), store, by="t", now=NOW, say=print)
    with pytest.raises(RefusedError, match="no maintenance 7"):
        maintenance.end(7, store, by="t", now=NOW, say=print)
