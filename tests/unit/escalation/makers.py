"""A site of two zones for tests of plans."""

from typing import Any

import msgspec

from hub.central.site.directory import Directory
from hub.central.site.model import Site

CARE = [{"roles": ["duty"], "wait_s": 100}, {"roles": ["nord-2:duty"], "wait_s": 200}]


def document(plans: list[dict[str, Any]] | None = None, **changes: object) -> dict[str, Any]:
    """nord-1 has a mobile by night and a landline by day, nord-2 a mobile always."""
    return {
        "site": {"name": "test"},
        "phones": [
            {"id": "desk", "number": "+4700000011", "kind": "landline"},
            {"id": "duty-1", "number": "+4700000012"},
            {"id": "duty-2", "number": "+4700000022"},
            {"id": "watch", "number": "+4700000091"},
        ],
        "zones": [{"id": "nord-1", "last_resort": "watch"}, {"id": "nord-2", "last_resort": "watch"}],
        "rota": [
            shift("nord-1", "desk", "08:00", "15:00"),
            shift("nord-1", "duty-1", "15:00", "08:00"),
            shift("nord-2", "duty-2", "00:00", "24:00"),
        ],
        "plans": [{"class": "care", "steps": CARE}] if plans is None else plans,
        **changes,
    }


def shift(zone: str, phone: str, start: str, end: str) -> dict[str, Any]:
    return {"zone": zone, "role": "duty", "phone": phone, "days": "daily", "from": start, "to": end}


def directory(plans: list[dict[str, Any]] | None = None, **changes: object) -> Directory:
    return Directory(msgspec.convert(document(plans, **changes), Site), 1)
