"""The control station of a nurse-call system that calls pagers over ESPA 4.4.4, on a serial port.

Written from ESPA 4.4.4: it polls station 2, and when it has a call it takes the turn (``1 ENQ``), selects station
2 (``2 ENQ``), sends its block and waits for ACK or NAK. What was not acknowledged is sent again, for ever.
"""

import asyncio
import random
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from firmware_sim.devices.base import Action, Arguments, Place, Spec
from firmware_sim.devices.cable import Cable
from firmware_sim.errors import Unfit

_SOH, _STX, _ETX, _EOT, _ENQ, _ACK, _NAK = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x15
_RS, _US = b"\x1e", b"\x1f"
_OURSELVES, _HUB = b"1", b"2"
_ATTEMPTS = 3
_RESET, _STANDARD = "1", "3"


def block(header: str, records: Mapping[str, str]) -> bytes:
    """Return a block: its BCC is the XOR of everything after SOH up to and with ETX."""
    joined = _RS.join(kind.encode() + _US + data.encode("latin-1", "replace") for kind, data in records.items())
    body = header.encode() + bytes([_STX]) + joined + bytes([_ETX])
    check = 0
    for octet in body:
        check ^= octet
    return bytes([_SOH]) + body + bytes([check & 0x7F])


class ControlStation:
    """A control station with one other station on its line: the hub.

    Args:
        name: Its port's name.
        path: Its port's path.
        poll_s: Seconds between two polls.
        answer_s: How long it waits for an answer.
        even: It sends 7 bits with even parity.
    """

    def __init__(self, name: str, path: Path, poll_s: float, answer_s: float, *, even: bool) -> None:
        self._cable = Cable(name, path, self._received)
        self._poll_s, self._answer_s, self._even = poll_s, answer_s, even
        self._answers: asyncio.Queue[int] = asyncio.Queue()
        self._waiting: deque[bytes] = deque()
        self._something = asyncio.Event()
        self._dice = random.Random(name)
        self._wrong = self._deaf = 0
        self._endless = self._mute = self._half = False
        self.counts = {"polls": 0, "acknowledged": 0, "refused": 0, "unanswered": 0}
        self.actions: Mapping[str, Action] = {
            "call": self._call,
            "reset": self._reset,
            "calls": self._two_calls,
            "status": self._status_request,
            "bad_bcc": self._bad_bcc,
            "lose_ack": self._lose_ack,
            "no_eot": self._no_eot,
            "cut": self._cut,
            "mute": self._fall_silent,
            "speak": self._speak,
            "garbage": self._garbage,
            "state": self._state,
            **self._cable.actions,
        }

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the name and path of its serial port."""
        return self._cable.port

    async def start(self) -> None:
        """Switch it on."""
        self._cable.plug_in()
        self._cable.tasks.start(self._run(), "control station")

    async def stop(self) -> None:
        """Switch it off."""
        await self._cable.stop()

    # ---- The dialogue ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if self._mute:
                await asyncio.sleep(self._poll_s)
            elif self._waiting:
                await self._take_turn()
            else:
                await self._poll()
            self._something.clear()
            if not self._waiting:
                try:
                    async with asyncio.timeout(self._poll_s):
                        await self._something.wait()
                except TimeoutError:
                    continue

    async def _poll(self) -> None:
        self.counts["polls"] += 1
        await self._asked(bytes([_EOT]) + _HUB + bytes([_ENQ]))

    async def _take_turn(self) -> None:
        start = b"" if self._endless else bytes([_EOT])
        if await self._asked(start + _OURSELVES + bytes([_ENQ]) + _HUB + bytes([_ENQ])) == _ACK:
            while self._waiting and await self._deliver(self._waiting[0]):
                self._waiting.popleft()
        else:
            # A station that does not answer is asked again, not at once.
            await asyncio.sleep(self._answer_s)
        if not self._endless:
            self._write(bytes([_EOT]))

    async def _deliver(self, whole: bytes) -> bool:
        for _ in range(_ATTEMPTS):
            if self._half:
                self._half = False
                self._write(whole[: len(whole) // 2])
                await asyncio.sleep(self._answer_s)
                return False
            sent = whole
            if self._wrong:
                self._wrong -= 1
                sent = whole[:-1] + bytes([whole[-1] ^ 0x01])
            answer = await self._asked(sent)
            if answer == _ACK and self._deaf:
                self._deaf -= 1
                answer = None
            name = {_ACK: "acknowledged", _NAK: "refused"}.get(answer or 0, "unanswered")
            self.counts[name] += 1
            if answer == _ACK:
                return True
        return False

    async def _asked(self, data: bytes) -> int | None:
        """Send, and return ACK, NAK or EOT, or nothing when no answer came in time."""
        while not self._answers.empty():
            self._answers.get_nowait()
        self._write(data)
        try:
            async with asyncio.timeout(self._answer_s):
                return await self._answers.get()
        except TimeoutError:
            return None

    def _write(self, data: bytes) -> None:
        self._cable.send(bytes(octet | (octet.bit_count() % 2) << 7 for octet in data) if self._even else data)

    def _received(self, data: bytes) -> None:
        for octet in data:
            # Even parity wanted and not there is a character lost.
            if not self._even or octet.bit_count() % 2 == 0:
                code = octet & 0x7F if self._even else octet
                if code in (_ACK, _NAK, _EOT):
                    self._answers.put_nowait(code)

    # ---- What can be done to it --------------------------------------------------------------------------

    def _queue(self, *blocks: bytes) -> None:
        self._waiting.extend(blocks)
        self._something.set()

    async def _call(self, arguments: Arguments) -> None:
        self._queue(_call_block(arguments, "550", _STANDARD))

    async def _reset(self, arguments: Arguments) -> None:
        self._queue(_call_block(arguments, "550", _RESET))

    async def _two_calls(self, arguments: Arguments) -> None:
        """Two calls in one turn, of this address and the next."""
        first = _text(arguments, "address", "550")
        if not first.isdigit():
            raise Unfit(f"'address' must be digits, not {first!r}")
        second = {**arguments, "address": str(int(first) + 1)}
        self._queue(_call_block(arguments, first, _STANDARD), _call_block(second, first, _STANDARD))

    async def _status_request(self, _arguments: Arguments) -> None:
        self._queue(block("3", {"8": "1"}))

    async def _bad_bcc(self, _arguments: Arguments) -> None:
        """Spoil the check character of the next block."""
        self._wrong += 1

    async def _lose_ack(self, _arguments: Arguments) -> None:
        """Miss the next acknowledgement of a block."""
        self._deaf += 1

    async def _no_eot(self, _arguments: Arguments) -> None:
        """Never end a turn from now on."""
        self._endless = True

    async def _cut(self, _arguments: Arguments) -> None:
        """Lose power in the middle of the next block, and begin again."""
        self._half = True

    async def _fall_silent(self, _arguments: Arguments) -> None:
        self._mute = True

    async def _speak(self, _arguments: Arguments) -> None:
        self._mute = False

    async def _garbage(self, _arguments: Arguments) -> None:
        self._cable.write(self._dice.randbytes(30))

    async def _state(self, _arguments: Arguments) -> Mapping[str, object]:
        return {**self.counts, "waiting": len(self._waiting)}


def _text(arguments: Arguments, key: str, default: str) -> str:
    value = arguments.get(key, default)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unfit(f"{key!r} must be a text, not {value!r}")
    return str(value)


def _call_block(arguments: Arguments, address: str, call_type: str) -> bytes:
    return block(
        "1",
        {
            "1": _text(arguments, "address", address),
            "2": _text(arguments, "text", "FALL LEIL 12"),
            "3": _text(arguments, "beep", "3"),
            "4": _text(arguments, "type", call_type),
            "5": "1",
            "6": _text(arguments, "priority", "1"),
        },
    )


def _make(spec: Spec, place: Place) -> ControlStation:
    port = spec.text("port", spec.name)
    poll_s, answer_s = spec.number("poll_s", 1.0), spec.number("answer_s", 2.0)
    return ControlStation(port, place.folder / port, poll_s, answer_s, even=spec.flag("even", default=False))


KINDS = {"espa": _make}
