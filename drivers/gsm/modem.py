"""The state machine of a GSM modem: started, watched, texts read and sent. Sans-I/O: bytes and seconds in.

Sources: 3GPP TS 27.007 (``+CREG`` 7.2, ``+CSQ`` 8.5, ``+CFUN`` 8.2) and TS 27.005 (``+CMTI`` and its like 3.4.1,
``+CMGL`` 3.4.2, ``+CMGR`` 3.4.3, ``+CMGS`` 3.5.1, ``+CMGD`` 3.5.4); the start is a table in ``steps.py``.

It goes round: *call* (``AT`` until it answers, else reset it) → *start* (one row of ``STEPS`` after the other) →
*ready* (every minute: registration, signal, stored texts). Whatever goes wrong leads back to *call*; what was
stored meanwhile is listed again at *ready*, so a notice that is lost costs a minute and no text.

A text is deleted from the modem only by bytes of a :class:`Turn` with ``keep_first``: the caller puts what it was
told on the disk, and then sends them.
"""

from collections import deque
from collections.abc import Iterable
from functools import partial

from drivers.gsm.at import ESCAPE, fields, number, prefix
from drivers.gsm.codes import BROKEN_SIM, PUK_REQUIRED, SIM_BUSY, named
from drivers.gsm.events import Arrived, Ended, Event, PinUsed, Polled, Trouble, Turn, Unreadable
from drivers.gsm.outbox import Message, Outbox, Outgoing, SentPart
from drivers.gsm.pdu import Deliver, StatusReport, read_line
from drivers.gsm.steps import SIM, STEPS
from drivers.gsm.talk import Command, Reply, Said, Stored, Talk
from hub.domain.errors import MalformedError

# Quiet before the first command, so that answers to an earlier one are not taken for its own.
SETTLE_S = 0.5
# From the first sign of a restart until commands are taken.
BOOT_S = 1.0
RESET_S = 15.0
CALLS, CALL_TIMEOUT_S = 3, 2.0
RESET = b"AT+CFUN=1,1\r"
POLL_S, POLL_LOST_S = 60.0, 10.0
# A modem looks for its network for a while after each start.
REGISTRATION_S = 120.0
_REGISTERED = frozenset({1, 5, 6, 7, 9, 10})
_AGAIN_S = {"sim_missing": 30.0, "sim_locked": 60.0, "sim_pin_missing": 60.0, "sim_pin_wrong": 60.0}
_SIM_TROUBLES = tuple(_AGAIN_S)
# A SIM locks itself after three wrong PINs; the last try is left to a human.
PIN_SENDS = 2
# A stored PDU that cannot be read is read again, for the line may have harmed it; then it is told as it is.
READS = 3
_STARTS_OVER = ("RDY", "+CFUN", "^SYSSTART", "SYSSTART")


class Modem:
    """One modem.

    Args:
        pin: Of its SIM, or empty.
        pin_used: What :class:`PinUsed` told last of this PIN.
        sent: Messages that still wait for their reports.
    """

    def __init__(self, pin: str = "", pin_used: PinUsed | None = None, sent: Iterable[SentPart] = ()) -> None:
        self._pin = pin
        self._pin_used = pin_used or PinUsed(0, refused=False)
        self._outbox = Outbox(sent)
        self._talk = Talk()
        self._queue: deque[Command] = deque()
        self._events: list[Event] = []
        self._keep_first = False
        self._mono = 0.0
        self._quiet_until = 0.0
        self._silences = 0  # commands without an answer since the last whole round
        self._ready = False
        self._refusals = 0
        self._echo_off = False
        self._main_memory = self._memory = ""
        self._poll_at = 0.0
        self._registered: bool | None = None
        self._lost_at: float | None = None
        self._dbm: int | None = None
        self._full = False
        self._reads: dict[str, int] = {}

    def opened(self, mono: float) -> Turn:
        """The port was opened, or opened again: end what may be half done, and start."""
        self._mono = mono
        self._lost()
        self._talk.clear()
        self._talk.out.append(ESCAPE)
        self._begin(SETTLE_S)
        return self._turn()

    def received(self, data: bytes, mono: float) -> Turn:
        """Take bytes, cut anywhere. Never raises."""
        self._mono = mono
        for line in self._talk.lines(data):
            heard = self._talk.hear(line, mono)
            if self._talk.echoes:
                self._echoed()
            if isinstance(heard, Reply):
                command = self._talk.abandon()
                if command:
                    command.then(heard)
            elif isinstance(heard, Said):
                self._said(heard)
            self._go_on()
        return self._turn()

    def tick(self, mono: float) -> Turn:
        """Do what is due."""
        self._mono = mono
        self._events += self._outbox.expire(mono)
        if self._talk.overdue(mono):
            self._overdue()
        if self._ready and mono >= self._poll_at and not self._queue and self._talk.current is None:
            self._poll()
        self._go_on()
        return self._turn()

    def send(self, text: Outgoing, mono: float) -> Turn:
        """Take a text to send; what becomes of it is told by :data:`drivers.gsm.outbox.Outcome`."""
        self._mono = mono
        self._events += self._outbox.add(text, mono)
        self._go_on()
        return self._turn()

    def _turn(self) -> Turn:
        talk = self._talk
        turn = Turn(tuple(self._events), b"".join(talk.out), self._keep_first, tuple(talk.bad))
        self._events, self._keep_first = [], False
        talk.out, talk.bad = [], []
        return turn

    # Commands, one after the other.

    def _go_on(self) -> None:
        if self._talk.current is not None or self._mono < self._quiet_until:
            return
        if not self._queue and self._ready and self._registered is not False:
            message = self._outbox.next(self._mono)
            if message is not None:
                self._queue.append(self._sending(message))
        if self._queue:
            command = self._queue.popleft()
            self._keep_first |= command.text.startswith(("AT+CMGD", "AT+CPIN="))
            self._talk.ask(command, self._mono)

    def _lost(self) -> None:
        """No answer will come to the command under way; what it read is still stored, and is listed again."""
        command = self._talk.abandon()
        if command and command.lost:
            command.lost()

    def _begin(self, wait_s: float) -> None:
        """Go back to calling it, after a while in which what it says is no answer."""
        self._queue.clear()
        self._ready = self._echo_off = False
        self._quiet_until = self._mono + wait_s
        self._queue.append(Command("AT", self._answered, CALL_TIMEOUT_S))

    def _answered(self, _reply: Reply) -> None:
        self._step(0)

    def _overdue(self) -> None:
        """It is silent: call it again, and in the end reset it."""
        silent_over = self._talk.current.text if self._talk.current else ""
        self._lost()
        self._silences += 1
        if self._silences % CALLS:
            self._talk.out.append(ESCAPE)
            self._begin(SETTLE_S)
            return
        # Nothing but the kind of command: behind the sign may stand a number or a PIN.
        self._events.append(Trouble("silent", f"no answer to {silent_over.partition('=')[0]}"))
        self._talk.out.append(RESET)
        self._begin(RESET_S)

    def _restarted(self) -> None:
        self._lost()
        self._begin(BOOT_S)

    def _echoed(self) -> None:
        """After ``ATE0`` an echo tells that it restarted without a word: nothing of what was set holds."""
        self._talk.echoes = False
        if self._echo_off:
            self._restarted()

    # Start.

    def _step(self, at: int, form: int = 0) -> None:
        if at == len(STEPS):
            self._ready = True
            self._poll()
            return
        step = STEPS[at]
        self._queue.append(Command(step.forms[form], partial(self._stepped, at, form), step.timeout_s))

    def _stepped(self, at: int, form: int, reply: Reply) -> None:
        step = STEPS[at]
        if step is SIM:
            self._sim(at, reply)
        elif reply.end.ok or (form + 1 == len(step.forms) and not step.needed):
            self._echo_off |= reply.end.ok and step.forms[form] == "ATE0"
            if step.forms[form].startswith("AT+CPMS"):
                self._main_memory = self._memory = step.forms[form].split('"')[1] if reply.end.ok else ""
            self._step(at + 1)
        elif form + 1 < len(step.forms):
            self._step(at, form + 1)
        else:
            self._refused(step.forms[form], reply)

    def _refused(self, command: str, reply: Reply) -> None:
        """Something that it must do: perhaps it is not up yet, so the first refusals count for nothing."""
        self._refusals += 1
        if self._refusals >= READS:
            detail = f"{command}: {named(reply.end.family, reply.end.code)}"
            self._events.append(Trouble("refuses", detail))
        self._begin(5.0)

    def _sim(self, at: int, reply: Reply) -> None:
        told = next((fields(line)[0] for line in reply.lines), "")
        if told == "READY":
            self._events += [Ended(name) for name in _SIM_TROUBLES]
            self._step(at + 1)
        elif told == "SIM PIN":
            self._enter_pin()
        elif told.startswith("SIM PUK") or reply.end.code == PUK_REQUIRED:
            self._no_sim("sim_locked", "it asks for its PUK")
        elif reply.end.code in BROKEN_SIM or told:
            self._no_sim("sim_missing", told or named(reply.end.family, reply.end.code))
        else:
            self._refused("AT+CPIN?", reply)

    def _enter_pin(self) -> None:
        if not self._pin:
            self._no_sim("sim_pin_missing", "it asks for a PIN and none is set")
        elif self._pin_used.refused or self._pin_used.sends >= PIN_SENDS:
            self._no_sim("sim_pin_wrong", "not tried again, so that the SIM is not locked")
        else:
            self._pin_told(PinUsed(self._pin_used.sends + 1, refused=False))
            self._queue.append(Command(f'AT+CPIN="{self._pin}"', self._pin_entered, 20.0))

    def _pin_entered(self, reply: Reply) -> None:
        if reply.end.ok:
            self._pin_told(PinUsed(0, refused=False))
        elif reply.end.code != SIM_BUSY:
            self._pin_told(PinUsed(self._pin_used.sends, refused=True))
        self._begin(BOOT_S)

    def _pin_told(self, used: PinUsed) -> None:
        self._pin_used = used
        self._events.append(used)

    def _no_sim(self, name: str, detail: str) -> None:
        self._events.append(Trouble(name, detail))
        self._begin(_AGAIN_S[name])

    # Ready: a round each minute, and what it says of its own accord.

    def _poll(self) -> None:
        self._poll_at = self._mono + (POLL_LOST_S if self._registered is False else POLL_S)
        self._queue += [Command("AT+CREG?", self._heard_registration), Command("AT+CSQ", self._heard_signal)]
        self._queue += self._select(self._main_memory)
        self._queue += [
            Command("AT+CMGL=4", self._listed, 20.0),
            Command("AT+CPMS?", self._heard_memory, 10.0),
        ]

    def _heard_registration(self, reply: Reply) -> None:
        told = [fields(line) for line in reply.lines]
        # A notice has the state first; in the answer it is the second field, behind the mode of notices.
        states = [each[1] for each in told if len(each) > 1 and len(each[1]) <= 2 and each[1].isdigit()]
        if states:
            self._registration(int(states[-1]))

    def _registration(self, state: int) -> None:
        self._registered = state in _REGISTERED
        if self._registered:
            self._lost_at = None
            self._events.append(Ended("no_registration"))
            return
        if self._lost_at is None:
            self._lost_at = self._mono
        if self._mono - self._lost_at >= REGISTRATION_S:
            self._events.append(Trouble("no_registration", f"CREG {state}"))

    def _heard_signal(self, reply: Reply) -> None:
        rssi = next((number(line, 0) for line in reply.lines), None)
        self._dbm = 2 * rssi - 113 if rssi is not None and 0 <= rssi <= 31 else None

    def _heard_memory(self, reply: Reply) -> None:
        """Say that the memory is full when it was so a round ago too, after everything was deleted."""
        line = next(iter(reply.lines), "")
        used, total = number(line, 1), number(line, 2)
        full = used is not None and total is not None and 0 < total <= used
        if full and self._full:
            self._events.append(Trouble("memory_full", f"{used} of {total}"))
        elif not full:
            self._events.append(Ended("memory_full"))
        self._full = full
        self._silences = self._refusals = 0
        self._events += [
            Ended("silent"),
            Ended("refuses"),
            Polled(self._dbm, registered=self._registered is True),
        ]

    def _listed(self, reply: Reply) -> None:
        if not reply.end.ok:
            self._refused("AT+CMGL=4", reply)
            return
        read = [index for each in reply.stored if (index := self._listed_one(each)) is not None]
        self._queue.extendleft(self._deleting(index) for index in reversed(read))

    def _listed_one(self, stored: Stored) -> int | None:
        index = number(stored.header, 0)
        return index if self._take(stored, f"{self._memory} {index}") else None

    def _read(self, memory: str, index: int) -> None:
        self._queue += self._select(memory)
        self._queue.append(Command(f"AT+CMGR={index}", partial(self._was_read, index), 10.0))

    def _was_read(self, index: int, reply: Reply) -> None:
        # Nothing there: a round was quicker than the notice.
        if reply.stored and self._take(reply.stored[0], f"{self._memory} {index}"):
            # At once, before another text can be stored in the same place.
            self._queue.appendleft(self._deleting(index))

    def _deleting(self, index: int) -> Command:
        return Command(f"AT+CMGD={index}", _nothing, 25.0)  # where it fails, the next round finds it again

    def _select(self, memory: str) -> list[Command]:
        if not memory:
            return []
        return [Command(f'AT+CPMS="{memory}"', partial(self._selected, memory), 10.0)]

    def _selected(self, memory: str, reply: Reply) -> None:
        if reply.end.ok:
            self._memory = memory

    def _said(self, said: Said) -> None:
        start = prefix(said.line)
        if said.pdu:
            self._take(Stored(said.line, said.pdu), "")
        elif start in _STARTS_OVER or said.line in ("+CPIN: NOT READY", "+CPIN: SIM REMOVED"):
            self._restarted()
        elif start in ("+CMTI", "+CDSI") and self._ready:  # before that, all that is stored is listed anyway
            memory, index = fields(said.line)[0], number(said.line, 1)
            if index is not None and index >= 0 and len(memory) == 2 and memory.isalnum():
                self._read(memory, index)
        elif start == "+CREG" and (state := number(said.line, 0)) is not None:
            self._registration(state)
        elif said.line == "+CPIN: READY":
            self._quiet_until = min(self._quiet_until, self._mono + BOOT_S)

    def _take(self, stored: Stored, place: str) -> bool:
        """Read a PDU and tell whether it can be deleted; ``place`` is empty where it was not stored."""
        status = number(stored.header, {"+CMGR": 0, "+CMGL": 1}.get(prefix(stored.header), -2))
        if prefix(stored.header) in ("+CMGR", "+CMGL") and status in (2, 3):
            return False  # written in this SIM by somebody to be sent
        last = not place or self._reads.get(place, 0) + 1 >= READS
        read: Deliver | StatusReport | Unreadable
        try:
            read = read_line(stored.pdu, None if last else number(stored.header, -1))
        except MalformedError as error:
            self._talk.bad.append(str(error))
            if not last:
                self._reads[place] = self._reads.get(place, 0) + 1
                return False
            read = Unreadable(stored.pdu, str(error))
        self._reads.pop(place, None)
        if isinstance(read, StatusReport):
            self._events += self._outbox.report(read)
        else:
            self._events.append(Arrived(read) if isinstance(read, Deliver) else read)
        return True

    # Sending.

    def _sending(self, message: Message) -> Command:
        return Command(
            f"AT+CMGS={message.submit.octets}",
            partial(self._sent, message),
            10.0,
            pdu=message.submit.hex,
            lost=partial(self._not_sent, message, None),
        )

    def _sent(self, message: Message, reply: Reply) -> None:
        reference = next((number(line, 0) for line in reply.lines), None)
        if reply.end.ok and reference is not None:
            self._events += self._outbox.taken(message, reference)
        else:
            self._not_sent(message, reply.end.code if reply.end.family == "CMS" else None)

    def _not_sent(self, message: Message, code: int | None) -> None:
        self._events += self._outbox.refused(message, code, self._mono)


def _nothing(_reply: Reply) -> None:
    """Take an answer that changes nothing."""
