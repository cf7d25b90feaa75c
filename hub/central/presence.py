"""Who was heard when. Kept in memory, as every observation touches it, and written every few seconds.

Losing the last seconds of it is harmless: after a restart nobody counts as silent before the centre itself has
listened for as long as that silence.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from hub.central import bulletin
from hub.central.store.tables import devices, hubs
from hub.wire.alive import Alive

News = dict[str, dict[str, Any]]

# It is written every second. A loop that did not come round for longer had no time to read either.
_STILL = dt.timedelta(seconds=5)
# It has read by then what came meanwhile, or noticed that the broker has ended the connection.
WAKING = dt.timedelta(seconds=2)

# What a page shows of a hub or a device besides when it was heard; ages count on by themselves.
_SHOWN = ("online", "pending_alarm", "pending_reading", "evicted", "timequality", "version", "battery_pct")


class Presence:
    """What was heard since it was last written. Used in the event loop only.

    Attributes:
        listening_since: Since when this centre hears both lanes without a break; ``None`` while it is deaf.
        lost: Needs of the incidents that are open for silent hubs and devices, to be cleared when heard.
    """

    def __init__(self) -> None:
        self._hubs: News = {}
        self._devices: News = {}
        self._told: dict[tuple[str, str], dict[str, Any]] = {}
        self.listening_since: dt.datetime | None = None
        self._heard_at: dict[tuple[str, str], dt.datetime] = {}
        self._awake_at: dt.datetime | None = None
        self._woke_at: dt.datetime | None = None
        self.lost: set[str] = set()

    def awake(self, now: dt.datetime) -> None:
        """Note that the loop that writes it has come round."""
        if self._awake_at is not None and now - self._awake_at > _STILL:
            self._woke_at = now
        self._awake_at = now

    def stood_still(self, now: dt.datetime) -> bool:
        """Tell whether this centre was frozen until just now: what came meanwhile may not be read yet."""
        asleep = self._awake_at is not None and now - self._awake_at > _STILL
        return asleep or (self._woke_at is not None and now - self._woke_at < WAKING)

    def heard_at(self, what: str, name: str, written: dt.datetime | None) -> dt.datetime | None:
        """Return when a ``hub`` or ``device`` was heard last: what is written, or what waits to be."""
        here = self._heard_at.get((what, name))
        return max((at for at in (here, written) if at is not None), default=None)

    def heard_hub(self, hub_id: str, at: dt.datetime, alive: Alive | None = None) -> None:
        """Note that a hub was heard, and what it said of itself."""
        news = self._hubs.setdefault(hub_id, {})
        news["last_seen_at"] = self._heard_at["hub", hub_id] = at
        news["online"] = True
        if alive is not None:
            news.update(
                epoch=alive.epoch[:32],
                last_seq=alive.last_seq,
                pending_alarm=alive.pending.alarm,
                pending_reading=alive.pending.reading,
                evicted=alive.evicted,
                timequality=alive.timequality,
                version=alive.version[:32],
            )

    def hub_offline(self, hub_id: str) -> None:
        """Note that the broker has lost a hub."""
        self._hubs.setdefault(hub_id, {})["online"] = False

    def heard_device(
        self, device_id: str, at: dt.datetime, kind: str, battery_pct: int | None, rssi_dbm: int | None
    ) -> None:
        """Note that a device was heard."""
        news = self._devices.setdefault(device_id, {})
        news["last_seen_at"] = self._heard_at["device", device_id] = at
        news["last_kind"] = kind
        if battery_pct is not None:
            news["battery_pct"] = battery_pct
        if rssi_dbm is not None:
            news["rssi_dbm"] = rssi_dbm

    def take(self) -> tuple[News, News]:
        """Hand over what is new of hubs and devices, to be written."""
        taken = self._hubs, self._devices
        self._hubs, self._devices = {}, {}
        return taken

    def give_back(self, taken: tuple[News, News]) -> None:
        """Take back what could not be written, for the next time: perhaps no other centre has heard it."""
        for waiting, news in zip((self._hubs, self._devices), taken, strict=True):
            waiting.update({name: old | waiting.get(name, {}) for name, old in news.items()})

    def visible(self, taken: tuple[News, News], silent: dt.timedelta) -> list[bulletin.News]:
        """Return which hubs and devices have changed for whoever looks at them.

        Args:
            taken: What was handed over.
            silent: A hub that was not heard for this long was shown as silent.
        """
        return [
            bulletin.News(topic, key)
            for topic, news in zip(("hub", "device"), taken, strict=True)
            for key, new in news.items()
            if self._looks_new((topic, key), new, silent)
        ]

    def _looks_new(self, key: tuple[str, str], new: dict[str, Any], silent: dt.timedelta) -> bool:
        before = self._told.get(key, {})
        shown = ("last_seen_at", *_SHOWN)
        after = self._told[key] = before | {name: new[name] for name in shown if name in new}
        heard, last = after.get("last_seen_at"), before.get("last_seen_at")
        if heard is not None and (last is None or (key[0] == "hub" and heard - last >= silent)):
            return True
        return any(after.get(name) != before.get(name) for name in _SHOWN)


def write(connection: sa.Connection, news: tuple[News, News]) -> None:
    """Write what is new; hubs and devices that the site does not know have no row and are passed over."""
    # One statement for all of them: the store's one writer is not to be kept from an alarm for long.
    for statement, columns, of in ((_HUBS, _HUB_COLUMNS, news[0]), (_DEVICES, _DEVICE_COLUMNS, news[1])):
        if of:
            nothing = dict.fromkeys(columns)
            # In one order, so that two centres never wait for each other's rows.
            rows = [{"new_id": key, **nothing, **_renamed(of[key])} for key in sorted(of)]
            connection.execute(statement, rows)


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


def _update(table: sa.Table, key: sa.Column[Any], names: Iterable[str]) -> tuple[sa.Update, list[str]]:
    """Make the statement that changes what there is news of, and leaves the rest as it is."""
    new = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    values: dict[str, sa.ColumnElement[Any]] = {
        name: sa.func.coalesce(value, table.c[name]) for name, value in new.items()
    }
    # What one centre heard is no less true for another that writes later: one that was frozen wakes with old news.
    seen = sa.func.coalesce(new["last_seen_at"], table.c.last_seen_at)
    values["last_seen_at"] = sa.case((table.c.last_seen_at > seen, table.c.last_seen_at), else_=seen)
    if "heard_since" in table.c:
        values["heard_since"] = sa.func.coalesce(table.c.heard_since, new["last_seen_at"])
    return table.update().where(key == sa.bindparam("new_id")).values(values), [f"new_{name}" for name in new]


_HUBS, _HUB_COLUMNS = _update(
    hubs,
    hubs.c.hub_id,
    (
        "last_seen_at",
        "online",
        "epoch",
        "last_seq",
        "pending_alarm",
        "pending_reading",
        "evicted",
        "timequality",
        "version",
    ),
)
_DEVICES, _DEVICE_COLUMNS = _update(
    devices, devices.c.device_id, ("last_seen_at", "last_kind", "battery_pct", "rssi_dbm")
)
