"""``hub devices tell``: let a device do something, and wait for what became of it."""

import time

import sqlalchemy as sa

from hub.central.centre import Effects, Tx
from hub.central.commander import DONE, TOLD, WAITING, ask
from hub.central.commands import Say
from hub.central.commands.stores import opened
from hub.central.site.apply import load_current
from hub.central.store.engine import Store
from hub.central.store.tables import commands
from hub.domain.clock import Now, boottime
from hub.domain.errors import PermanentError
from hub.domain.observation import Scalar

_LOOK_S = 0.2
# The centre's own limit is 45 s; a few more for it to be noted.
_PATIENCE_S = 50.0


def tell(
    device: str, name: str, arguments: dict[str, Scalar], store_url: str, actor: str, now: Now, say: Say
) -> int:
    """Ask the running centre to tell a device; return 0 when the device was told.

    Raises:
        HubError: The device or the command is unknown, or the store cannot be written.
    """

    def work(connection: sa.Connection) -> str:
        site = load_current(connection)
        if site is None:
            raise PermanentError("the store holds no site yet: apply one with `hub site apply SITE.toml`")
        return ask(Tx(connection, site, now, actor, Effects()), device, name, arguments, actor)

    with opened(store_url, make=False) as store:
        number = store.write_now(work)
        say(f"{name} for {device}: asked, waiting for the hub")
        state, reason = _outcome(store, number)
    if state == WAITING:
        reason = "no running centre has taken it; is `hub central` running on this store?"
    say(f"{name} for {device}: {state}" + (f": {reason}" if reason else ""))
    return 0 if state == DONE else 1


def _outcome(store: Store, number: str) -> tuple[str, str]:
    query = sa.select(commands.c.state, commands.c.reason).where(commands.c.id == number)
    until = boottime() + _PATIENCE_S
    while True:
        state, reason = store.read_now(lambda connection: connection.execute(query).one())
        if state not in (WAITING, TOLD) or boottime() > until:
            return state, reason
        time.sleep(_LOOK_S)
