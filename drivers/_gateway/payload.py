"""What a gateway's payload holds, read without trust: JSON, numbers, dates."""

import datetime as dt
import hashlib
from collections.abc import Container
from typing import Any

import msgspec

from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.errors import MalformedError

# Gateways send a few hundred bytes; whole descriptions of a node stay far below this.
MAX_BYTES = 64 * 1024
# How far a gateway's clock may be ahead of ours.
AHEAD = dt.timedelta(minutes=5)
_EARLIEST = dt.datetime(2020, 1, 1, tzinfo=UTC)
_MAX_WORD = 64
# Unix seconds beyond this are no date at all.
_FAR_S = 1e11


def fingerprint(key: bytes) -> str:
    """Return what a message is known by later."""
    return hashlib.blake2b(key, digest_size=8).hexdigest()


def json_of(payload: bytes) -> Any:  # noqa: ANN401 -- whatever it is
    """Read a payload.

    Raises:
        MalformedError: It is too long, no JSON, nested too deeply, or holds a number that is none.
    """
    if len(payload) > MAX_BYTES:
        raise MalformedError(f"byte {MAX_BYTES}: payload of {len(payload)} bytes, {MAX_BYTES} at most")
    if not payload:
        raise MalformedError("byte 0: the payload is empty")
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, ValueError) as error:
        place = "" if "byte" in str(error) else f"byte {len(payload)}: "
        raise MalformedError(f"{place}no JSON: {error}") from error
    except RecursionError as error:
        raise MalformedError("no JSON: nested too deeply") from error


def object_of(payload: bytes) -> dict[str, Any]:
    """Read a payload that must be a JSON object.

    Raises:
        MalformedError: It is something else.
    """
    found = json_of(payload)
    if not isinstance(found, dict):
        raise MalformedError(f"byte 0: a JSON object is needed, not {type(found).__name__}")
    return found


def scalars(found: dict[str, Any], names: Container[str]) -> bytes:
    """Return the members of these names as JSON: what was understood, and nothing of what else stood there."""
    kept = {name: value for name, value in found.items() if name in names and _is_scalar(value)}
    return msgspec.json.encode(kept)


def _is_scalar(value: object) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _MAX_WORD)


def number(value: object, low: float, high: float) -> float | None:
    """Return a number of a range, or ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value)


def percent(value: object) -> int | None:
    """Return a state of charge, or ``None`` where it is none."""
    pct = number(value, 0, 100)
    return None if pct is None else round(pct)


def dated(unix_s: object, now: Now) -> tuple[dt.datetime | None, bool]:
    """Return an instant that a gateway tells in Unix seconds, and whether it cannot be believed.

    While our own clock is not set, the gateway's is believed whenever it is not in the past century.
    """
    seconds = number(unix_s, 0, _FAR_S)
    if seconds is None:
        return None, unix_s is not None
    instant = dt.datetime.fromtimestamp(seconds, tz=UTC)
    if instant < _EARLIEST or (instant > now.utc + AHEAD and now.quality is not TimeQuality.UNKNOWN):
        return None, True
    return instant, False
