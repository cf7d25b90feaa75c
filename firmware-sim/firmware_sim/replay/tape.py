"""The file of a recording: a JSON object a line, the first one the header (docs/recordings.md)."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from firmware_sim.errors import Unfit

VERSION = 1
_KINDS = ("serial", "advert", "gatt", "topic")


class TapeError(Unfit):
    """The recording cannot be used; the text names the line."""


class Frame(NamedTuple):
    """One frame.

    Attributes:
        at_s: Seconds after the recording's first frame.
        kind: ``serial``, ``advert``, ``gatt`` or ``topic``.
        link: Name of the link.
        driver: Who read it.
        address: Made-up address of its device; empty on a line with many.
        place: Characteristic or topic.
        data: Its bytes.
        service_data: Of an advert: bytes by UUID.
    """

    at_s: float
    kind: str
    link: str
    driver: str
    address: str
    place: str
    data: bytes
    service_data: Mapping[str, bytes]


class Tape(NamedTuple):
    """A recording.

    Attributes:
        frames: In the order of their times.
        withheld: How many frames it tells of but does not hold: they could say who somebody is.
        lost: How many its reader was too slow for.
    """

    frames: list[Frame]
    withheld: int
    lost: int


def read(path: Path) -> Tape:
    """Read a recording.

    Raises:
        TapeError: It is none, or a line is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TapeError(f"{path}: {error}") from error
    return tape_of(lines)


def tape_of(lines: Iterable[str]) -> Tape:
    """Read the lines of a recording; see :func:`read`."""
    frames: list[tuple[float, Frame]] = []
    withheld = lost = 0
    header: Mapping[str, Any] | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found = _object(number, line)
        if header is None:
            header = found
            if found.get("recording") != VERSION:
                raise TapeError(f"line {number}: not the first line of a recording, version {VERSION}")
        elif "lost" in found:
            lost += int(found["lost"])
        elif "withheld" in found:
            withheld += 1
        elif "kind" in found:
            frames.append(_frame(number, found))
    if header is None:
        raise TapeError("line 1: nothing is recorded")
    first = min((mono for mono, _ in frames), default=0.0)
    ordered = sorted((frame._replace(at_s=mono - first) for mono, frame in frames), key=lambda frame: frame.at_s)
    return Tape(ordered, withheld, lost)


def _object(number: int, line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise TapeError(f"line {number}: {error}") from error
    if not isinstance(found, dict):
        raise TapeError(f"line {number}: not a JSON object")
    return found


def _frame(number: int, found: Mapping[str, Any]) -> tuple[float, Frame]:
    try:
        if found["kind"] not in _KINDS:
            raise TapeError(f"line {number}: kind {found['kind']!r}; known: {', '.join(_KINDS)}")
        frame = Frame(
            0.0,
            found["kind"],
            str(found["link"]),
            str(found.get("driver", "")),
            str(found.get("address", "")),
            str(found.get("place", "")),
            bytes.fromhex(found.get("hex", "")),
            {uuid: bytes.fromhex(data) for uuid, data in found.get("service_data", {}).items()},
        )
        return float(found["mono"]), frame
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, TapeError):
            raise
        raise TapeError(f"line {number}: {type(error).__name__} {error}") from error
