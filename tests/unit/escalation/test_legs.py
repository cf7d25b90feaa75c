"""What is done one after another in a plan: its steps, and in a step one by one its phones."""

from typing import Any

import msgspec
import pytest

from hub.central.escalation.plan import legs_of
from hub.central.site.model import Site

PLACE = {"zone": "nord-1", "role": "duty"}
OTHER_PLACE = {"zone": "nord-2", "role": "duty"}
TWO = PLACE | {"phones": ["duty-1", "duty-2"]}
OTHER_ZONE = OTHER_PLACE | {"phones": ["duty-1", "duty-2"]}
FOR_A_DAY = {"from": "2026-11-24T08:00", "to": "2026-11-25T08:00", "reason": "r"}
A_WEEK = {"from": "2026-11-23", "until": "2026-11-29", "name": "course"}
ONE = {"phone": "duty-1", "days": "mon", "from": "08:00", "to": "15:00"}
PAIR = {"phones": ["duty-1", "duty-2"], "days": "tue", "from": "08:00", "to": "15:00"}


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({}, [0]),  # nobody, and it says so
        ({"rota": [TWO | {"days": "mon", "from": "08:00", "to": "15:00"}]}, [0, 1]),
        ({"rota": [OTHER_ZONE | {"days": "mon", "from": "08:00", "to": "15:00"}]}, [0]),
        ({"overrides": [TWO | FOR_A_DAY]}, [0, 1]),
        ({"overrides": [OTHER_ZONE | FOR_A_DAY]}, [0]),
        ({"schedules": [PLACE | A_WEEK | {"rules": [ONE, PAIR, ONE]}]}, [0, 1]),
        ({"schedules": [PLACE | A_WEEK | {"rules": [ONE]}], "overrides": [TWO | FOR_A_DAY]}, [0, 1]),
        ({"schedules": [OTHER_PLACE | A_WEEK | {"rules": [PAIR]}]}, [0]),
    ],
)
def test_one_by_one_a_role_has_as_many_legs_as_it_ever_has_phones(
    tables: dict[str, Any], expected: list[int]
) -> None:
    document = {
        "site": {"name": "test"},
        "phones": [{"id": "duty-1", "number": "+4700000011"}, {"id": "duty-2", "number": "+4700000012"}],
        "zones": [{"id": zone, "last_resort": "duty-1"} for zone in ("nord-1", "nord-2")],
        "plans": [{"class": "care", "steps": [{"roles": ["duty"], "order": "one-by-one"}]}],
        **tables,
    }
    of = msgspec.convert(document, Site)
    legs = legs_of(of, of.plans[0], "nord-1")
    assert [leg.place for leg in legs] == [*expected, None]
    assert [leg.number for leg in legs] == [1] * len(expected) + [2]
