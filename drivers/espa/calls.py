"""What a call says: its records in the hub's words, and what of it may leave the edge.

The display text often holds a name. It, and anything in the place of another record that is not of that record's
narrow form, stays at the edge.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from drivers.espa.codec import Block, Record, block
from hub.domain.codes import Kind
from hub.domain.observation import Value

RESET = "reset"
# Enumerations of ESPA 4.4.4, section 4.3.
CALL_TYPES = {"1": RESET, "2": "speech", "3": "standard"}
PRIORITIES = {"1": "alarm", "2": "high", "3": "normal"}
_ADDRESS = re.compile(r"[0-9*#]{1,16}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,3}", re.ASCII)


class Call(NamedTuple):
    """One call to a pager.

    Attributes:
        kind: A press, or its being taken back; ``None`` for a reset that is odd: nothing odd cancels an alarm.
        address: Of the call; empty where it has none of the form of one.
        value: What may be told of it.
        text: What the pager would show; never leaves the edge.
        flags: What is odd about it.
        raw: The block with its text and all that is odd left out, its BCC made anew.
    """

    kind: Kind | None
    address: str
    value: dict[str, Value]
    text: str
    flags: tuple[str, ...]
    raw: str


def read_call(heard: Block) -> Call:
    """Read a block with the header of a call. Whatever is not surely a reset is a press."""
    records = heard.records
    address = records.get(Record.ADDRESS, "").strip()
    clean = address if _ADDRESS.fullmatch(address) else ""
    numbers = {
        name: _number(records, record)
        for name, record in (
            ("call_type", Record.CALL_TYPE),
            ("priority", Record.PRIORITY),
            ("beep", Record.BEEP),
            ("transmissions", Record.TRANSMISSIONS),
        )
    }
    call_type = CALL_TYPES.get(numbers["call_type"], numbers["call_type"])
    value: dict[str, Value] = {
        "address": clean,
        "call_type": call_type,
        "priority": PRIORITIES.get(numbers["priority"], numbers["priority"]),
        "beep": numbers["beep"],
        "transmissions": numbers["transmissions"],
    }
    flags = heard.flags if clean else (*heard.flags, "no_address")
    text = records.get(Record.TEXT, "").strip()
    if address != clean:
        text = f"[{address}] {text}".strip()
    safe = [
        (Record.ADDRESS, clean),
        (Record.TEXT, ""),
        (Record.BEEP, numbers["beep"]),
        (Record.CALL_TYPE, numbers["call_type"]),
        (Record.TRANSMISSIONS, numbers["transmissions"]),
        (Record.PRIORITY, numbers["priority"]),
    ]
    kind = Kind.ALARM_PRESSED if call_type != RESET else None if flags else Kind.ALARM_CANCELLED
    return Call(
        kind,
        clean,
        {name: part for name, part in value.items() if part},
        text,
        flags,
        block(heard.header, [(record, data) for record, data in safe if record in records]).hex(),
    )


def _number(records: Mapping[str, str], record: str) -> str:
    data = records.get(record, "").strip()
    return data if _NUMBER.fullmatch(data) else ""
