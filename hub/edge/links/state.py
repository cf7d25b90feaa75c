"""What a link knows of itself, for the log and for the technician."""

import logging
from collections import OrderedDict

log = logging.getLogger(__name__)

MAX_STRANGERS = 64
# Receivers of small hubs end near -95 dBm; below this, adverts are lost and connections break.
WEAK_DBM = -90
# Told as good again only when it is so by this much, for it swings.
_SWING_DB = 5


def weakness(rssi_dbm: int | None) -> str:
    """Return the end of a sentence on a link whose signal is weak, else nothing."""
    return f"; weak signal, {rssi_dbm} dBm" if rssi_dbm is not None and rssi_dbm < WEAK_DBM else ""


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
        reason: Why it is not, or what is wrong with it; else empty.
        opened: How often it came up.
        bad: Frames passed over.
        faults: Exceptions of the driver, which has none in theory.
        strangers: Who was heard there and is assigned to nobody.
        rssi_dbm: How strongly its device was heard last.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.up = False
        self.reason = "not opened yet"
        self.opened = 0
        self.bad = 0
        self.faults = 0
        self.strangers = Strangers()
        self.rssi_dbm: int | None = None
        self._weak = False

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

    def heard(self, rssi_dbm: int | None) -> None:
        """Note how strong the signal is; that it is weak is logged once."""
        self.rssi_dbm = rssi_dbm
        if rssi_dbm is None:
            return
        if not self._weak and rssi_dbm < WEAK_DBM:
            self._weak = True
            log.warning("link %s: weak signal, %d dBm: bring hub and device nearer", self.name, rssi_dbm)
        elif self._weak and rssi_dbm >= WEAK_DBM + _SWING_DB:
            self._weak = False
            log.info("link %s: signal is good again, %d dBm", self.name, rssi_dbm)
