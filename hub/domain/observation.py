"""What a device said, in the hub's own words."""

import datetime as dt
from typing import Any

import msgspec

from hub.domain.codes import Kind

# What a setting or an argument of a command is.
Scalar = bool | int | float | str
# A number, string, bool, object or null, as the wire contract has it.
Value = float | int | str | bool | dict[str, Any] | None


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a device said, as its driver understood it.

    Attributes:
        kind: One word of the vocabulary.
        time: When it happened: the device's own time where it has one that can be believed, else when it
            was heard. UTC.
        value: The measured value or the detail, such as a button's number.
        unit: UCUM unit of ``value`` where it is a quantity.
        battery_pct: State of charge, 0-100, as heard in the same frame.
        rssi_dbm: Signal strength of the frame.
        test: The device was in test mode.
        flags: What was odd about it (``counter_back``, ``unencrypted``, ``bad_time``). An odd alarm is raised
            and flagged; nothing odd may clear or cancel one.
        raw: The frame it was read from, hexadecimal.
    """

    kind: Kind
    time: dt.datetime
    value: Value = None
    unit: str | None = None
    battery_pct: int | None = None
    rssi_dbm: int | None = None
    test: bool = False
    flags: tuple[str, ...] = ()
    raw: str = ""
