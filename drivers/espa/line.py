"""The dialogue on the line: who polls, who selects, and which blocks are whole.

After EOT nobody has the turn. ``1 ENQ`` gives it to station 1, which may then select us with ``2 ENQ``; without a
turn ``2 ENQ`` is a poll: the system asks whether we have something to send. What was passed over is told by number
and count of bytes only, for it may hold somebody's name.
"""

from enum import Enum, auto
from typing import NamedTuple

from drivers.espa.codec import Block, Control, bcc, read_block

STATION = "2"
# Longest block: 16 characters of address and 128 of text, doubled for systems that know no measure.
MAX_BLOCK_BYTES = 384
# A pause in a block, or in a turn, after which its end will not come. At 1200 baud a character takes 9 ms.
PAUSE_S = 2.0


class Sign(Enum):
    """What the system did, other than send a whole block."""

    POLL = auto()
    SELECT = auto()
    CORRUPT = auto()


class Whole(NamedTuple):
    """A whole block, without SOH and BCC."""

    block: Block
    content: bytes


class Line:
    """The receiving side: takes bytes cut anywhere, gives what the system did.

    Args:
        selects_alone: ``2 ENQ`` always selects.

    Attributes:
        parity: The system sends 7 bits with even parity, seen from the digits of stations.
    """

    def __init__(self, *, selects_alone: bool) -> None:
        self._selects_alone = selects_alone
        self.parity = False
        self.clear()

    def clear(self) -> None:
        """Forget half blocks: the line was opened again."""
        self._block: bytearray | None = None
        self._masked = False
        self._turn = self._ended = False
        self._station = ""
        self._number = self._first = 0  # of the byte at hand, and of the block's first
        self._bad_from, self._bad_count = 0, 0
        self._last_byte = 0.0
        self._quiet_ticks = 0
        self._bad: list[str] = []

    def feed(self, data: bytes, mono: float) -> list[Sign | Whole]:
        """Take bytes that came at ``mono``."""
        if data:
            self._last_byte, self._quiet_ticks = mono, 0
        found: list[Sign | Whole] = []
        for byte in data:
            sign = self._take(byte)
            if sign:
                found.append(sign)
            self._number += 1
        return found

    def tick(self, mono: float) -> None:
        """Let go of a half block and of a turn that nothing follows."""
        self._quiet_ticks += 1
        # The second tick: bytes that came during a stall are read before it.
        if self._quiet_ticks > 1 and mono - self._last_byte > PAUSE_S:
            self._abandon("pause")
            self._turn = False
            self._close_bad()

    def take_bad(self) -> tuple[str, ...]:
        """Return the lines on what was passed over since the last call."""
        lines, self._bad = tuple(self._bad), []
        return lines

    def _take(self, byte: int) -> Sign | Whole | None:
        # Without parity a block may hold letters of an old code page, above 0x7F: they are no control characters.
        code = byte if self._block is not None and not self._masked else byte & 0x7F
        # A start that is no BCC is the next block's: noise before it must not cost it.
        if self._block is not None and self._ended and (code != Control.SOH or bcc(self._block) == code):
            return self._checked(bytes(self._block), byte & 0x7F)
        if code == Control.SOH:
            self._abandon("start of another block")
            self._close_bad()
            self._block, self._first = bytearray(), self._number
            self._masked = self.parity or byte != Control.SOH  # with even parity its own bit 7 is set
        elif self._block is not None:
            self._in_block(self._block, byte, code)
            return None
        elif code == Control.ENQ and self._station:
            return self._enquired()
        elif chr(code).isdigit():
            self._digit(byte, code)
            return None
        elif code == Control.EOT:
            self._turn = False
        elif code not in (Control.ACK, Control.NAK):  # of other stations
            self._pass_over(self._number, 1)
        self._station = ""
        return None

    def _digit(self, byte: int, code: int) -> None:
        if self._station:
            self._pass_over(self._number - 1, 1)
        self._station = chr(code)
        self._learn(byte)

    def _learn(self, byte: int) -> None:
        """See from a digit whether bit 7 is parity: 1 and 2, which every system sends, would have it set."""
        code = byte & 0x7F
        if chr(code).isdigit() and code.bit_count() % 2:
            self.parity = byte > 0x7F

    def _enquired(self) -> Sign | None:
        self._close_bad()
        station, self._station = self._station, ""
        if station != STATION:
            self._turn = True
            return None
        return Sign.SELECT if self._turn or self._selects_alone else Sign.POLL

    def _in_block(self, block: bytearray, byte: int, code: int) -> None:
        if code in (Control.EOT, Control.ENQ):
            self._abandon("end of the turn")
            self._turn = False
            return
        block.append(byte)
        if code == Control.ETX:
            self._ended = True
        elif len(block) > MAX_BLOCK_BYTES:
            self._abandon(f"more than {MAX_BLOCK_BYTES} bytes")

    def _checked(self, body: bytes, told: int) -> Sign | Whole:
        self._block, self._ended = None, False
        if bcc(body) != told:
            why = f"BCC is 0x{told:02X}, not 0x{bcc(body):02X}"
            self._bad.append(f"byte {self._number}: {why}; the block begins at byte {self._first}")
            return Sign.CORRUPT
        content = body[:-1]
        # A system that was not acknowledged may send its block again without selecting us before.
        self._learn(content[0] if content else 0)
        if self.parity:
            content = bytes(each & 0x7F for each in content)
        return Whole(read_block(content), content)

    def _abandon(self, why: str) -> None:
        if self._block is not None:
            self._bad.append(f"byte {self._first}: block ends after {1 + len(self._block)} bytes: {why}")
        self._block, self._ended = None, False
        if self._station:
            self._pass_over(self._number - 1, 1)
            self._station = ""

    def _pass_over(self, at: int, count: int) -> None:
        if not self._bad_count:
            self._bad_from = at
        self._bad_count += count

    def _close_bad(self) -> None:
        if self._bad_count:
            self._bad.append(
                f"byte {self._bad_from}: {self._bad_count} bytes passed over, they belong to no block"
            )
            self._bad_count = 0
