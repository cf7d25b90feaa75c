"""What a sniffer wrote down: frames, one a line, or the bytes of a serial line as they came."""

import json
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from hub.domain.errors import MalformedError


class Frame(NamedTuple):
    """One frame of a capture.

    Attributes:
        line: Where it stands, from 1; 0 for what was typed.
        data: Its bytes.
        address: Who sent it, where the capture says so.
        place: Its characteristic or topic, where the capture says so.
        driver: Who is to read it, where the capture says so.
    """

    line: int
    data: bytes
    address: str = ""
    place: str = ""
    driver: str = ""


class _Recorded(msgspec.Struct):
    hex: str | None = None
    service_data: dict[str, str] = {}
    address: str = ""
    place: str = ""
    driver: str = ""


def octets(what: str, text: str) -> bytes:
    """Read hexadecimal digits; blanks, colons and a leading ``0x`` are let through.

    Raises:
        MalformedError: They are none; ``what`` names the place.
    """
    try:
        return bytes.fromhex(text.replace(":", " ").strip().removeprefix("0x"))
    except ValueError as error:
        raise MalformedError(f"{what}: write hexadecimal digits, two for each byte") from error


def frames(content: bytes, driver: str) -> Iterable[Frame]:
    """Read a capture: lines of hexadecimal digits, or a recording of ``hub devices record``.

    Empty lines and those that begin with ``#`` are passed over; so are a recording's frames of other drivers.
    What is no text at all is taken for the raw bytes of a serial line.

    Raises:
        MalformedError: A line is neither; the sentence names it.
    """
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        yield Frame(0, content)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.lstrip().startswith("{"):
            yield Frame(number, octets(f"line {number}", line))
        elif (frame := _recorded(number, line)) and frame.driver in ("", driver):
            yield frame


def _recorded(number: int, line: str) -> Frame | None:
    try:
        found = msgspec.json.decode(line, type=_Recorded)
    except (msgspec.DecodeError, json.JSONDecodeError) as error:
        raise MalformedError(f"line {number}: {error}") from error
    text = next(iter(found.service_data.values()), None) if found.hex is None else found.hex
    if text is None:
        return None  # the header, or a frame that was withheld
    return Frame(number, octets(f"line {number}", text), found.address, found.place, found.driver)
