"""Faults as data: what happens to the frames that a device sends."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from firmware_sim.errors import Unfit

_BEYOND_ONE = frozenset({"delay_s", "fading_db"})
# A device starts again within the time of so many frames.
_REBOOT_FRAMES = 3
# A sensor in the next room is heard at about -60 dBm; receivers begin to lose frames near -80 and hear nothing
# below -100 dBm.
_WHOLE_DB, _NOTHING_DB = 20.0, 40.0


class Sending(NamedTuple):
    """One piece of a frame on its way, and how long it waits first."""

    after_s: float
    frame: bytes


@dataclass(frozen=True)
class FaultPlan:
    """How likely each fault is for one frame, from 0 to 1.

    Attributes:
        drop: The frame is never sent.
        duplicate: It is sent twice.
        corrupt: One of its bits is flipped.
        truncate: Its end is missing.
        garbage: Bytes of noise come before it.
        delay_s: It waits up to this long; later frames may overtake it.
        reorder: It is held back until the next frame has been sent.
        reboot: The device loses power in the middle of it, and sends nothing of the next three frames.
        deaf: The device does not hear an answer: its link is half open.
        fading_db: How much weaker than usual the device is heard; see :func:`heard`.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    truncate: float = 0.0
    garbage: float = 0.0
    delay_s: float = 0.0
    reorder: float = 0.0
    reboot: float = 0.0
    deaf: float = 0.0
    fading_db: float = 0.0

    @classmethod
    def of(cls, given: Mapping[str, object]) -> "FaultPlan":
        """Read a plan from plain data.

        Raises:
            Unfit: A name is unknown, or its value is not a sensible number.
        """
        known = {field.name for field in fields(cls)}
        chances: dict[str, float] = {}
        for name, value in given.items():
            if name not in known:
                raise Unfit(f"unknown fault {name!r}; known: {', '.join(sorted(known))}")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or float(str(value)) < 0 or (name not in _BEYOND_ONE and float(str(value)) > 1):
                units = "delay_s: seconds, fading_db: decibels"
                raise Unfit(f"fault {name!r} is a number from 0 to 1 ({units}), not {value!r}")
            chances[name] = float(str(value))
        return cls(**chances)


class Faults:
    """Applies a plan to frame after frame; the seed makes a run repeatable."""

    def __init__(self, plan: FaultPlan | None = None, seed: int = 0) -> None:
        self.plan = plan or FaultPlan()
        self._dice = random.Random(seed)
        self._held: list[Sending] = []
        self._rebooting = 0

    def hears(self) -> bool:
        """Tell whether the device hears what is said to it now."""
        return not self._happens(self.plan.deaf)

    def apply(self, frame: bytes) -> list[Sending]:
        """Return what really goes out for this frame: nothing, the frame, or worse."""
        plan = self.plan
        if self._rebooting:
            self._rebooting -= 1
            return []
        if self._happens(plan.reboot):
            self._rebooting = _REBOOT_FRAMES
            return [Sending(0.0, frame[: len(frame) // 2])]
        if self._happens(plan.drop) or self._happens(1 - heard(plan.fading_db)):
            return []
        sent = self._sent(frame)
        if self._happens(plan.reorder):
            self._held += sent
            return []
        late, self._held = self._held, []
        return sent + late

    def _sent(self, frame: bytes) -> list[Sending]:
        plan = self.plan
        sent = [frame, frame] if self._happens(plan.duplicate) else [frame]
        if self._happens(plan.garbage):
            sent.insert(0, self._dice.randbytes(self._dice.randint(1, 12)))
        wait_s = self._dice.uniform(0, plan.delay_s) if plan.delay_s else 0.0
        return [Sending(wait_s, self._damaged(piece)) for piece in sent]

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._dice.random() < chance

    def _damaged(self, frame: bytes) -> bytes:
        if frame and self._happens(self.plan.corrupt):
            at = self._dice.randrange(len(frame))
            frame = frame[:at] + bytes([frame[at] ^ (1 << self._dice.randrange(8))]) + frame[at + 1 :]
        if frame and self._happens(self.plan.truncate):
            frame = frame[: self._dice.randrange(len(frame))]
        return frame


def heard(fading_db: float) -> float:
    """Return which part of the frames comes through when a device is heard so much weaker than usual."""
    lost = (fading_db - _WHOLE_DB) / (_NOTHING_DB - _WHOLE_DB)
    return 1 - min(1.0, max(0.0, lost))
