"""A modem and the dispensers that text to it."""

import datetime as dt
import re

import msgspec

from drivers.base import NOTHING, Answer, Device, Heard, Send, Setup
from drivers.gsm.events import Arrived, Ended, Event, PinUsed, Polled, Trouble, Turn, Unreadable
from drivers.gsm.modem import Modem
from drivers.gsm.parts import Parts, Text
from drivers.gsm.patterns import meanings
from drivers.gsm.state import load
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.codes import Kind
from hub.domain.observation import Observation, Scalar, Value

MODEM = "modem"
# No text is older than this project, and no service centre is far ahead of a clock that is right.
EARLIEST = dt.datetime(2026, 1, 1, tzinfo=UTC)
AHEAD = dt.timedelta(minutes=5)
# Twice in a row: one reading means little. It has ended when there is some reserve again.
WEAK_DBM, STRONG_DBM, WEAK_ROUNDS = -105, -101, 2
# A number without its country is long enough to tell who it is.
NATIONAL_DIGITS = 8
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class GsmDriver:
    """Reads the line of a modem.

    Args:
        setup: The modem itself, with no address, and the dispensers by their numbers.
        settings: Of the modem.
    """

    def __init__(self, setup: Setup, settings: dict[str, Scalar]) -> None:
        self._devices = {device.address: device for device in setup.devices if device.address}
        self._own = next((device for device in setup.devices if not device.address), None)
        self._alive_s = 60.0 * float(settings["alive_min"])
        self._state = load(setup.state)
        pin = str(settings["pin"])
        if self._state.pin != pin:
            self._state.pin, self._state.pin_sends, self._state.pin_refused = pin, 0, False
        self._modem = Modem(pin, PinUsed(self._state.pin_sends, self._state.pin_refused))
        self._parts = Parts(self._state.kept)
        self._alive_at: float | None = None
        self._weak_rounds = 0
        self._observations: list[Heard] = []
        self._strangers: list[str] = []
        self._bad: list[str] = []
        self._changed = False

    def opened(self, now: Now) -> Answer:
        """Start the modem, which may be in the middle of anything."""
        return self._answer(self._modem.opened(now.mono), now)

    def received(self, data: bytes, now: Now) -> Answer:
        """Take bytes, cut anywhere. Never raises."""
        return self._answer(self._modem.received(data, now.mono), now)

    def tick(self, now: Now) -> Answer:
        """Watch the modem, and tell the long texts of which a part stays away."""
        for text in self._parts.due(now.mono):
            self._changed = True
            self._text(text, now)
        return self._answer(self._modem.tick(now.mono), now)

    def _answer(self, turn: Turn, now: Now) -> Answer:
        for event in turn.events:
            self._event(event, now)
        self._bad += turn.bad
        # With the state in it, an answer is on the disk before its actions: only then may a text be deleted.
        keep = self._changed or turn.keep_first
        if not (keep or self._observations or turn.send or self._bad or self._strangers):
            return NOTHING
        answer = Answer(
            observations=tuple(self._observations),
            state=msgspec.json.encode(self._state) if keep else None,
            actions=(Send(turn.send),) if turn.send else (),
            bad=tuple(self._bad),
            strangers=tuple(dict.fromkeys(self._strangers)),
        )
        self._observations, self._strangers, self._bad, self._changed = [], [], [], False
        return answer

    def _event(self, event: Event, now: Now) -> None:
        match event:
            case Arrived(message):
                self._changed = True
                for text in self._parts.take(message, now.mono):
                    self._text(text, now)
            case Unreadable(pdu, reason):
                self._changed = True
                number = self._state.keep("", now.utc, pdu)
                self._of_modem(Kind.DEVICE_FAULT, {"problem": "unreadable", "detail": reason, "text": number}, now)
            case Trouble(name, detail):
                self._trouble(name, detail, now)
            case Ended(name):
                self._ended(name, now)
            case Polled(dbm, registered):
                self._polled(dbm, now, registered=registered)
            case PinUsed(sends, refused):
                self._changed = True
                self._state.pin_sends, self._state.pin_refused = sends, refused
            case _:
                pass  # what became of texts that were sent: this driver sends none

    # Texts.

    def _text(self, text: Text, now: Now) -> None:
        device = self._device(text.sender)
        if device is None:
            if _E164.fullmatch(text.sender):
                self._strangers.append(text.sender)
            else:
                self._bad.append("byte 0: a text from a sender without an international number: not assignable")
            return
        flags: list[str] = []
        if text.missing:
            flags.append("part_missing")
        if text.sender != device.address:
            flags.append("national_number")
        time = text.time
        if time is None or not _believable(time, now):
            time = now.utc
            flags.append("bad_time")
        found = meanings(device.profile, text.text, whole=not text.missing)
        for meaning in found:
            self._of(device, meaning.kind, meaning.value, time, tuple(flags), text.head)
        if not found:
            number = self._state.keep(text.sender, time, text.text)
            self._changed = True
            problem = "unknown_text" if text.readable else "compressed_text"
            self._of(
                device, Kind.DEVICE_FAULT, {"problem": problem, "text": number}, time, tuple(flags), text.head
            )

    def _device(self, sender: str) -> Device | None:
        """Return whose number it is; one without its country counts when it fits one device only."""
        # Some networks write the plus sign as it is dialled.
        exact = self._devices.get(sender) or self._devices.get(f"+{sender.removeprefix('00')}")
        if exact or not sender.isdigit() or len(sender) < NATIONAL_DIGITS:
            return exact
        ending = [device for address, device in self._devices.items() if address.endswith(sender)]
        return ending[0] if len(ending) == 1 else None

    def _of(
        self, device: Device, kind: Kind, value: Value, time: dt.datetime, flags: tuple[str, ...], head: str
    ) -> None:
        seen = Observation(kind=kind, time=time, value=value, flags=flags, raw=head)
        self._observations.append(Heard(device.id, seen))

    # The modem itself.

    def _trouble(self, name: str, detail: str, now: Now) -> None:
        if name in self._state.troubles:
            return
        self._state.troubles = [*self._state.troubles, name]
        self._changed = True
        self._of_modem(Kind.DEVICE_FAULT, {"problem": name, "detail": detail}, now)

    def _ended(self, name: str, now: Now) -> None:
        if name not in self._state.troubles:
            return
        self._state.troubles = [each for each in self._state.troubles if each != name]
        self._changed = True
        self._of_modem(Kind.DEVICE_ALIVE, {"ended": name}, now)

    def _polled(self, dbm: int | None, now: Now, *, registered: bool) -> None:
        self._weak_rounds = self._weak_rounds + 1 if dbm is not None and dbm <= WEAK_DBM else 0
        if self._weak_rounds >= WEAK_ROUNDS:
            self._trouble("weak_signal", f"{dbm} dBm", now)
        elif dbm is not None and dbm >= STRONG_DBM:
            self._ended("weak_signal", now)
        if self._alive_at is None or now.mono - self._alive_at >= self._alive_s:
            self._alive_at = now.mono
            self._of_modem(Kind.DEVICE_ALIVE, {"registered": registered}, now, dbm)

    def _of_modem(self, kind: Kind, value: dict[str, object], now: Now, dbm: int | None = None) -> None:
        if self._own is not None:
            seen = Observation(kind=kind, time=now.utc, value=value, rssi_dbm=dbm)
            self._observations.append(Heard(self._own.id, seen))
        elif kind is Kind.DEVICE_FAULT:
            self._bad.append(
                f"byte 0: {value['problem']}: {value.get('detail', '')}; the modem is assigned to nobody"
            )


def _believable(time: dt.datetime, now: Now) -> bool:
    # A hub whose clock was never set knows less than the network does.
    return time >= EARLIEST and (now.quality is TimeQuality.UNKNOWN or time <= now.utc + AHEAD)
