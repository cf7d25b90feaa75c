"""Keeps a running centre at the site that was applied last, and tells the hubs what concerns them."""

import asyncio
import logging

from hub.central import dose, shifts
from hub.central.centre import Centre, Effects, Tx
from hub.central.escalation import limits
from hub.central.site.apply import CHANGED, load_current, newest_version
from hub.central.site.directory import Directory
from hub.central.site.hub_config import hub_config
from hub.central.supervision import Supervision
from hub.domain.errors import HubError, TransientError
from hub.wire import config, topics
from hub.wire.mqtt import MqttLink
from hub.wire.topics import Channel

log = logging.getLogger(__name__)

_RETRY_S = 2.0
# Other centres, and commands, do things to the site that this one is not told of.
_LOOK_S = 1.0


class SiteKeeper:
    """Takes up a new site without a restart.

    Args:
        centre: Whose site it is.
        supervision: Gives new hubs and devices their deadlines.
        link: Over which hubs are told.
        connected: Set when that link is connected anew; the broker may have forgotten what it retained.
    """

    def __init__(self, centre: Centre, supervision: Supervision, link: MqttLink, connected: asyncio.Event) -> None:
        self._centre = centre
        self._supervision = supervision
        self._link = link
        self._tell = connected
        self._next: Directory | None = None
        centre.follow(self._follow)

    def changed(self, tx: Tx, _subject: str) -> None:
        """Handle the due row that an applied site leaves behind."""
        directory = load_current(tx.connection)
        if directory is None:
            return
        tx.site = directory
        self.arm(tx)
        self._next = directory
        tx.effects.site_changed = True

    def arm(self, tx: Tx) -> None:
        """Give everything in the site its next deadline."""
        self._supervision.arm(tx)
        dose.arm(tx)
        shifts.arm(tx)
        limits.arm(tx)

    async def watch(self) -> None:
        """Take up what another centre did with the site and with silences, until cancelled."""
        while True:
            try:
                await self.look()
            except TransientError as error:
                log.warning("a new site is looked for later: %s", error)
            except HubError:
                log.exception("the newest site cannot be taken up; version %d goes on", self._centre.site.version)
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Look once: the row that an applied site leaves is done by one centre, and wakes no other."""
        await self._centre.transact(self._look)

    def _look(self, tx: Tx) -> None:
        self._supervision.refresh(tx)
        if (newest_version(tx.connection) or 0) > tx.site.version:
            self.changed(tx, CHANGED)

    def _follow(self, effects: Effects) -> None:
        if effects.site_changed and self._next is not None:
            self._centre.site = self._next
            log.info("site version %d holds now", self._centre.site.version)
            self._tell.set()

    async def run(self) -> None:
        """Tell all hubs their configuration whenever it may be news to them, until cancelled."""
        while True:
            await self._tell.wait()
            self._tell.clear()
            if not self._centre.store.is_sqlite and not await self._is_newest():
                continue
            site = self._centre.site
            for hub_id in site.hubs:
                payload = config.encode(hub_config(site, hub_id))
                try:
                    await self._link.publish(topics.topic(hub_id, Channel.DOWN_CONFIG), payload, retain=True)
                except TransientError as error:
                    log.warning("hub %s not told its configuration yet: %s", hub_id, error)
                    await asyncio.sleep(_RETRY_S)
                    self._tell.set()
                    break
                except HubError as error:
                    log.error("hub %s cannot be told its configuration: %s", hub_id, error)  # noqa: TRY400 - the sentence says it all

    async def _is_newest(self) -> bool:
        """Look before the hubs are told: a centre that was frozen would leave an old configuration behind."""
        try:
            await self.look()
        except TransientError as error:
            log.warning("hubs not told their configuration yet: %s", error)
            await asyncio.sleep(_RETRY_S)
            self._tell.set()
            return False
        return True
