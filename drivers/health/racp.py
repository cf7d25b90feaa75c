"""Glucose records through the Record Access Control Point: only those not seen yet, and none left behind.

Records are asked for from the last one that was seen, which comes again and is dropped: it proves that the meter's
memory is still the one whose numbers we remember. When it does not come, the memory was cleared or the meter
exchanged, and numbers begin anew: everything is asked for, and what was observed is known by its bytes. Only
"all" and "greater or equal" are used, which every meter must know (GLS, table of operators).
"""

import math
import struct
from enum import IntEnum
from typing import NamedTuple

from drivers.base import Action, Write
from drivers.health import glucose
from drivers.health.profiles import RACP
from drivers.health.records import Records, State, digest_of, failed
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError
from hub.domain.observation import Observation

REPORT, RESPONSE = 0x01, 0x06
ALL, FROM = 0x01, 0x03
_BY_SEQ = 0x01
# A meter that is silent this long after its last value is asked once more.
ANSWER_S = 10.0
TRIES = 2
# After so many connections that ended without an answer it is told, even though the link may be to blame.
CUT = 3
# A context follows its record at once.
_CONTEXT_S = 2.0
# Numbers have 16 bits: near their end "greater or equal" would leave out those that begin anew.
_NEAR_END = 0xFF00
_RESPONSE = struct.Struct("<BBBB")


class Code(IntEnum):
    """Response codes; the name of a failure is the reason that is told."""

    SUCCESS = 1
    OPCODE_NOT_SUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_NOT_SUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS = 6
    ABORT_UNSUCCESSFUL = 7
    NOT_COMPLETED = 8
    OPERAND_NOT_SUPPORTED = 9


class Told(NamedTuple):
    """What one value led to."""

    observations: tuple[Observation, ...] = ()
    actions: tuple[Action, ...] = ()
    bad: tuple[str, ...] = ()


class Meter:
    """The procedure of one connection.

    Args:
        state: What is remembered; changed in place.
        records: Tells what is new.
    """

    def __init__(self, state: State, records: Records) -> None:
        self._state = state
        self._records = records
        self._after: int | None = None
        self._met = False
        self._began_anew = False
        self._highest: tuple[int, str] | None = None
        self._waits: tuple[glucose.Record, bytes] | None = None
        self._repeat: int | None = None
        self._tries = 0
        self._deadline: float | None = None

    @property
    def asking(self) -> bool:
        """An answer is awaited."""
        return self._deadline is not None

    def begin(self) -> Write:
        """Ask for what is new."""
        asked = self._state.asked
        self._began_anew = False
        return self._ask(None if asked is None or asked >= _NEAR_END else asked)

    def record(self, data: bytes, now: Now) -> Told:
        """Take a record; one whose context follows waits for it."""
        self._heard(now)
        told = self._settle(now)
        try:
            record = glucose.record(data)
        except MalformedError as error:
            lost = self._records.unreadable("glucose", data, str(error), now)
            return Told(told + ((lost,) if lost else ()), bad=(str(error),))
        digest = digest_of(data)
        self._met = self._met or (record.seq, digest) == (self._after, self._state.proof)
        if self._highest is None or record.seq >= self._highest[0]:
            self._highest = record.seq, digest
        if self._records.known(data, now):
            self._repeat = record.seq
            return Told(told)
        self._waits = record, data
        return Told(told if record.context else told + self._settle(now))

    def context(self, data: bytes, now: Now) -> Told:
        """Take what belongs to a record, and let the record go."""
        self._heard(now)
        try:
            context = glucose.context(data)
        except MalformedError as error:
            return Told(self._settle(now), bad=(f"context: {error}",))
        if self._waits is None or self._waits[0].seq != context.seq:
            known = context.seq == self._repeat
            return Told(
                self._settle(now), bad=() if known else (f"byte 1: no record {context.seq} before its context",)
            )
        if context.meal:
            self._waits[0].reading.value["meal"] = context.meal
        return Told(self._settle(now))

    def response(self, data: bytes, now: Now) -> Told:
        """Take the answer to what was asked; ask again where something may be missing."""
        told = self._settle(now)
        if len(data) != _RESPONSE.size:
            return Told(told, bad=(f"byte {len(data)}: a response has {_RESPONSE.size} bytes",))
        opcode, _, request, code = _RESPONSE.unpack(data)
        if opcode != RESPONSE or request != REPORT:
            return Told(told, bad=(f"byte 0: {data.hex()} answers nothing that was asked",))
        if not self.asking:
            return Told(told)
        whole = self._after is None
        if code == Code.SUCCESS and (whole or self._met):
            self._end(self._highest)
        elif code == Code.NO_RECORDS and whole:
            self._end(None)
        elif not whole:
            self._began_anew = code in (Code.SUCCESS, Code.NO_RECORDS)
            return Told(told, (self._ask(None),))
        elif code == Code.NOT_COMPLETED and self._tries < TRIES:
            return Told(told, (self._again(),))
        else:
            told += self._give_up(_reason(code), now)
        return Told(told)

    def tick(self, now: Now) -> Told:
        """Ask once more when no answer came, then say so."""
        if self._deadline is None:
            return Told(self._settle(now))
        if self._deadline == math.inf:
            self._heard(now)
        if now.mono < self._deadline:
            quiet_s = now.mono - (self._deadline - ANSWER_S)
            return Told(self._settle(now) if quiet_s >= _CONTEXT_S else ())
        told = self._settle(now)
        if self._tries < TRIES:
            return Told(told, (self._again(),))
        return Told(told + self._give_up("no_answer", now))

    def disconnected(self, now: Now) -> tuple[Observation, ...]:
        """Let a record go without its context; a meter that never gets as far as an answer is told of."""
        told = self._settle(now)
        if not self.asking:
            return told
        self._state.cut += 1
        return told + self._give_up("link_lost", now) if self._state.cut >= CUT else told

    def _ask(self, after: int | None) -> Write:
        self._after, self._met, self._highest, self._tries = after, False, None, 0
        return self._again()

    def _again(self) -> Write:
        self._tries += 1
        self._deadline = math.inf  # it counts from the first tick: what comes before it may take long
        if self._after is None:
            return Write(RACP, bytes([REPORT, ALL]))
        return Write(RACP, struct.pack("<BBBH", REPORT, FROM, _BY_SEQ, self._after))

    def _heard(self, now: Now) -> None:
        if self._deadline is not None:
            self._deadline = now.mono + ANSWER_S

    def _end(self, highest: tuple[int, str] | None) -> None:
        self._state.asked, self._state.proof = highest or (None, "")
        self._deadline = None
        self._state.complained, self._state.cut = False, 0

    def _give_up(self, reason: str, now: Now) -> tuple[Observation, ...]:
        """Say that records cannot be had: once, until they can."""
        self._deadline = None
        if self._state.complained:
            return ()
        self._state.complained = True
        return (failed("glucose", reason, now),)

    def _settle(self, now: Now) -> tuple[Observation, ...]:
        if self._waits is None:
            return ()
        (record, data), self._waits = self._waits, None
        observation = self._records.take(record.reading, data, now, numbered=True)
        if observation is None:
            return ()
        last = self._state.asked
        if not self._began_anew or last is None or record.seq > last:
            return (observation,)
        self._began_anew = False
        value = {"device_seq": record.seq, "highest": last}
        flags = ("seq_back",)
        return (
            observation,
            Observation(kind=Kind.DEVICE_REKEYED, time=now.utc, value=dict(value), flags=flags, raw=data.hex()),
        )


def _reason(code: int) -> str:
    try:
        return Code(code).name.lower()
    except ValueError:
        return f"racp_0x{code:02X}"
