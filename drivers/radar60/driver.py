"""One fall radar on its line: what it tells, and that it goes on telling."""

import msgspec

from drivers.base import NOTHING, Answer, Device, Heard, Manifest, Send
from drivers.radar60.codec import Frame, Stream, frame
from drivers.radar60.settings import Settings
from drivers.radar60.table import ANSWER, QUERY, SETTINGS_CONTROL, SIGNALS, STARTED, Fact, Signal
from drivers.registry import settings_of
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.observation import Observation, Value

# A radar that is quiet for so long is asked whether somebody is there; so many questions without an answer mean
# that it is gone. How often it says its heartbeat by itself differs between firmwares, so that is not counted on.
ASK_S = 5.0
UNANSWERED = 3
ALIVE_S = 60.0
# A radar that shows one fall for so long would not show the next one.
STUCK_S = 3600.0
# While nobody listened for this long the resident may have got up and fallen again. The state is kept each minute.
UNHEARD_S = 180.0
_NOT_WATCHED = "not_watched"


class State(msgspec.Struct):
    """What is remembered: the last value of each signal, what was reported as wrong, and when (Unix time)."""

    seen: dict[str, int] = {}
    lost: bool = False
    refused: list[str] = []
    at: float = 0.0


class RadarDriver:
    """Reads one radar, keeps its settings, and asks it when it is quiet."""

    def __init__(self, manifest: Manifest, device: Device, state: bytes) -> None:
        self._device = device
        self._stream = Stream()
        self._bad: list[str] = []
        self._state = _load(state)
        self._settings = Settings(settings_of(manifest, device), self._state.refused)
        self._unheard = False
        self._reset(0.0)

    def _reset(self, mono: float) -> None:
        self._heard = self._asked = self._told = mono
        self._unanswered = 0
        # Values from before: the change to what comes next was not watched.
        self._unwatched = set(self._state.seen)
        self._standing = {name: mono for name in self._state.seen if self._stands(name)}
        self._stuck: set[str] = set()

    def opened(self, now: Now) -> Answer:
        """Ask how things are, then write the settings; half frames are forgotten."""
        self._stream.clear()
        self._reset(now.mono)
        self._unheard = abs(now.utc.timestamp() - self._state.at) > UNHEARD_S
        self._settings.begin(now.mono)
        written, _ = self._settings.due(now.mono)
        return Answer(actions=tuple(Send(data) for data in (*_questions(), *written)))

    def received(self, data: bytes, now: Now) -> Answer:
        """Take bytes, cut anywhere. Never raises."""
        frames = self._stream.feed(data, now.mono)
        return self._answer([each for one in frames for each in self._frame(one, now)], now)

    def tick(self, now: Now) -> Answer:
        """Ask a quiet radar, keep its settings, let go of a half frame."""
        frames = self._stream.tick(now.mono)
        told = [each for one in frames for each in self._frame(one, now)]
        sent = self._ask(told, now)
        if not self._state.lost:
            written, refused = self._settings.due(now.mono)
            sent += written
            told += [self._fault("setting_refused", now, each._asdict()) for each in refused]
        for name, since in self._standing.items():
            if name not in self._stuck and now.mono - since >= STUCK_S:
                self._stuck.add(name)
                told.append(self._fault("stuck", now, {"signal": name}))
        return self._answer(told, now, sent)

    def _ask(self, told: list[Observation], now: Now) -> list[bytes]:
        if now.mono - max(self._heard, self._asked) < ASK_S:
            return []
        if self._unanswered == UNANSWERED and not self._state.lost:
            self._state.lost = True
            told.append(self._fault("silent", now, {"seconds": round(now.mono - self._heard)}))
        self._unanswered = min(UNANSWERED, self._unanswered + 1)
        self._asked = now.mono
        return [_questions()[0]]

    def _frame(self, heard: Frame, now: Now) -> list[Observation]:
        self._heard, self._unanswered = now.mono, 0
        told: list[Observation] = []
        if self._state.lost:
            self._state.lost = False
            self._settings.begin(now.mono)
            told.append(self._alive(now, {"returned": True}, heard))
        if (heard.control, heard.command) in STARTED:
            return [*told, self._restarted(heard, now)]
        if heard.control == SETTINGS_CONTROL:
            about_setting, taken = self._settings.answered(heard.command, heard.data, now.mono)
            if taken:
                told.append(self._alive(now, {"setting_taken": taken}, heard))
            if about_setting:
                return told
        signal = SIGNALS.get((heard.control, heard.command & ~ANSWER))
        # 0x0F in an answer is our own question, sent back by the line.
        if signal is None or (heard.command & ANSWER and heard.data == QUERY):
            return told
        if not heard.data:
            self._bad.append(f"byte 6: {signal.name} without a value: {heard.raw.hex()}")
            return told
        return [*told, *self._signal(signal, heard, now)]

    def _signal(self, signal: Signal, heard: Frame, now: Now) -> list[Observation]:
        code = heard.data[0]
        flags: tuple[str, ...] = ()
        if code not in signal.facts:
            if not signal.alarm:
                return []
            code, flags = 1, ("unknown_value",)
        before = self._state.seen.get(signal.name)
        unwatched = signal.name in self._unwatched
        self._unwatched.discard(signal.name)
        if before == code:
            if not (signal.alarm and code and unwatched and self._unheard):
                return []
            before, flags = None, (*flags, _NOT_WATCHED)
        self._state.seen[signal.name] = code
        if signal.alarm and code:
            self._standing[signal.name] = now.mono
        elif signal.alarm:
            self._standing.pop(signal.name, None)
            self._stuck.discard(signal.name)
            if before is None:
                return []
            if unwatched:
                flags = (_NOT_WATCHED,)
        fact = signal.facts[code]
        if before is not None and signal.facts.get(before, Fact(Kind.DEVICE_FAULT)).kind is fact.kind:
            return []  # from none to still: no motion either way
        raw = heard.raw.hex()
        return [Observation(kind=fact.kind, time=now.utc, value=fact.value, flags=flags, raw=raw)]

    def _restarted(self, heard: Frame, now: Now) -> Observation:
        """Begin anew: a radar that has forgotten a fall does not say that the resident got up."""
        standing = sorted(name for name in self._state.seen if self._stands(name))
        for name in standing:
            del self._state.seen[name]
        self._standing.clear()
        self._settings.begin(now.mono)
        if standing:
            return self._fault("restarted", now, {"standing": ", ".join(standing)}, heard.raw)
        return self._alive(now, {"restarted": True}, heard)

    def _stands(self, name: str) -> bool:
        return any(signal.alarm and signal.name == name for signal in SIGNALS.values()) and bool(
            self._state.seen[name]
        )

    def _alive(self, now: Now, value: Value, heard: Frame) -> Observation:
        return Observation(kind=Kind.DEVICE_ALIVE, time=now.utc, value=value, raw=heard.raw.hex())

    def _fault(self, reason: str, now: Now, detail: dict[str, Value], raw: bytes = b"") -> Observation:
        value: Value = {"reason": reason, **detail}
        return Observation(kind=Kind.DEVICE_FAULT, time=now.utc, value=value, flags=(reason,), raw=raw.hex())

    def _answer(self, told: list[Observation], now: Now, sent: list[bytes] | None = None) -> Answer:
        if told:
            self._told = now.mono
        elif self._heard == now.mono and now.mono - self._told >= ALIVE_S:
            self._told = now.mono
            told = [Observation(kind=Kind.DEVICE_ALIVE, time=now.utc)]
        bad = tuple(f"{self._device.id}: {line}" for line in (*self._stream.take_bad(), *self._bad))
        self._bad.clear()
        if not (told or sent or bad):
            return NOTHING
        self._state.refused, self._state.at = self._settings.refused, now.utc.timestamp()
        return Answer(
            observations=tuple(Heard(self._device.id, each) for each in told),
            state=msgspec.json.encode(self._state) if told else None,
            actions=tuple(Send(data) for data in sent or ()),
            bad=bad,
        )


def _questions() -> list[bytes]:
    """Return the queries of everything that has a state; the first is the one to ask a quiet radar."""
    return [frame(control, command | ANSWER, QUERY) for control, command in SIGNALS]


def _load(state: bytes) -> State:
    """Read a state; a damaged one starts anew: better a fall twice than one taken for a repeat."""
    try:
        return msgspec.json.decode(state, type=State) if state else State()
    except (msgspec.DecodeError, ValueError):
        return State()
