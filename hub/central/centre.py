"""The centre's one door: a transaction that knows the site and the time, and what must follow its commit."""

import datetime as dt
import logging
from collections.abc import Callable
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from hub.central.bulletin import Bulletin, News
from hub.central.site.directory import Directory
from hub.central.store.engine import Store
from hub.domain.clock import Clock, Now

log = logging.getLogger(__name__)
T = TypeVar("T")


class Effects(msgspec.Struct):
    """What follows a commit, and only a commit.

    Attributes:
        news: What changed, for whoever watches.
        outgoing: Messages that this process has already leased and sends at once.
        wake_at: When the earliest of the due rows is due that were put into the list, or ``None``.
        site_changed: A new site was applied.
    """

    news: list[News] = msgspec.field(default_factory=list)
    outgoing: list[int] = msgspec.field(default_factory=list)
    wake_at: dt.datetime | None = None
    site_changed: bool = False


class Tx(msgspec.Struct):
    """One transaction of the centre.

    Attributes:
        connection: On which it runs.
        site: The site as it stands.
        now: This moment; all that the transaction writes bears this time.
        owner: Name of this centre, for leases.
        effects: What follows the commit.
    """

    connection: sa.Connection
    site: Directory
    now: Now
    owner: str
    effects: Effects


class Centre:
    """Store, clock and site of one running centre.

    Args:
        store: The SQL store.
        clock: A clock that does not jump (:class:`hub.domain.clock.SteadyClock`).
        site: The site that was applied last.
        owner: Name of this centre; the same after a restart, so that it takes up its own leases.
    """

    def __init__(self, store: Store, clock: Clock, site: Directory, owner: str) -> None:
        self.store = store
        self.clock = clock
        self.site = site
        self.owner = owner
        self.bulletin = Bulletin()
        self._followers: list[Callable[[Effects], None]] = []

    def follow(self, follower: Callable[[Effects], None]) -> None:
        """Call ``follower`` with the effects of every commit, in the event loop."""
        self._followers.append(follower)

    async def transact(self, work: Callable[[Tx], T], *, urgent: bool = False) -> T:
        """Run ``work`` in one transaction; when it is committed, let its effects follow.

        Args:
            work: What to do; it may be begun anew.
            urgent: It goes before what is not.

        Raises:
            TransientError: The store could not be reached; nothing was kept and nothing follows.
            HubError: What ``work`` raised; nothing was kept.
        """
        effects = Effects()

        def run(connection: sa.Connection) -> T:
            nonlocal effects
            effects = Effects()  # of this try alone
            return work(Tx(connection, self.site, self.clock.now(), self.owner, effects))

        result = await self.store.write(run, urgent=urgent)
        self.committed(effects)
        return result

    def committed(self, effects: Effects) -> None:
        """Let the effects of a commit follow; for :meth:`transact`, and for who writes over another door."""
        for news in effects.news:
            self.bulletin.announce(news)
        for follower in self._followers:
            follower(effects)
