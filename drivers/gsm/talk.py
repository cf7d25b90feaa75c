"""One command at a time: what belongs to its answer, what the modem says of its own accord, what never came.

Source: 3GPP TS 27.005, 3.1 (PDU behind its header line), 3.4 (texts that come), 3.5.1 (prompt of ``AT+CMGS``).
"""

from collections.abc import Callable
from typing import NamedTuple

from drivers.gsm.at import END_OF_MESSAGE, ESCAPE, PROMPT, Final, Lines, final, is_hex, prefix

_OF_ITS_OWN_ACCORD = ("+CMT", "+CDS")
_IN_ANSWERS = ("+CMGR", "+CMGL")
# A header stands right before its PDU; only another such pair may come between.
_MAX_HEADERS = 3
# No answer is longer than the list of a full memory.
_MAX_LINES = 1000


class Stored(NamedTuple):
    """A header line and the PDU behind it, hexadecimal."""

    header: str
    pdu: str


class Reply(NamedTuple):
    """How a command ended: its last line, and what came before it."""

    end: Final
    lines: tuple[str, ...] = ()
    stored: tuple[Stored, ...] = ()


class Command(NamedTuple):
    """Something to ask.

    Attributes:
        text: Such as ``AT+CSQ``.
        then: Told the answer.
        timeout_s: How long the modem may be silent over it.
        pdu: What follows the prompt.
        lost: Told when no answer came.
    """

    text: str
    then: Callable[[Reply], None]
    timeout_s: float = 5.0
    pdu: str = ""
    lost: Callable[[], None] | None = None


class Said(NamedTuple):
    """A line that belongs to no answer; with ``pdu`` the header of one."""

    line: str
    pdu: str = ""


# After the end of a message the network has to take it.
SEND_TIMEOUT_S = 60.0


class Talk:
    """The command under way, and the lines that come meanwhile."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.bad: list[str] = []
        self.echoes = False
        self._reader = Lines()
        self.current: Command | None = None
        self._until = 0.0
        self._lines: list[str] = []
        self._stored: list[Stored] = []
        self._headers: list[str] = []

    def clear(self) -> None:
        """Forget everything that is half done: the port was opened again."""
        self._reader.clear()
        self.abandon()
        self._headers.clear()

    def abandon(self) -> Command | None:
        """Let go of the command under way and return it; PDUs that came are returned by :meth:`feed` no more."""
        command, self.current = self.current, None
        self._lines, self._stored = [], []
        return command

    def ask(self, command: Command, mono: float) -> None:
        """Send a command; there must be none under way."""
        if self.current is not None:
            raise AssertionError(f"{command.text}: {self.current.text} is under way")
        self.current = command
        self._until = mono + command.timeout_s
        self.out.append(command.text.encode("ascii") + b"\r")

    def overdue(self, mono: float) -> bool:
        """Tell whether the modem is silent over the command for too long."""
        return self.current is not None and mono >= self._until

    def lines(self, data: bytes) -> list[str]:
        """Cut bytes into lines."""
        found = self._reader.feed(data)
        self.bad += self._reader.bad
        self._reader.bad.clear()
        return found

    def hear(self, line: str, mono: float) -> Said | Reply | None:
        """Take one line: the end of the answer, something of the modem's own, or nothing yet."""
        if line == PROMPT:
            self._prompt(mono)
            return None
        if is_hex(line):
            return self._pdu(line, mono)
        if self.current and line.upper() == self.current.text.upper():
            self.echoes = True
            return None
        end = final(line)
        return self._end(end) if end else self._other(line, mono)

    def _other(self, line: str, mono: float) -> Said | None:
        start = prefix(line)
        if start in _OF_ITS_OWN_ACCORD + _IN_ANSWERS:
            self._header(line)
            return None
        if self.current and self.current.text.startswith(f"AT{start}"):
            self._until = mono + self.current.timeout_s
            if len(self._lines) < _MAX_LINES:
                self._lines.append(line)
            return None
        return Said(line)

    def _prompt(self, mono: float) -> None:
        if self.current is None or not self.current.pdu:
            self.out.append(ESCAPE)  # it waits for a message of ours that was given up
            return
        self._until = mono + SEND_TIMEOUT_S
        self.out.append(self.current.pdu.encode("ascii") + END_OF_MESSAGE)

    def _header(self, line: str) -> None:
        self._headers.append(line)
        if len(self._headers) > _MAX_HEADERS:
            self.bad.append(f"byte 0: {prefix(self._headers.pop(0))} without its PDU")

    def _pdu(self, line: str, mono: float) -> Said | None:
        if not self._headers:
            if not (self.current and self.current.pdu == line.upper()):  # else it is our own echo
                self.bad.append(f"byte 0: {len(line)} hexadecimal digits without a header")
            return None
        stored = Stored(self._headers.pop(), line)
        asked = self.current.text[2:7] if self.current else ""
        if prefix(stored.header) in _IN_ANSWERS and prefix(stored.header) == asked:
            self._until = mono + self.current.timeout_s if self.current else mono
            if len(self._stored) < _MAX_LINES:
                self._stored.append(stored)
            return None
        return Said(stored.header, stored.pdu)

    def _end(self, end: Final) -> Reply | None:
        self.bad += [f"byte 0: {prefix(header)} without its PDU" for header in self._headers]
        self._headers.clear()
        if self.current is None:
            return None  # the late end of a command that was given up
        return Reply(end, tuple(self._lines), tuple(self._stored))
