"""Whatever the rota says, at every instant of every plan somebody is reached: in the end the last resort."""

import datetime as dt
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.central.escalation import plan
from hub.central.escalation.plan import Position
from hub.central.site.directory import Directory
from hub.central.site.model import Site
from hub.domain.clock import UTC

PHONES = ["mobile", "desk", "last"]
TIMES = st.sampled_from(["00:00", "02:30", "07:30", "08:00", "15:00", "23:00"])
DAYS = st.sampled_from(["daily", "mon-fri", "sat,sun,holiday", "holiday", "tue"])
RULE = st.fixed_dictionaries(
    {"phone": st.sampled_from(PHONES[:2]), "days": DAYS, "from": TIMES, "to": TIMES, "role": st.sampled_from("ab")}
)
STEP = st.fixed_dictionaries({"roles": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2)})
BEGIN = dt.datetime(2026, 10, 24, tzinfo=UTC)


def directory(rules: list[dict[str, Any]], steps: list[dict[str, Any]]) -> Directory:
    document = {
        "site": {"name": "test"},
        "phones": [
            {"id": "mobile", "number": "+4700000012"},
            {"id": "desk", "number": "+4700000011", "kind": "landline"},
            {"id": "last", "number": "+4700000091"},
        ],
        "zones": [{"id": "nord-1", "last_resort": "last"}],
        "rota": [{**row, "zone": "nord-1"} for row in rules],
        "plans": [{"class": "care", "steps": steps}],
    }
    return Directory(msgspec.convert(document, Site), 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(RULE, max_size=5),
    st.lists(STEP, min_size=1, max_size=3),
    st.integers(0, 200 * 1440),
    st.integers(0, 6),
)
def test_every_instant_has_somebody_to_reach_and_each_round_the_last_resort(
    rules: list[dict[str, Any]], steps: list[dict[str, Any]], minute: int, start: int
) -> None:
    site = directory(rules, steps)
    at = BEGIN + dt.timedelta(minutes=minute)
    position = Position(0, start)
    reached: set[str] = set()
    for _ in range(len(steps) + 2):
        move = plan.move(site, "nord-1", "care", 40, at, position)
        assert move.targets, move.reasons
        assert all(target.phone.kind == "mobile" for target in move.targets)
        assert all(target.reason for target in move.targets)
        reached |= {target.phone.id for target in move.targets}
        position = Position(move.position.round, move.position.step + 1)
    assert "last" in reached
