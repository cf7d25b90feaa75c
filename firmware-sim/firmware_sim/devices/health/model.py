"""A health device without its radio: what it measured and stores, its clock, its battery."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import NamedTuple

from firmware_sim.clock import Clock, utc
from firmware_sim.devices.base import Action, Arguments, whole
from firmware_sim.devices.health.frames import GLUCOSE, Frame, Kind, meal_context, number
from firmware_sim.errors import Unfit
from firmware_sim.memory import Memory

# What a clock shows that lost its battery.
_LOST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_GARBAGE_BYTES = 9


class Stored(NamedTuple):
    """A stored record: its place in the order of all, its bytes, and the context that belongs to it."""

    number: int
    frame: bytes
    context: bytes = b""


class HealthDevice:
    """What the buttons and the memory of one device do.

    Args:
        name: Which kind, by its profile.
        kind: How it writes.
        memory: Records live here and survive a power cut.
        clock: The simulator's time.
    """

    def __init__(self, name: str, kind: Kind, memory: Memory, clock: Clock) -> None:
        self._name = name
        self._kind = kind
        self._memory = memory
        self._clock = clock
        self._ahead_s = 0.0
        self._lost_at: float | None = None
        self._on_new: list[Callable[[], None]] = []
        self.battery_pct = 100
        self.actions: Mapping[str, Action] = {
            "battery": self._battery,
            "wrong_clock": self._wrong_clock,
            "state": self._state,
        }
        if kind.measured and kind.failed:
            self.actions = {
                **self.actions,
                "measure": self._measuring(kind.measured),
                "fail": self._measuring(kind.failed),
                "garbage": self._garbage,
                "clear_memory": self._clear_memory,
            }

    def on_new(self, told: Callable[[], None]) -> None:
        """Tell this each time a record has been added."""
        self._on_new.append(told)

    def records(self) -> list[Stored]:
        """Return what is stored, oldest first."""
        parts = (text.split(":") for text in self._memory.texts("records"))
        return [Stored(int(place), bytes.fromhex(a), bytes.fromhex(b)) for place, a, b in parts]

    def forget(self, place: int) -> None:
        """Free one record."""
        self._keep([record for record in self.records() if record.number != place])

    def now(self) -> dt.datetime:
        """Return the time that its clock shows."""
        if self._lost_at is not None:
            return _LOST + dt.timedelta(seconds=int(self._clock.mono_s() - self._lost_at))
        return utc(self._clock.wall_s() + self._ahead_s)

    def set_clock(self, when: dt.datetime) -> None:
        """Set its clock."""
        self._lost_at = None
        self._ahead_s = when.replace(tzinfo=dt.UTC).timestamp() - self._clock.wall_s()

    def power_cut(self) -> None:
        """Take its battery out and put it in again: the clock is lost, the records are not."""
        self._lost_at = self._clock.mono_s()

    def add(self, frame: bytes, context: bytes = b"") -> int:
        """Store a record; return its place."""
        place = self._memory.number("place") + 1
        self._memory.keep({"place": place})
        self._keep([*self.records(), Stored(place, frame, context)])
        for told in self._on_new:
            told()
        return place

    def _keep(self, records: list[Stored]) -> None:
        texts = [f"{record.number}:{record.frame.hex()}:{record.context.hex()}" for record in records]
        self._memory.keep({"records": texts})

    def _measuring(self, write: Frame) -> Action:
        async def act(arguments: Arguments) -> Mapping[str, object]:
            context = b""
            if self._name == GLUCOSE:
                seq = whole(arguments, "seq", 0, 0xFFFF, self._memory.number("seq") + 1)
                arguments = {**arguments, "seq": seq}
                if "meal" in arguments:
                    context = meal_context(seq, whole(arguments, "meal", 1, 5))
            try:
                frame = write(arguments, self.now())
            except ValueError as error:
                raise Unfit(str(error)) from error
            if self._name == GLUCOSE:
                self._memory.keep({"seq": seq})
            return {"record": self.add(frame, context), "hex": frame.hex()}

        return act

    async def _garbage(self, arguments: Arguments) -> Mapping[str, object]:
        given = arguments.get("hex", "ff" * _GARBAGE_BYTES)
        try:
            frame = bytes.fromhex(str(given))
        except ValueError as error:
            raise Unfit(f"'hex' must be hexadecimal, not {given!r}") from error
        return {"record": self.add(frame)}

    async def _clear_memory(self, _arguments: Arguments) -> None:
        self._memory.keep({"records": [], "seq": 0})

    async def _battery(self, arguments: Arguments) -> None:
        self.battery_pct = whole(arguments, "percent", 0, 100)

    async def _wrong_clock(self, arguments: Arguments) -> None:
        self._lost_at = None
        self._ahead_s = number(arguments, "ahead_s", 3600)

    async def _state(self, _arguments: Arguments) -> Mapping[str, object]:
        return {
            "records": [record.frame.hex() for record in self.records()],
            "time": self.now().isoformat(),
            "battery_pct": self.battery_pct,
        }
