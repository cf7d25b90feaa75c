"""How far the time of a store has come, so that a restart does not take it back.

On SQLite each process has a clock of its own, which believes the machine's when it begins. The mark is written by
the auditor with every look: the latest instant, and for this boot the distance between instants and monotonic
seconds, which also counts the time that the centre was down. Beside it stands since when the auditor has looked
without a break: a centre that dies and begins again and again is not new each time.
"""

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from hub.central.store import sql
from hub.central.store.tables import cursors
from hub.domain.clock import UTC, Now, SteadyClock, boot_id, boottime, kernel_says_synced, wall_time

_LOOKED, _AWAKE, _BOOT = "looked:", "awake:", "boot:"
_NAME_MOST = 64


def keep(
    connection: sa.Connection,
    owner: str,
    now: Now,
    boot: str | None = None,
    *,
    awake: dt.datetime | None = None,
) -> None:
    """Write the mark.

    Args:
        connection: A writer's.
        owner: Of which centre.
        now: This moment.
        boot: The boot that ``now.mono`` belongs to; ``None`` is this one, empty is unknown.
        awake: Since when the auditor has looked without a break; ``None`` leaves that as it is.
    """
    marks = {_LOOKED + owner: int(now.utc.timestamp())}
    if awake is not None:
        marks[_AWAKE + owner] = int(awake.timestamp())
    this = boot_id() if boot is None else boot
    if this and connection.dialect.name == "sqlite":  # elsewhere the instants are not of this machine's clock
        marks[_BOOT + this] = round((now.utc.timestamp() - now.mono) * 1e6)
        of_boots = cursors.c.name.startswith(_BOOT, autoescape=True)
        connection.execute(cursors.delete().where(of_boots, cursors.c.name != _BOOT + this))
    insert = sql.insert(connection, cursors)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["name"], set_={"position": insert.excluded.position}),
        [{"name": name[:_NAME_MOST], "position": position} for name, position in marks.items()],
    )


def latest(connection: sa.Connection, mono: float, boot: str) -> float | None:
    """Return the Unix time that has certainly come, as far as the store knows; ``None``: it knows of none.

    Args:
        connection: A reader's.
        mono: Monotonic seconds now.
        boot: The boot that they belong to; empty is unknown.
    """
    looked = cursors.c.name.startswith(_LOOKED, autoescape=True)
    known: int | None = connection.scalar(sa.select(sa.func.max(cursors.c.position)).where(looked))
    counted: int | None = connection.scalar(
        sa.select(cursors.c.position).where(cursors.c.name == _BOOT + boot, sa.literal(boot) != "")
    )
    # Within one boot nothing but monotonic time passed, whatever the clock was set to.
    return known if counted is None else mono + counted / 1e6


def awake(connection: sa.Connection, owner: str, now: dt.datetime, pause: dt.timedelta) -> dt.datetime:
    """Return since when a centre's auditor has looked without a break, ``now`` when there was one.

    Args:
        connection: A reader's.
        owner: Of which centre.
        now: This moment.
        pause: Down for so long at most, it has gone on.
    """
    query = sa.select(cursors.c.position)
    names = ((prefix + owner)[:_NAME_MOST] for prefix in (_LOOKED, _AWAKE))
    looked, since = (connection.scalar(query.where(cursors.c.name == name)) for name in names)
    if looked is None or since is None:
        return now
    down = now - dt.datetime.fromtimestamp(looked, UTC)
    # A clock that was put right meanwhile has left it in the future.
    return min(dt.datetime.fromtimestamp(since, UTC), now) if dt.timedelta(0) <= down <= pause else now


def begin(
    connection: sa.Connection,
    *,
    wall: Callable[[], float] = wall_time,
    mono: Callable[[], float] = boottime,
    synced: Callable[[], bool] = kernel_says_synced,
    boot: str | None = None,
) -> SteadyClock:
    """Return a clock that does not begin before the mark."""
    since = latest(connection, mono(), boot_id() if boot is None else boot)
    return SteadyClock(wall, mono, since=since, synced=synced)
