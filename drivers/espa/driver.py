"""All calls of one nurse-call system, and their texts."""

import datetime as dt
import hashlib
from typing import Annotated

import msgspec

from drivers.base import NOTHING, Answer, Heard, Manifest, Send, Setup
from drivers.espa.calls import Call, read_call
from drivers.espa.codec import CALL, STATUS, Control
from drivers.espa.line import Line, Sign, Whole
from drivers.registry import settings_of
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.observation import Observation, Value

# A system that did not hear our ACK sends its block again within seconds. The same call later is a new one, and
# so is one after another call of that address.
REPEAT_S = 10.0
ALIVE_S = 600.0
# Systems poll every second or so.
SILENT_S = 90.0
# What somebody at the edge may still want to look up, and what a pager shows at most.
TEXTS = 100
MAX_TEXT_CHARS = 160
# A transmission error: send it again.
_NAK = (ord("1"), Control.NAK)


Instant = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Text(msgspec.Struct):
    """What a pager would have shown."""

    ref: int
    at: Instant
    address: str
    text: str


class Last(msgspec.Struct):
    """The last block of an address, so that it is known when it is repeated."""

    digest: str
    at: Instant


class State(msgspec.Struct):
    """What is remembered, and never leaves the edge."""

    next_ref: int = 1
    texts: list[Text] = []
    last: dict[str, Last] = {}
    lost: bool = False


class EspaDriver:
    """Answers as station 2, and makes an observation of each call."""

    def __init__(self, manifest: Manifest, setup: Setup) -> None:
        alone = any(settings_of(manifest, device)["selects_alone"] for device in setup.devices)
        self._line = Line(selects_alone=alone)
        self._devices = {device.address: device for device in setup.devices}
        # Who takes what is assigned to nobody: an alarm must be heard.
        self._system = self._devices.get("", setup.devices[0] if setup.devices else None)
        self._state = _load(setup.state)
        self._changed = self._polled = False
        self._heard = self._told = 0.0
        self._seen: list[Heard] = []
        self._strangers: list[str] = []
        self._bad: list[str] = []

    def opened(self, now: Now) -> Answer:
        """Forget half blocks; the system speaks first."""
        self._line.clear()
        self._polled = False
        self._heard = self._told = now.mono
        return NOTHING

    def received(self, data: bytes, now: Now) -> Answer:
        """Take bytes, cut anywhere. Never raises."""
        sent: list[Send] = []
        for sign in self._line.feed(data, now.mono):
            sent.append(self._send(*self._reply(sign, now)))
            self._polled |= sign is Sign.POLL
            self._heard = now.mono
        if sent:
            self._say_alive(now)
        return self._answer(sent)

    def tick(self, now: Now) -> Answer:
        """Let go of half blocks, and say when a system that polled does so no more."""
        self._line.tick(now.mono)
        quiet = self._polled and now.mono - self._heard >= SILENT_S
        if quiet and self._system and not self._state.lost:
            self._state.lost = self._changed = True
            value: Value = {"reason": "not_polled", "seconds": int(SILENT_S)}
            fault = Observation(kind=Kind.DEVICE_FAULT, time=now.utc, value=value, flags=("not_polled",))
            self._seen.append(Heard(self._system.id, fault))
        return self._answer([])

    def _reply(self, sign: Sign | Whole, now: Now) -> tuple[int, ...]:
        """Take what the system did, and return the answer to it."""
        if isinstance(sign, Whole):
            header = sign.block.header
            if header == CALL:
                return (Control.ACK,) if self._call(sign, now) else _NAK
            if header in STATUS:
                return (Control.ACK,)
            self._bad.append("byte 1: a block that is neither a call nor about status is not acknowledged")
            return _NAK
        if sign is Sign.CORRUPT:
            return _NAK
        # We never have something to send, and can always take something.
        return (Control.EOT if sign is Sign.POLL else Control.ACK,)

    def _call(self, heard: Whole, now: Now) -> bool:
        """Take a call; tell whether there is anybody to take it for."""
        call = read_call(heard.block)
        device = self._devices.get(call.address) if call.address else None
        flags, kind = call.flags, call.kind
        if call.address and device is None:
            self._strangers.append(call.address)
        if device is None and self._system:
            device = self._system
            if device.address:  # another one's: better there than nowhere, but it cancels nothing of theirs
                flags = (*flags, "unassigned")
                kind = None if kind is Kind.ALARM_CANCELLED else kind
        if device is None:
            return False
        if kind is None:
            self._bad.append("byte 1: a reset without an address that is assigned cancels nothing")
        elif not self._is_repeat(call, heard.content, now):
            value = dict(call.value)
            if call.text:
                value["text_ref"] = self._keep(call, now)
            seen = Observation(kind=kind, time=now.utc, value=value, flags=flags, raw=call.raw)
            self._seen.append(Heard(device.id, seen))
        return True

    def _is_repeat(self, call: Call, content: bytes, now: Now) -> bool:
        digest = hashlib.blake2b(content, digest_size=8).hexdigest()
        last = self._state.last
        near = {key: one for key, one in last.items() if abs((now.utc - one.at).total_seconds()) < REPEAT_S}
        before = near.get(call.address)
        if before is not None and before.digest == digest:
            return True
        self._state.last = near | {call.address: Last(digest, now.utc)}
        self._changed = True
        return False

    def _keep(self, call: Call, now: Now) -> int:
        ref = self._state.next_ref
        text = Text(ref, now.utc, call.address, call.text[:MAX_TEXT_CHARS])
        self._state.texts = [*self._state.texts, text][-TEXTS:]
        self._state.next_ref = ref + 1
        return ref

    def _say_alive(self, now: Now) -> None:
        """Say of every device that its system still talks to us; nobody can say more of a cord."""
        value: Value = None
        if self._state.lost:
            self._state.lost, self._changed, value = False, True, {"returned": True}
        elif now.mono - self._told < ALIVE_S:
            return
        self._told = now.mono
        alive = Observation(kind=Kind.DEVICE_ALIVE, time=now.utc, value=value)
        self._seen += [Heard(device.id, alive) for device in self._devices.values()]

    def _send(self, *codes: int) -> Send:
        """Make an answer, with even parity where the system has it."""
        return Send(bytes(code | (code.bit_count() % 2 << 7) if self._line.parity else code for code in codes))

    def _answer(self, sent: list[Send]) -> Answer:
        name = self._system.id if self._system else "espa"
        bad = tuple(f"{name}: {line}" for line in (*self._line.take_bad(), *self._bad))
        if not (self._seen or sent or bad):
            return NOTHING
        answer = Answer(
            observations=tuple(self._seen),
            state=msgspec.json.encode(self._state) if self._changed else None,
            actions=tuple(sent),
            bad=bad,
            strangers=tuple(dict.fromkeys(self._strangers)),
        )
        self._changed = False
        for told in (self._seen, self._strangers, self._bad):
            told.clear()
        return answer


def _load(state: bytes) -> State:
    """Read a state; a damaged one starts anew: better a call twice than one taken for a repeat."""
    try:
        return msgspec.json.decode(state, type=State) if state else State()
    except (msgspec.DecodeError, ValueError):
        return State()
