"""What is on its way to the centre: sent, and not receipted yet. Pure; time is monotonic seconds."""

from collections.abc import Iterable

import msgspec

from hub.domain.codes import Lane
from hub.edge.journal import Entry
from hub.wire.receipt import Receipt

MAX_BATCH_EVENTS = 200
# A quarter of what the centre takes: on a slow mobile line a batch must not stand in an alarm's way for long.
MAX_BATCH_BYTES = 128 * 1024
# What the broker has not answered yet stands on the line, or the line is dead, which the link notices. It is sent
# again only after so many times the interval: on a slow line, repetitions would pile up before the next alarm.
PATIENCE = 12


class Flight(msgspec.Struct):
    """One entry on its way.

    Attributes:
        entry: The entry.
        sent_mono: When it was last sent.
        journalled: It can be read again from the journal.
        answered: The attempt has ended: the broker has it, or will never have it.
    """

    entry: Entry
    sent_mono: float
    journalled: bool = True
    answered: bool = False

    def due_mono(self, resend_s: float) -> float:
        """Return when it is to be sent again."""
        return self.sent_mono + (resend_s if self.answered else PATIENCE * resend_s)


class LaneState:
    """One lane: how far the journal was read, and what is on its way.

    Args:
        lane: Which.
        window: Entries that may be on their way at a time; a live alarm does not ask for it.

    Attributes:
        epoch: Of the journal that is read.
        cursor: Up to which number it was read.
        begun: How often it was begun to be read.
    """

    def __init__(self, lane: Lane, window: int) -> None:
        self.lane = lane
        self._window = window
        self.epoch = ""
        self.cursor = 0
        self.begun = 0
        self._flights: dict[tuple[str, int], Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def restart(self, epoch: str, now_mono: float) -> None:
        """Start over at the journal's beginning: after a reconnection, or with a new journal."""
        self.epoch = epoch
        self.cursor = 0
        self.begun += 1
        self._flights = {key: item for key, item in self._flights.items() if not item.journalled}
        for item in self._flights.values():
            item.sent_mono, item.answered = now_mono - 1e9, True  # due at once

    def room(self) -> int:
        """How many more entries may be read from the journal and sent."""
        return max(0, self._window - len(self._flights))

    def take_page(self, page: Iterable[Entry], now_mono: float) -> list[Entry]:
        """Take what was read from the journal; return what of it is not on its way yet."""
        fresh = []
        for entry in page:
            self.cursor = max(self.cursor, entry.seq)
            if self._send(entry, now_mono, journalled=True):
                fresh.append(entry)
        return fresh

    def take_live(self, entries: Iterable[Entry], now_mono: float) -> list[Entry]:
        """Take alarms that were accepted just now; the window does not hold them back."""
        return [entry for entry in entries if self._send(entry, now_mono, journalled=entry.epoch == self.epoch)]

    def hold(self, entry: Entry) -> None:
        """Keep an alarm that the journal could not take, until it is receipted."""
        self._flights.setdefault((entry.epoch, entry.seq), Flight(entry, -1e9, journalled=False, answered=True))

    def due(self, now_mono: float, resend_s: float) -> list[Entry]:
        """Return what waited too long for its receipt, and count it as sent again."""
        late = [item for item in self._flights.values() if now_mono >= item.due_mono(resend_s)]
        for item in late:
            item.sent_mono, item.answered = now_mono, False
        return [item.entry for item in late]

    def next_due(self, resend_s: float) -> float | None:
        """Return the monotonic second at which :meth:`due` has something, or ``None``."""
        return min((item.due_mono(resend_s) for item in self._flights.values()), default=None)

    def answered(self, entries: Iterable[Entry], now_mono: float) -> None:
        """Note that an attempt has ended: from here on their receipt is waited for."""
        for entry in entries:
            if item := self._flights.get((entry.epoch, entry.seq)):
                item.sent_mono, item.answered = now_mono, True

    def receipted(self, receipt: Receipt) -> int:
        """Forget what the centre has stored; return how many entries that were."""
        keys = [
            key
            for key in self._flights
            if key[0] == receipt.epoch and any(first <= key[1] <= last for first, last in receipt.stored)
        ]
        for key in keys:
            del self._flights[key]
        return len(keys)

    def _send(self, entry: Entry, now_mono: float, *, journalled: bool) -> bool:
        key = (entry.epoch, entry.seq)
        if key in self._flights:
            return False
        self._flights[key] = Flight(entry, now_mono, journalled)
        return True


def batches(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Divide entries into payloads that are neither too many nor too long."""
    made: list[list[Entry]] = []
    size = 0
    for entry in entries:
        length = len(entry.payload) + 1
        if not made or len(made[-1]) >= MAX_BATCH_EVENTS or size + length > MAX_BATCH_BYTES:
            made.append([])
            size = 0
        made[-1].append(entry)
        size += length
    return made
