"""All EnOcean devices that one stick hears."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from drivers.base import NOTHING, Answer, Device, Heard, Send, Setup
from drivers.enocean.esp3 import RADIO_ERP1, READ_BASE_ID, RESPONSE, Packet, Stream
from drivers.enocean.profiles import KNOWN_RORGS, PROFILES, Fact, Facts, Said
from drivers.enocean.teach_in import teach_in
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.observation import Observation, Scalar

# A telegram is sent up to three times within 40 ms, and repeaters send it again.
SAME_S = 0.1
# Status: the low half counts repeaters, the rest belongs to what the device said.
_OWN_STATUS = 0xF0
_TAIL_BYTES = 5  # sender and status stand behind the payload, the RORG before it
_DBM_AT = 5
_BASE_ID_ANSWER = 5  # return code 0 and the id
_MAX_TAUGHT = 64


class Telegram(NamedTuple):
    """One radio telegram."""

    rorg: int
    payload: bytes
    sender: str
    status: int
    rssi_dbm: int | None


class Memory(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is remembered across restarts.

    Attributes:
        base_id: The stick's own id; another stick has another one.
        now: How doors, motion, batteries and mats were last, by sender and then by name.
    """

    base_id: str = ""
    now: dict[str, dict[str, str]] = {}


class _Told(NamedTuple):
    """What one call comes to."""

    observations: list[Heard]
    strangers: dict[str, str]
    bad: list[str]


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

    Args:
        setup: The devices, and what was remembered.
        settings: What holds for each device, by its id.
    """

    def __init__(self, setup: Setup, settings: Mapping[str, Mapping[str, Scalar]]) -> None:
        self._devices = {device.address: device for device in setup.devices}
        self._settings = settings
        self._stream = Stream()
        self._memory = _load(setup.state)
        self._changed = False
        self._recent: dict[tuple[str, int, int, bytes], float] = {}
        self._taught: dict[str, str] = {}

    @property
    def base_id(self) -> str:
        """The stick's base id, or empty until it was told."""
        return self._memory.base_id

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
        told = _Told([], {}, list(self._stream.take_bad()))
        self._changed = False
        for packet in packets:
            if packet.type == RESPONSE:
                self._response(packet)
            elif packet.type == RADIO_ERP1:
                self._radio(packet, now, told)
        if not (told.observations or told.strangers or told.bad or self._changed):
            return NOTHING
        return Answer(
            observations=tuple(told.observations),
            state=msgspec.json.encode(self._memory) if self._changed else None,
            bad=tuple(told.bad),
            strangers=tuple(told.strangers),
            profiles={address: profile for address, profile in told.strangers.items() if profile},
        )

    def _response(self, packet: Packet) -> None:
        """Take the answer to the one question that is asked; it is the only one of this length."""
        base_id = packet.data[1:].hex().upper()
        if len(packet.data) == _BASE_ID_ANSWER and packet.data[0] == 0 and base_id != self._memory.base_id:
            self._memory.base_id = base_id
            self._changed = True

    def _radio(self, packet: Packet, now: Now, told: _Told) -> None:
        heard = telegram(packet)
        if heard is None:
            told.bad.append(f"byte 6: radio telegram of {len(packet.data)} bytes: {packet.raw.hex()}")
            return
        if self._is_repeat(heard, now.mono):
            return
        if heard.rorg not in KNOWN_RORGS:
            told.bad.append(f"byte 6: unknown RORG 0x{heard.rorg:02X} of {heard.sender}: {packet.raw.hex()}")
        said = teach_in(heard.rorg, heard.payload)
        device = self._devices.get(heard.sender)
        if device is None:
            if said and "profile" in said:
                self._teach(heard.sender, str(said["profile"]))
            told.strangers[heard.sender] = self._taught.get(heard.sender, "")
            return
        if said is not None:
            facts: Facts = (Fact(Kind.DEVICE_ALIVE, dict(said)),)
        elif heard.rorg in KNOWN_RORGS:
            facts = self._facts(device, heard, packet, told.bad)
        else:
            facts = ()
        told.observations.extend(
            Heard(device.id, _observation(fact, fact.kind, heard, packet, now))
            for fact in self._news(heard.sender, facts)
            if fact.kind is not None
        )

    def _teach(self, address: str, profile: str) -> None:
        """Keep what a stranger said that it is; the one that said so first makes room."""
        self._taught.pop(address, None)
        if len(self._taught) >= _MAX_TAUGHT:
            del self._taught[next(iter(self._taught))]
        self._taught[address] = profile

    def _is_repeat(self, heard: Telegram, mono: float) -> bool:
        key = (heard.sender, heard.rorg, heard.status & _OWN_STATUS, heard.payload)
        # Oldest first, as a dict keeps them: the front is what may be forgotten.
        while self._recent and mono - self._recent[oldest := next(iter(self._recent))] >= SAME_S:
            del self._recent[oldest]
        if key in self._recent:
            # What a stalled hub reads at once came over seconds: behind another of its sender it was said anew.
            last = next(each for each in reversed(self._recent) if each[0] == heard.sender)
            if key == last or self._recent[key] != mono:
                return True
            del self._recent[key]
        self._recent[key] = mono
        return False

    def _facts(self, device: Device, heard: Telegram, packet: Packet, bad: list[str]) -> Facts:
        profile = PROFILES[device.profile]
        if heard.rorg != profile.rorg or len(heard.payload) != profile.size:
            shape = f"RORG 0x{heard.rorg:02X} with {len(heard.payload)} bytes"
            bad.append(f"byte 6: {device.id}: {shape} does not fit {device.profile}: {packet.raw.hex()}")
            return ()
        return profile.read(Said(heard.payload, heard.status, self._settings[device.id]))

    def _news(self, sender: str, facts: Facts) -> Facts:
        """Keep what is new; of a telegram that says nothing new, that its device is alive."""
        news = []
        for fact in facts:
            if fact.state is not None:
                before = self._memory.now.setdefault(sender, {})
                if before.get(fact.state.name) == fact.state.word:
                    continue
                before[fact.state.name] = fact.state.word
                self._changed = True
            if fact.kind is not None:
                news.append(fact)
        if facts and not news:
            news.append(Fact(Kind.DEVICE_ALIVE))
        return tuple(news)


def _observation(fact: Fact, kind: Kind, heard: Telegram, packet: Packet, now: Now) -> Observation:
    return Observation(
        kind=kind,
        time=now.utc,
        value=fact.value,
        unit=fact.unit,
        rssi_dbm=heard.rssi_dbm,
        flags=fact.flags,
        raw=packet.raw.hex(),
    )


def _load(state: bytes) -> Memory:
    """Read a state; a damaged one starts anew, so that the next telegram counts as a change."""
    try:
        return msgspec.json.decode(state, type=Memory) if state else Memory()
    except (msgspec.DecodeError, ValueError):
        return Memory()
