"""Every driver folder with its vectors and its example device, as contract tests and fuzzing need them."""

import json
from pathlib import Path
from typing import Any

from drivers.base import Device, LinkType
from drivers.registry import packages

VECTORS = Path(__file__).parents[1] / "vectors"
# A device that the driver takes, beside its vectors.
EXAMPLE = "device.json"


def links() -> list[tuple[str, LinkType]]:
    """Return every codec that there is: a driver on one of its links."""
    return [(name, link) for name, package in sorted(packages().items()) for link in package.MANIFEST.links]


def vectors(name: str) -> list[dict[str, Any]]:
    """Return the vectors of a driver."""
    files = [path for path in sorted((VECTORS / name).glob("*.json")) if path.name != EXAMPLE]
    return [vector for path in files for vector in json.loads(path.read_text(encoding="utf-8"))]


def example(name: str, link: LinkType) -> Device:
    """Return the example device of a driver, as it is on this link."""
    told = json.loads((VECTORS / name / EXAMPLE).read_text(encoding="utf-8"))
    return Device(
        id="d-1",
        address=told.get(f"{link}_address", told.get("address", "")),
        profile=told.get("profile", ""),
        key=bytes.fromhex(told["key"]) if "key" in told else None,
        settings=told.get("settings", {}),
    )
