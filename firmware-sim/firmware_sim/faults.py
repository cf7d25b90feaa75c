"""Faults as data: what happens to the frames that a device sends."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from firmware_sim.errors import Unfit


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
    """

    drop: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    truncate: float = 0.0
    garbage: float = 0.0
    delay_s: float = 0.0

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
            if not isinstance(value, int | float) or value < 0 or (name != "delay_s" and value > 1):
                raise Unfit(f"fault {name!r} is a number from 0 to 1 (delay_s: seconds), not {value!r}")
            chances[name] = float(value)
        return cls(**chances)


class Faults:
    """Applies a plan to frame after frame; the seed makes a run repeatable."""

    def __init__(self, plan: FaultPlan | None = None, seed: int = 0) -> None:
        self.plan = plan or FaultPlan()
        self._dice = random.Random(seed)

    def apply(self, frame: bytes) -> list[Sending]:
        """Return what really goes out for this frame: nothing, the frame, or worse."""
        plan = self.plan
        if self._happens(plan.drop):
            return []
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
