"""All EnOcean devices that one stick hears."""

from typing import NamedTuple

import msgspec

from drivers.base import NOTHING, Answer, Device, Heard, Send, Setup
from drivers.enocean.esp3 import RADIO_ERP1, READ_BASE_ID, Packet, Stream
from drivers.enocean.profiles import KNOWN_RORGS, PROFILES
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.observation import Observation

# A telegram is sent up to three times within 40 ms, and repeaters send it again.
SAME_S = 0.1
_TAIL_BYTES = 5  # sender and status stand behind the payload, the RORG before it
_DBM_AT = 5


class Telegram(NamedTuple):
    """One radio telegram."""

    rorg: int
    payload: bytes
    sender: str
    status: int
    rssi_dbm: int | None


def telegram(packet: Packet) -> Telegram | None:
    """Read a RADIO_ERP1 packet; ``None`` where it is too short to be one."""
    data = packet.data
    if len(data) <= 1 + _TAIL_BYTES:
        return None
    rssi_dbm = -packet.optional[_DBM_AT] if len(packet.optional) > _DBM_AT else None
    sender = data[-_TAIL_BYTES:-1].hex().upper()
    return Telegram(data[0], data[1:-_TAIL_BYTES], sender, data[-1], rssi_dbm)


class EnOceanDriver:
    """Reads the line of an EnOcean stick.

    Plain telegrams have no counter and can be played back; what a replay can do is what the device can do.
    """

    def __init__(self, setup: Setup) -> None:
        self._devices = {device.address: device for device in setup.devices}
        self._stream = Stream()
        self._closed = _load(setup.state)
        self._recent: dict[tuple[str, int, bytes], float] = {}

    def opened(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """Forget half packets, and ask the stick for its base id, which shows that it is alive."""
        self._stream.clear()
        return Answer(actions=(Send(READ_BASE_ID),))

    def received(self, data: bytes, now: Now) -> Answer:
        """Take bytes, cut anywhere. Never raises."""
        return self._answer(self._stream.feed(data, now.mono), now)

    def tick(self, now: Now) -> Answer:
        """Let go of a half packet, so that a whole one behind it is read."""
        return self._answer(self._stream.tick(now.mono), now)

    def _answer(self, packets: list[Packet], now: Now) -> Answer:
        observations: list[Heard] = []
        strangers: list[str] = []
        bad = list(self._stream.take_bad())
        before = dict(self._closed) if packets else {}
        for packet in packets:
            if packet.type != RADIO_ERP1:
                continue  # responses and events of the stick itself
            heard = telegram(packet)
            if heard is None:
                bad.append(f"byte 6: radio telegram of {len(packet.data)} bytes: {packet.raw.hex()}")
                continue
            if heard.rorg not in KNOWN_RORGS:
                bad.append(f"byte 6: unknown RORG 0x{heard.rorg:02X} of {heard.sender}: {packet.raw.hex()}")
            device = self._devices.get(heard.sender)
            if device is None:
                strangers.append(heard.sender)
            elif not self._is_repeat(heard, now.mono):
                observation = self._read(device, heard, packet, now, bad)
                if observation:
                    observations.append(Heard(device.id, observation))
        if not (observations or strangers or bad):
            return NOTHING
        changed = bool(packets) and before != self._closed
        return Answer(
            observations=tuple(observations),
            state=msgspec.json.encode(self._closed) if changed else None,
            bad=tuple(bad),
            strangers=tuple(dict.fromkeys(strangers)),
        )

    def _is_repeat(self, heard: Telegram, mono: float) -> bool:
        # Repeaters change the status, so it does not count.
        key = (heard.sender, heard.rorg, heard.payload)
        # Oldest first, as a dict keeps them: the front is what may be forgotten.
        while self._recent and mono - self._recent[oldest := next(iter(self._recent))] >= SAME_S:
            del self._recent[oldest]
        if key in self._recent:
            return True
        self._recent[key] = mono
        return False

    def _read(
        self, device: Device, heard: Telegram, packet: Packet, now: Now, bad: list[str]
    ) -> Observation | None:
        profile = PROFILES[device.profile]
        if heard.rorg != profile.rorg or len(heard.payload) != profile.size:
            shape = f"RORG 0x{heard.rorg:02X} with {len(heard.payload)} bytes"
            bad.append(f"byte 6: {device.id}: {shape} does not fit {device.profile}: {packet.raw.hex()}")
            return None
        fact = profile.read(heard.payload, heard.status)
        if fact is None:
            return None
        kind, value, state = fact
        if state is not None:
            if self._closed.get(heard.sender) is state:
                kind = Kind.DEVICE_ALIVE
            self._closed[heard.sender] = state
        return Observation(
            kind=kind,
            time=now.utc,
            value=value,
            rssi_dbm=heard.rssi_dbm,
            raw=packet.raw.hex(),
        )


def _load(state: bytes) -> dict[str, bool]:
    """Read a state; a damaged one starts anew, so that the next telegram counts as a change."""
    try:
        return msgspec.json.decode(state, type=dict[str, bool]) if state else {}
    except (msgspec.DecodeError, ValueError):
        return {}
