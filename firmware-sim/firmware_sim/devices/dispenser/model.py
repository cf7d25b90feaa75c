"""The dispenser itself, whatever line it hangs on: records, plan, clock, and what one can do to it."""

import logging
import struct
from collections.abc import Callable, Mapping

from firmware_sim.clock import Clock
from firmware_sim.devices.base import Action, Arguments, whole
from firmware_sim.devices.dispenser.record import (
    ALIVE,
    DISPENSED,
    EVENTS,
    LID_OPEN,
    NO_SLOT,
    ON_MAINS,
    TEST,
    Record,
    decoded_plan,
    encoded_plan,
)
from firmware_sim.errors import Unfit
from firmware_sim.memory import Memory

log = logging.getLogger(__name__)

_FULL_MAGAZINE = 28
#: Events that change whether the mains is there or the lid is open: flags to set, flags to clear.
_FLAGS = {0x22: (0, ON_MAINS), 0x23: (ON_MAINS, 0), 0x24: (LID_OPEN, 0), 0x25: (LID_OPEN, 0)}
_UNPLUG, _PLUG_IN = 0x22, 0x23
_BATTERY_LOW, _BATTERY_EMPTY = 0x20, 0x21
_LOW_PCT = 20
_CONTROL_DISPENSE, _CONTROL_REMIND, _CONTROL_SELF_TEST, _CONTROL_SILENCE = 1, 2, 3, 4


class Dispenser:
    """A medication dispenser. It forgets a record when the hub has acknowledged it, and not before.

    Args:
        memory: Records, sequence number and plan live here and survive a power cut.
        clock: The simulator's time; the dispenser has its own, which somebody must set.
    """

    def __init__(self, memory: Memory, clock: Clock) -> None:
        self._memory = memory
        self._clock = clock
        self._on_new: list[Callable[[], None]] = []
        self.battery_pct = 100
        self._on_since = clock.mono_s()
        self._clock_set: tuple[int, float] | None = None
        self._off_s, self._drift = 0.0, 0.0
        self._flags = ON_MAINS
        self.actions: Mapping[str, Action] = {
            **{word: self._happening(code) for word, code in EVENTS.items()},
            "event": self._event,
            "battery": self._battery,
            "acknowledge": self._acknowledge,
            "power_cut": self._power_cut,
            "wrong_clock": self._wrong_clock,
            "clock": self._lead_astray,
            "state": self._state,
        }

    @property
    def plan(self) -> bytes:
        """The plan it holds, as it was written."""
        stored = self._memory.texts("plan")
        return bytes.fromhex(stored[0]) if stored else encoded_plan(0, [])

    @property
    def _doses_left(self) -> int:
        return self._memory.number("doses_left", _FULL_MAGAZINE)

    def on_new(self, told: Callable[[], None]) -> None:
        """Tell this each time a record has been added."""
        self._on_new.append(told)

    def unacknowledged(self, after_seq: int = 0) -> list[Record]:
        """Return the records that the hub has not acknowledged, oldest first."""
        records = (Record.decoded(bytes.fromhex(text)) for text in self._memory.texts("records"))
        return [record for record in records if record.seq > after_seq]

    def add(self, event: int, slot: int = NO_SLOT, flags: int = 0) -> Record:
        """Store a new record, then tell the line about it."""
        left = self._doses_left - (1 if event in DISPENSED and self._doses_left else 0)
        gained, lost = _FLAGS.get(event, (0, 0))
        self._flags = (self._flags | gained) & ~lost
        seq = self._memory.number("seq") + 1
        record = self._record(event, seq, slot, self._flags | flags)._replace(doses_left=left)
        records = [*self._memory.texts("records"), record.encoded().hex()]
        self._memory.keep({"seq": seq, "records": records, "doses_left": left})
        for told in self._on_new:
            told()
        return record

    def acknowledged(self, seq: int) -> None:
        """Forget every record up to and including this one."""
        kept = [record.encoded().hex() for record in self.unacknowledged(after_seq=seq)]
        self._memory.keep({"records": kept})

    def status(self) -> Record:
        """Return how it is now; its sequence number is that of the newest record."""
        # Number 0 is never used on the wire: before the first record it says 1.
        return self._record(ALIVE, max(1, self._memory.number("seq")), NO_SLOT, self._flags)

    def take_plan(self, data: bytes) -> None:
        """Keep a new plan.

        Raises:
            ValueError: It is damaged; the old one stays.
        """
        decoded_plan(data)
        self._memory.keep({"plan": [data.hex()]})

    def set_clock(self, unix_s: int) -> None:
        """Set its clock."""
        self._clock_set = (unix_s, self._clock.mono_s())

    def control(self, data: bytes) -> None:
        """Do what the hub asks.

        Raises:
            ValueError: The opcode is unknown.
        """
        opcode = data[0] if data else None
        if opcode == _CONTROL_DISPENSE:
            slot = struct.unpack_from("<H", data, 1)[0] if len(data) >= 3 else NO_SLOT
            self.add(EVENTS["extra"], slot)
        elif opcode == _CONTROL_REMIND:
            self.add(EVENTS["present"])
        elif opcode == _CONTROL_SELF_TEST:
            self.add(ALIVE, flags=TEST)
        elif opcode == _CONTROL_SILENCE:
            log.info("silenced")
        else:
            raise ValueError(f"unknown control opcode {data.hex()}")

    def _record(self, event: int, seq: int, slot: int, flags: int) -> Record:
        uptime_s = int(self._clock.mono_s() - self._on_since)
        left = self._doses_left
        return Record(event, seq, self._unix_time(), uptime_s, slot, self.battery_pct, flags, left)

    def _unix_time(self) -> int:
        if self._clock_set is None:
            return 0
        unix_s, at = self._clock_set
        since_s = self._clock.mono_s() - at
        return unix_s + int(since_s * (1 + self._drift) + self._off_s)

    def _happening(self, code: int) -> Action:
        async def act(arguments: Arguments) -> Mapping[str, object]:
            slot = whole(arguments, "slot", 0, NO_SLOT, NO_SLOT)
            return {"seq": self.add(code, slot).seq}

        return act

    async def _event(self, arguments: Arguments) -> Mapping[str, object]:
        event = whole(arguments, "event", 0, 0xFF)
        slot = whole(arguments, "slot", 0, NO_SLOT, NO_SLOT)
        return {"seq": self.add(event, slot, TEST if arguments.get("test") else 0).seq}

    async def _battery(self, arguments: Arguments) -> None:
        self.battery_pct = whole(arguments, "percent", 0, 100)
        if self.battery_pct <= _LOW_PCT:
            self.add(_BATTERY_LOW if self.battery_pct else _BATTERY_EMPTY)

    async def _acknowledge(self, arguments: Arguments) -> None:
        self.acknowledged(whole(arguments, "seq", 1, 2**32 - 1))

    async def _power_cut(self, _arguments: Arguments) -> None:
        # What is not in lasting memory is gone: the clock, and how long it has been on.
        self._on_since = self._clock.mono_s()
        self._clock_set = None

    async def _wrong_clock(self, arguments: Arguments) -> None:
        """Let its clock be wrong by ``seconds``, until somebody sets it."""
        wrong_s = whole(arguments, "seconds", -(2**31), 2**31, 3600)
        self.set_clock(max(1, (self._unix_time() or int(self._clock.wall_s())) + wrong_s))

    async def _lead_astray(self, arguments: Arguments) -> None:
        """Let its clock be wrong by ``off_s`` s whoever sets it, and run away by ``drift`` seconds a second."""
        wrong = {key: arguments.get(key, 0) for key in ("off_s", "drift")}
        for key, value in wrong.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Unfit(f"{key!r} must be a number, not {value!r}")
        self._off_s, self._drift = float(str(wrong["off_s"])), float(str(wrong["drift"]))

    async def _state(self, _arguments: Arguments) -> Mapping[str, object]:
        version, doses = decoded_plan(self.plan)
        return {
            "unacknowledged": [record.seq for record in self.unacknowledged()],
            "seq": self._memory.number("seq"),
            "plan": {"version": version, "doses": [dose._asdict() for dose in doses]},
            "unix_time": self._unix_time(),
            "battery_pct": self.battery_pct,
            "doses_left": self._doses_left,
        }
