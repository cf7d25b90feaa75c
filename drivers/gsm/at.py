"""What a modem says, line by line, and what a line is.

Source: ITU-T V.250, section 5 (responses), 3GPP TS 27.007, 4.1 and 9.2, TS 27.005, 3.2.5 and 4.2. A line ends
with a carriage return or a line feed; the prompt for a message, ``> ``, has no end.
"""

import re
from typing import NamedTuple

# The longest line is a PDU of 176 octets, as 352 digits; a name in a header may come on top.
MAX_LINE_BYTES = 1000
PROMPT = ">"
ESCAPE, END_OF_MESSAGE = b"\x1b", b"\x1a"

_FINAL_ERROR = re.compile(r"\+(CM[ES]) ERROR: ?(\d+|.*)")
_HEX = re.compile(r"[0-9A-Fa-f]{8,}")
_NUMBERS = re.compile(r"-?\d+")


class Final(NamedTuple):
    """The last line of a response: well or not, the family of its error, and its code where it has one."""

    ok: bool
    family: str = ""
    code: int | None = None


class Lines:
    """The receiving side: takes bytes cut anywhere, gives lines without their ends; ``>`` is the prompt."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget half a line: the port was opened again."""
        self._buffer = bytearray()
        self._number = 0
        self._noise_at = -1
        self.bad: list[str] = []

    def feed(self, data: bytes) -> list[str]:
        """Take bytes and return the lines that ended."""
        lines: list[str] = []
        for byte in data:
            self._number += 1
            if byte in b"\r\n":
                lines += self._end()
            elif byte == ord(PROMPT) and not self._buffer:
                lines.append(PROMPT)
            elif byte in b"\x00\x1a\x1b" or (byte == ord(" ") and not self._buffer):
                continue  # our own escape or end of message as an echo, and the blank behind a prompt
            elif len(self._buffer) < MAX_LINE_BYTES:
                if not 0x20 <= byte < 0x7F and self._noise_at < 0:
                    self._noise_at = self._number - 1
                self._buffer.append(byte)
            elif self._noise_at < 0:
                self._noise_at = self._number - 1
        return lines

    def _end(self) -> list[str]:
        line, noise_at = bytes(self._buffer), self._noise_at
        self._buffer.clear()
        self._noise_at = -1
        if noise_at >= 0:
            # Its words are not shown, for they may be of a text. What is left of it may still be a line.
            self.bad.append(f"byte {noise_at}: noise in a line of {len(line)} bytes")
            line = bytes(byte for byte in line if 0x20 <= byte < 0x7F)
        return [text] if (text := line.decode("ascii").strip()) else []


def final(line: str) -> Final | None:
    """Read the last line of a response, ``None`` for any other."""
    if line == "OK":
        return Final(ok=True)
    if line in ("ERROR", "COMMAND NOT SUPPORT", "NO CARRIER"):
        return Final(ok=False)
    match = _FINAL_ERROR.fullmatch(line)
    if match is None:
        return None
    code = int(match[2][:5]) if match[2].isascii() and match[2].isdigit() else None
    return Final(ok=False, family=match[1], code=code)


def is_hex(line: str) -> bool:
    """Tell whether a line can be a PDU."""
    return _HEX.fullmatch(line) is not None


def prefix(line: str) -> str:
    """Return what stands before the colon, such as ``+CMTI``; all of the line where it has none."""
    return line.partition(":")[0]


def fields(line: str) -> list[str]:
    """Return the fields behind the colon, without quotes."""
    return [field.strip().strip('"') for field in line.partition(":")[2].split(",")]


def number(line: str, at: int) -> int | None:
    """Return a field as a number, ``None`` where it is missing or none."""
    found = fields(line)
    if -len(found) <= at < len(found) and _NUMBERS.fullmatch(found[at]) and len(found[at]) <= 9:
        return int(found[at])
    return None
