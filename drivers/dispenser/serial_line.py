"""A dispenser on a serial line."""

from collections.abc import Mapping

import msgspec

from drivers.base import NOTHING, Answer, Device, Dose, Heard, Send, Setup
from drivers.dispenser.codec import TIME_EVERY_S, Frame, Line, Received, frame, read_hello, set_time
from drivers.dispenser.control import control
from drivers.dispenser.plans import PlanKeeper
from drivers.dispenser.records import Records, Taken, status
from hub.domain.clock import Now, TimeQuality
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError
from hub.domain.observation import Observation, Scalar

# A quiet dispenser is asked to say hello, which shows that it is there.
HELLO_EVERY_S = 600.0
# A half frame that nothing follows is worth a line, once.
UNFINISHED_S = 1.0
_MODEL_CHARS = 40


class SerialDispenser:
    """Reads one dispenser on a line of its own."""

    def __init__(self, device: Device, doses: tuple[Dose, ...] | None, setup: Setup) -> None:
        self._device = device
        self._records = Records(setup.state, gaps_heal=True)
        self._plan = PlanKeeper(doses)
        self._utc_offset = setup.utc_offset
        self._line = Line()
        self._heard = self._asked = 0.0
        self._time_sent: float | None = None

    def opened(self, now: Now) -> Answer:
        """Set the clock, ask for a hello, send the plan."""
        self._line.clear()
        self._plan.connected()
        self._heard = self._asked = now.mono
        self._time_sent = None
        actions = [*self._set_time(now), Send(frame(Frame.HELLO_REQUEST))]
        if self._plan.kept:
            actions.append(Send(frame(Frame.SET_PLAN, self._plan.wanted())))
        return Answer(actions=tuple(actions))

    def received(self, data: bytes, now: Now) -> Answer:
        """Take bytes, cut anywhere. Never raises."""
        frames = self._line.feed(data)
        if data:
            self._heard = now.mono
        return self._joined([self._frame(each, now) for each in frames])

    def tick(self, now: Now) -> Answer:
        """Keep the clock set, ask a quiet dispenser, let go of records that do not come."""
        actions = self._set_time(now)
        if min(now.mono - self._heard, now.mono - self._asked) >= HELLO_EVERY_S:
            self._asked = now.mono
            actions.append(Send(frame(Frame.HELLO_REQUEST)))
        answers = [Answer(actions=tuple(actions))] if actions else []
        settled = self._records.settle(now)
        if settled is not None:
            answers.append(self._taken(settled))
        if self._line.unfinished() and now.mono - self._heard >= UNFINISHED_S:
            self._line.give_up()
        return self._joined(answers)

    def command(self, device_id: str, name: str, arguments: Mapping[str, Scalar], now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """Tell it what to do.

        Raises:
            MalformedError: It knows no such command.
        """
        return Answer(actions=(Send(frame(Frame.CONTROL, control(name, arguments))),))

    def _set_time(self, now: Now) -> list[Send]:
        due = self._time_sent is None or now.mono - self._time_sent >= TIME_EVERY_S
        if not due or now.quality is TimeQuality.UNKNOWN:
            return []
        self._time_sent = now.mono
        return [Send(frame(Frame.SET_TIME, set_time(now.utc, self._utc_offset)))]

    def _frame(self, received: Received, now: Now) -> Answer:
        try:
            if received.kind == Frame.EVENT:
                return self._event(received.body, now)
            if received.kind == Frame.STATUS:
                return self._one(status(received.body, now))
            if received.kind == Frame.HELLO:
                return self._one(_hello(received.body, now))
        except MalformedError as error:
            return Answer(bad=(f"{self._device.id}: {error}",))
        if received.kind == Frame.PLAN:
            return self._plan_told(received.body, now)
        return Answer(bad=(f"{self._device.id}: byte 0: unknown frame type 0x{received.kind:02X}",))

    def _plan_told(self, body: bytes, now: Now) -> Answer:
        plan, fault = self._plan.reported(body, now)
        if plan is not None:
            return Answer(actions=(Send(frame(Frame.SET_PLAN, plan)),))
        return NOTHING if fault is None else self._one(fault)

    def _event(self, body: bytes, now: Now) -> Answer:
        waited = self._records.waits()
        answer = self._taken(self._records.take(body, now))
        if self._records.waits() and not waited:
            # A record is missing: a hello is how a dispenser begins again with the oldest one.
            again = Send(frame(Frame.HELLO_REQUEST))
            return msgspec.structs.replace(answer, actions=(*answer.actions, again))
        return answer

    def _taken(self, taken: Taken) -> Answer:
        ack = () if taken.ack is None else (Send(frame(Frame.ACK, taken.ack.to_bytes(4, "little"))),)
        return Answer(
            observations=tuple(Heard(self._device.id, each) for each in taken.observations),
            state=self._records.state() if taken.observations else None,
            actions=ack,
            bad=tuple(f"{self._device.id}: event: {line}" for line in taken.bad),
        )

    def _one(self, observation: Observation) -> Answer:
        return Answer(observations=(Heard(self._device.id, observation),))

    def _joined(self, answers: list[Answer]) -> Answer:
        bad = self._line.take_bad()
        if not answers and not bad:
            return NOTHING
        states = [answer.state for answer in answers if answer.state is not None]
        return Answer(
            observations=tuple(heard for answer in answers for heard in answer.observations),
            state=states[-1] if states else None,
            actions=tuple(action for answer in answers for action in answer.actions),
            bad=(*bad, *(line for answer in answers for line in answer.bad)),
        )


def _hello(body: bytes, now: Now) -> Observation:
    hello = read_hello(body)
    value = {name: text[:_MODEL_CHARS] for name, text in hello._asdict().items()}
    return Observation(kind=Kind.DEVICE_ALIVE, time=now.utc, value=value, raw=body[:64].hex())
