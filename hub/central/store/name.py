"""That no two centres on one PostgreSQL bear one name, by which each knows its own leases.

A centre holds a lock on its name for as long as it lives. The lock is its connection's: who is killed has given it
up at once, and who is lost with its host as soon as PostgreSQL has noticed that nobody answers.
"""

import asyncio
import hashlib
import logging

import sqlalchemy as sa

from hub.central.store.engine import Store, transient
from hub.domain.clock import boottime
from hub.domain.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

# A lost host is given up by PostgreSQL within 11 s (_NOTICE); a centre that ends has some texts to let go first.
WAIT_S = 30.0
_AGAIN_S = 1.0
_LOOK_S = 5.0
# Seconds, seconds, times.
_NOTICE = sa.text(
    "SELECT set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
# Who has it already has it once more.
_TAKE = sa.text("SELECT pg_try_advisory_lock(:key)")


class Name:
    """The name of one centre, and its lock. On SQLite, where there is one centre, there is nothing to lock.

    Args:
        store: The store that the centres share.
        owner: The name.
    """

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._key = int.from_bytes(hashlib.sha256(f"hub.central:{owner}".encode()).digest()[:8], signed=True)
        self._connection: sa.Connection | None = None
        self._others = False

    async def take(self) -> None:
        """Take the name, and wait a while for who may be about to give it up.

        Raises:
            PermanentError: Another centre bears it.
            TransientError: The store could not be reached.
        """
        until = boottime() + WAIT_S
        while not await self._taken():
            if boottime() >= until:
                raise PermanentError(
                    f'a centre with owner "{self._owner}" is running on this store: write for each centre an '
                    '"owner" that no other bears'
                )
            log.warning("a centre with owner %s is running on this store: waiting for its end", self._owner)
            await asyncio.sleep(_AGAIN_S)

    async def keep(self) -> None:
        """Keep the name, and take it again when its connection was lost, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Look once whether the name is still this centre's, and take it again if it can be."""
        try:
            if not await self._taken():
                log.critical("another centre with owner %s has begun: stop one of them", self._owner)
        except TransientError as error:
            log.warning("the name waits: %s", error)

    def unfit(self) -> str | None:
        """Return why this centre cannot be relied on, or ``None``: another has its name."""
        return f"another centre bears the name {self._owner}" if self._others else None

    def close(self) -> None:
        """Give the name up."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    async def _taken(self) -> bool:
        if self._store.is_sqlite:
            return True
        taken = await asyncio.to_thread(self._take)
        self._others = not taken
        return taken

    def _take(self) -> bool:
        try:
            with transient():
                if self._connection is None:
                    self._connection = self._store.connect()
                    self._connection.execute(_NOTICE)
                return bool(self._connection.scalar(_TAKE, {"key": self._key}))
        except TransientError:
            self.close()
            raise
