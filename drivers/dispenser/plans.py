"""The dispenser's plan: written when it differs, read back, and a fault when it still differs."""

import datetime as dt
from collections.abc import Sequence

from drivers.base import Dose
from drivers.dispenser.codec import MAX_DOSES, plan, read_plan
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError
from hub.domain.observation import Observation

_DAY_MINUTES = int(dt.timedelta(days=1).total_seconds()) // 60
_EVERY_DAY = 0x7F


def check_doses(doses: Sequence[Dose]) -> None:
    """Check that doses fit the profile.

    Raises:
        MalformedError: There are too many, or a field is out of range.
    """
    if len(doses) > MAX_DOSES:
        raise MalformedError(f"doses: {len(doses)} of them, a plan holds {MAX_DOSES}")
    for place, dose in enumerate(doses):
        if not 0 <= dose.minute_of_day < _DAY_MINUTES:
            raise MalformedError(f"doses[{place}].minute_of_day: {dose.minute_of_day} is not in a day")
        if not 0 < dose.weekdays <= _EVERY_DAY:
            raise MalformedError(f"doses[{place}].weekdays: {dose.weekdays} names no days")
        if not 0 < dose.window_min <= _DAY_MINUTES:
            raise MalformedError(f"doses[{place}].window_min: {dose.window_min} is not within a day")


class PlanKeeper:
    """Compares the plan that a dispenser has with the one it must have.

    Args:
        doses: The plan, or ``None`` where the hub does not look after it.
    """

    def __init__(self, doses: Sequence[Dose] | None) -> None:
        self._doses = doses
        self._written = False
        self._reported = False

    @property
    def kept(self) -> bool:
        """Whether the hub looks after this dispenser's plan."""
        return self._doses is not None

    def connected(self) -> None:
        """Begin again: what was written before may not have arrived."""
        self._written = self._reported = False

    def wanted(self, version: int = 1) -> bytes:
        """Return the plan that it must have."""
        return plan(version, self._doses or ())

    def reported(self, data: bytes, now: Now) -> tuple[bytes | None, Observation | None]:
        """Take the plan as the dispenser has it; return what to write, and a fault to report."""
        if self._doses is None:
            return None, None
        version = 0
        try:
            found = read_plan(data)
        except MalformedError:
            pass  # a plan that cannot be read is one that differs
        else:
            version = found.version
            if found.entries == read_plan(self.wanted()).entries:
                return None, None
        if not self._written:
            self._written = True
            return self.wanted(version + 1), None
        if self._reported:
            return None, None
        self._reported = True
        value = {"reason": "plan_differs", "doses": len(self._doses)}
        return None, Observation(
            kind=Kind.DEVICE_FAULT, time=now.utc, value=value, flags=("plan_differs",), raw=data[:64].hex()
        )
