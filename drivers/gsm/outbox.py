"""Texts to send: which message goes next, what the modem said of it, what the network reported.

A text ends as delivered or failed; until a report comes it is sent, which proves nothing. Where the outcome of
a sending is not known the message is sent again: twice is better than never.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from drivers.gsm.codes import CMS_FINAL, Fate, fate, named, status_named
from drivers.gsm.pdu import StatusReport, Submit
from drivers.gsm.split import submits
from hub.domain.errors import MalformedError

# Waits before a message is tried again; then the text has failed.
RETRY_S = (2.0, 5.0, 10.0)
# References are one octet: an older one has certainly been used again.
REFERENCES = 256


class Outgoing(NamedTuple):
    """A text to send.

    Attributes:
        id: The caller's own.
        recipient: ``+`` and digits.
        text: Its letters.
        valid_s: After this it is not worth sending any more, neither by us nor by the service centre.
        leaves_within_s: After this it is given up where the network has not taken it; ``None``: ``valid_s``.
    """

    id: str
    recipient: str
    text: str
    valid_s: float = 3600.0
    leaves_within_s: float | None = None


class SentPart(NamedTuple):
    """A message that the network took: keep it, and give it back after a restart, to know its report."""

    text_id: str
    recipient: str
    number: int
    total: int
    reference: int


class Delivered(NamedTuple):
    """Every part of a text was delivered."""

    text_id: str


class Delayed(NamedTuple):
    """The service centre could not deliver it yet and tries on."""

    text_id: str
    reason: str


class Failed(NamedTuple):
    """A text will not be delivered; ``again`` tells whether the same might work later."""

    text_id: str
    reason: str
    again: bool


Outcome = SentPart | Delivered | Delayed | Failed


class Message(NamedTuple):
    """One message on its way."""

    text: Outgoing
    submit: Submit
    number: int
    total: int


class Outbox:
    """The texts of one modem.

    Args:
        sent: What was sent before a restart, oldest first.
    """

    def __init__(self, sent: Iterable[SentPart] = ()) -> None:
        self._queue: deque[Message] = deque()
        self._ends: dict[str, float] = {}  # monotonic time at which a text is given up, by id
        self._not_before = 0.0
        self._tries = 0
        self._next_reference = 0
        self._sent: list[SentPart] = list(sent)[-REFERENCES:]
        self._arrived: dict[str, set[int]] = {}

    def add(self, text: Outgoing, mono: float) -> list[Outcome]:
        """Take a text to send; one that cannot be sent at all has failed at once."""
        try:
            parts = submits(text.recipient, text.text, self._next_reference, text.valid_s)
        except MalformedError as error:
            return [Failed(text.id, str(error), again=False)]
        self._next_reference = (self._next_reference + 1) % 256
        self._ends[text.id] = mono + (text.valid_s if text.leaves_within_s is None else text.leaves_within_s)
        self._queue += [Message(text, part, at, len(parts)) for at, part in enumerate(parts, start=1)]
        return []

    def next(self, mono: float) -> Message | None:
        """Return the message to send now; it stays first until it was taken or refused."""
        return self._queue[0] if self._queue and mono >= self._not_before else None

    def expire(self, mono: float) -> list[Outcome]:
        """Give up the texts that were not sent in time."""
        late = [text_id for text_id, end in self._ends.items() if mono >= end]
        return [outcome for text_id in late for outcome in self._fail(text_id, "not sent in time", again=True)]

    def taken(self, message: Message, reference: int) -> list[Outcome]:
        """Note that the network took a message under this reference."""
        self._step(message)
        part = SentPart(message.text.id, message.text.recipient, message.number, message.total, reference)
        self._sent = [*self._sent[1 - REFERENCES :], part]
        return [part]

    def refused(self, message: Message, code: int | None, mono: float) -> list[Outcome]:
        """Note ``+CMS ERROR: code``, or that nothing is known of the outcome (``None``)."""
        if code in CMS_FINAL:
            return self._fail(message.text.id, named("CMS", code), again=False)
        if self._tries >= len(RETRY_S):
            return self._fail(message.text.id, named("CMS", code), again=True)
        self._not_before = mono + RETRY_S[self._tries]
        self._tries += 1
        return []

    def report(self, report: StatusReport) -> list[Outcome]:
        """Take a status report; one of a text that is not ours, or that proves nothing, changes nothing."""
        part = next((p for p in reversed(self._sent) if _is_of(report, p)), None)
        if part is None:
            return []
        told = fate(report.status)
        if told is Fate.UNPROVEN:
            return []
        if told is Fate.TRYING:
            return [Delayed(part.text_id, status_named(report.status))]
        if told is Fate.FAILED:
            self._sent = [each for each in self._sent if each.text_id != part.text_id]
            # Parts that still wait would only make half a text.
            self._fail(part.text_id, "", again=True)
            return [Failed(part.text_id, status_named(report.status), again=report.status >= 0x60)]
        self._sent.remove(part)
        arrived = self._arrived.setdefault(part.text_id, set())
        arrived.add(part.number)
        if len(arrived) < part.total:
            return []
        del self._arrived[part.text_id]
        return [Delivered(part.text_id)]

    def _step(self, message: Message) -> None:
        if self._queue and self._queue[0] is message:
            self._queue.popleft()
        self._tries, self._not_before = 0, 0.0
        if all(waiting.text.id != message.text.id for waiting in self._queue):
            self._ends.pop(message.text.id, None)

    def _fail(self, text_id: str, reason: str, *, again: bool) -> list[Outcome]:
        self._queue = deque(waiting for waiting in self._queue if waiting.text.id != text_id)
        self._ends.pop(text_id, None)
        self._arrived.pop(text_id, None)
        self._tries, self._not_before = 0, 0.0
        return [Failed(text_id, reason, again)]


def _is_of(report: StatusReport, part: SentPart) -> bool:
    # Some networks tell the recipient in another form; the last digits must agree.
    digits = report.recipient.lstrip("+")[-8:]
    return report.reference == part.reference and part.recipient.endswith(digits)
