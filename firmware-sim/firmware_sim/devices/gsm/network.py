"""The network behind a modem: a service centre that keeps texts until they can be delivered, and reports.

What it can do to a text: deliver its parts in any order, twice or not at all, and say of one that was sent that it
was delivered, is tried again, has failed, or nothing.
"""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from firmware_sim.clock import Clock, utc
from firmware_sim.devices.gsm import pdu
from firmware_sim.errors import Unfit

#: TP-ST of each way a text can end (TS 23.040, 9.2.3.15).
REPORTS = {"delivered": 0x00, "temporary": 0x20, "permanent": 0x49, "expired": 0x46, "congested": 0x60}


class Waiting(NamedTuple):
    """A PDU for the modem; ``report`` tells the two kinds apart."""

    pdu: bytes
    report: bool


class Network:
    """The service centre of one modem.

    Args:
        clock: Tells the time that it stamps.
        news: Called when something waits.
    """

    def __init__(self, clock: Clock, news: Callable[[], None]) -> None:
        self._clock = clock
        self._news = news
        self._reference = 0
        self.waiting: list[Waiting] = []
        self.sent: list[pdu.Submitted] = []
        self.reports = "delivered"
        self._late: list[Waiting] = []

    def text(
        self,
        sender: str,
        text: str,
        *,
        order: str = "straight",
        twice: bool = False,
        without: Sequence[int] = (),
        wide: bool = False,
    ) -> None:
        """Take a text for the modem.

        Raises:
            Unfit: There is no such order.
        """
        self._reference += 1
        parts = pdu.deliver(sender, text, utc(self._clock.wall_s()), self._reference, wide=wide)
        parts = [part for number, part in enumerate(parts, start=1) if number not in without]
        if twice:
            parts = parts * 2
        if order == "reversed":
            parts.reverse()
        elif order == "shuffled":
            random.Random(self._reference).shuffle(parts)
        elif order != "straight":
            raise Unfit(f"'order' is straight, reversed or shuffled, not {order!r}")
        self.waiting += [Waiting(part, report=False) for part in parts]
        self._news()

    def submitted(self, message: pdu.Submitted, reference: int) -> None:
        """Take a text from the modem, and report as it was told to."""
        self.sent.append(message)
        if not message.wants_report or self.reports == "never":
            return
        status = REPORTS.get(self.reports, REPORTS["delivered"])
        made = pdu.report(reference, message.recipient, utc(self._clock.wall_s()), status)
        if self.reports == "late":
            self._late.append(Waiting(made, report=True))
            return
        self.waiting.append(Waiting(made, report=True))
        self._news()

    def late(self) -> None:
        """Let the reports go that were held back."""
        self.waiting += self._late
        self._late.clear()
        self._news()
