"""What a link knows of itself, for the log and for the technician."""

import logging
from collections import OrderedDict

log = logging.getLogger(__name__)

MAX_STRANGERS = 64


class Strangers:
    """Devices that are heard and assigned to nobody: the newest, and never many."""

    def __init__(self, limit: int = MAX_STRANGERS) -> None:
        self._limit = limit
        self._seen: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, address: str, detail: str = "") -> None:
        """Note one; the one that was silent longest makes room."""
        self._seen[address] = detail
        self._seen.move_to_end(address)
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)

    def all(self) -> dict[str, str]:
        """Return them by address, the newest last."""
        return dict(self._seen)


class LinkState:
    """Whether a link is up, and what was odd on it.

    Attributes:
        name: The link or device.
        up: It is usable now.
        reason: Why it is not, or empty.
        opened: How often it came up.
        bad: Frames passed over.
        faults: Exceptions of the driver, which has none in theory.
        strangers: Who was heard there and is assigned to nobody.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.up = False
        self.reason = "not opened yet"
        self.opened = 0
        self.bad = 0
        self.faults = 0
        self.strangers = Strangers()

    def went_up(self) -> None:
        """Note and log that the link is usable."""
        self.opened += 1
        self.up, self.reason = True, ""
        log.info("link %s: up", self.name)

    def went_down(self, reason: str) -> None:
        """Note that it is not; a reason that stays the same is logged once."""
        if self.up or reason != self.reason:
            log.warning("link %s: down: %s", self.name, reason)
        self.up, self.reason = False, reason
