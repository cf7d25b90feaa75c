"""A dispenser over BLE."""

from collections.abc import Mapping

from drivers.base import (
    NOTHING,
    Action,
    Answer,
    Device,
    Dose,
    Heard,
    Read,
    Setup,
    Subscribe,
    Write,
)
from drivers.dispenser.codec import TIME_EVERY_S, current_time
from drivers.dispenser.control import control
from drivers.dispenser.plans import PlanKeeper
from drivers.dispenser.records import Records, status
from hub.domain.clock import Now, TimeQuality
from hub.domain.errors import MalformedError
from hub.domain.observation import Scalar

_UUID = "8f1e000{}-5d0c-4f6b-9a3e-6d6564697370"
SERVICE = _UUID.format(1)
EVENT = _UUID.format(2)
EVENT_ACK = _UUID.format(3)
STATUS = _UUID.format(4)
PLAN = _UUID.format(5)
CONTROL = _UUID.format(6)
CURRENT_TIME = "00002a2b-0000-1000-8000-00805f9b34fb"


class GattDispenser:
    """Reads one dispenser that is connected to. The link loses nothing and keeps the order."""

    def __init__(self, device: Device, doses: tuple[Dose, ...] | None, setup: Setup) -> None:
        self._device = device
        self._records = Records(setup.state, gaps_heal=False)
        self._plan = PlanKeeper(doses)
        self._time_set: float | None = None

    def connected(self, now: Now) -> Answer:
        """Ask for the events first, then set the clock and look at status and plan."""
        self._plan.connected()
        self._time_set = None
        actions: list[Action] = [Subscribe(EVENT), *self._set_time(now), Subscribe(STATUS), Read(STATUS)]
        if self._plan.kept:
            actions.append(Read(PLAN))
        return Answer(actions=tuple(actions))

    def value(self, characteristic: str, data: bytes, now: Now) -> Answer:
        """Take a value that was notified, indicated or read. Never raises."""
        if characteristic == EVENT:
            return self._event(data, now)
        if characteristic == PLAN:
            return self._plan_read(data, now)
        if characteristic != STATUS:
            return NOTHING
        try:
            return Answer(observations=(Heard(self._device.id, status(data, now)),))
        except MalformedError as error:
            return Answer(bad=(f"{self._device.id}: status: {error}",))

    def tick(self, now: Now) -> Answer:
        """Keep the clock set while the link holds."""
        return Answer(actions=tuple(self._set_time(now)))

    def command(self, device_id: str, name: str, arguments: Mapping[str, Scalar], now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """Tell it what to do.

        Raises:
            MalformedError: It knows no such command.
        """
        return Answer(actions=(Write(CONTROL, control(name, arguments)),))

    def _set_time(self, now: Now) -> list[Action]:
        due = self._time_set is None or now.mono - self._time_set >= TIME_EVERY_S
        if not due or now.quality is TimeQuality.UNKNOWN:
            return []
        self._time_set = now.mono
        # Records carry UTC, so that is what the clock is set to.
        return [Write(CURRENT_TIME, current_time(now.utc))]

    def _event(self, data: bytes, now: Now) -> Answer:
        taken = self._records.take(data, now)
        ack = () if taken.ack is None else (Write(EVENT_ACK, taken.ack.to_bytes(4, "little")),)
        return Answer(
            observations=tuple(Heard(self._device.id, each) for each in taken.observations),
            state=self._records.state() if taken.observations else None,
            actions=ack,
            bad=tuple(f"{self._device.id}: event: {line}" for line in taken.bad),
        )

    def _plan_read(self, data: bytes, now: Now) -> Answer:
        plan, fault = self._plan.reported(data, now)
        if plan is not None:
            return Answer(actions=(Write(PLAN, plan), Read(PLAN)))
        return NOTHING if fault is None else Answer(observations=(Heard(self._device.id, fault),))
