"""What a person tells a device to do: once, soon or not at all, and with its answer kept.

A command is a row. It is published with an expiry and never again: a hub that is away does not find it when it
comes back. What became of it is the hub's observation ``device.answered``; without one, the row says so.
"""

import asyncio
import datetime as dt
import logging

import msgspec
import sqlalchemy as sa

from drivers import registry
from hub.central import clockwork
from hub.central.auth import audit
from hub.central.centre import Centre, Tx
from hub.central.store.tables import commands
from hub.domain.errors import HubError, MalformedError, TransientError
from hub.domain.ids import uuid7
from hub.domain.observation import Scalar
from hub.wire import command, topics
from hub.wire.command import Command
from hub.wire.envelope import Event
from hub.wire.mqtt import MqttLink
from hub.wire.topics import Channel

log = logging.getLogger(__name__)

TELL = "command.tell"
ANSWER = "command.answer"
WAITING, TOLD, DONE, REFUSED, UNANSWERED = "waiting", "told", "done", "refused", "unanswered"
_TOO_LATE = "no centre could send it in time; nothing was done"
# The hub's own patience with a device is 15 s; the rest is for the way there and back.
_ANSWER_WITHIN = dt.timedelta(seconds=command.EXPIRY_S + 15)


def ask(tx: Tx, device_id: str, name: str, arguments: dict[str, Scalar], actor: str) -> str:
    """Let a device be told to do something; return the command's id.

    Raises:
        MalformedError: There is no such device, or its driver has no such command.
    """
    device = tx.site.devices.get(device_id)
    if device is None:
        raise MalformedError(f"device {device_id!r}: the site has none of this name")
    known = registry.package(device.driver).MANIFEST.commands
    if name not in known:
        rows = ", ".join(known) or "none"
        raise MalformedError(f"command {name!r}: {device.driver} has {rows}")
    number = put(tx, device.hub, device_id, name, arguments, actor)
    audit.note(tx.connection, tx.now, actor, f"command.{name}", f"device:{device_id}")
    return number


def put(tx: Tx, hub_id: str, device_id: str, name: str, arguments: dict[str, Scalar], actor: str) -> str:
    """Let a hub be told a command, whatever its devices know; return the command's id."""
    number = str(uuid7(tx.now.utc))
    tx.connection.execute(
        commands.insert().values(
            id=number,
            hub_id=hub_id,
            device_id=device_id,
            name=name,
            arguments=msgspec.json.encode(arguments).decode(),
            asked_by=actor,
            asked_at=tx.now.utc,
            state=WAITING,
            reason="",
        )
    )
    clockwork.schedule(tx, tx.now.utc, TELL, number)
    return number


def answered(tx: Tx, event: Event) -> None:
    """Keep what a hub answered; an answer that comes twice, or late, changes nothing that was said before."""
    value = event.data.value
    if not isinstance(value, dict) or not isinstance(value.get("command"), str) or "\0" in value["command"]:
        return  # it answers no command of ours, and not every database may be asked for a NUL
    tx.connection.execute(
        commands.update()
        .where(
            commands.c.id == value["command"],
            commands.c.hub_id == event.hub_id,
            commands.c.state.in_((WAITING, TOLD, UNANSWERED)),
        )
        .values(
            state=DONE if value.get("ok") is True else REFUSED,
            reason=str(value.get("reason") or "")[:500].replace("\0", "?"),
            answered_at=tx.now.utc,
        )
    )
    clockwork.unschedule(tx, ANSWER, value["command"])


def unanswered(tx: Tx, number: str) -> None:
    """Handle the due row of a command that nobody answered."""
    _settle(tx, number, UNANSWERED, "the hub has not answered; nobody knows whether it was done")


class Commander:
    """Publishes commands that are due.

    Args:
        centre: Whose commands.
        link: Over which hubs are told.
    """

    def __init__(self, centre: Centre, link: MqttLink) -> None:
        self._centre = centre
        self._link = link
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, number: str) -> None:
        """Begin to tell a command; the work of a due ``command.tell``."""
        task = asyncio.create_task(self._run(number), name=f"command-{number}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, number: str) -> None:
        try:
            await self._tell(number)
        except HubError as error:  # the lease of its due row ends, and it is looked at again
            log.warning("command %s: %s", number, error)

    async def _tell(self, number: str) -> None:
        row = await self._centre.store.read(
            lambda connection: connection.execute(sa.select(commands).where(commands.c.id == number)).one_or_none()
        )
        age_s = 0.0 if row is None else (self._centre.clock.now().utc - row.asked_at).total_seconds()
        if row is None or row.state != WAITING or age_s >= command.EXPIRY_S:
            await self._centre.transact(lambda tx: _too_late(tx, number))
            return
        payload = command.encode(
            Command(
                id=row.id,
                device=row.device_id,
                name=row.name,
                args=msgspec.json.decode(row.arguments, type=dict[str, Scalar]),
            )
        )
        # Noted first: a centre that is killed here leaves it unanswered rather than have it done twice.
        asked_at = await self._centre.transact(lambda tx: _told(tx, number))
        if asked_at is None:  # another centre told it while this one stood still
            return
        left_s = command.EXPIRY_S - (self._centre.clock.now().utc - asked_at).total_seconds()
        if left_s <= 0:
            await self._centre.transact(lambda tx: _settle(tx, number, REFUSED, _TOO_LATE))
            return
        try:
            await self._link.publish(
                topics.topic(row.hub_id, Channel.DOWN_COMMAND),
                payload,
                expiry_s=max(1, int(left_s)),
            )
        except TransientError as error:
            log.warning("command %s may not have left: %s", number, error)
        except HubError as error:
            reason = f"not sent: {error}"
            await self._centre.transact(lambda tx: _settle(tx, number, REFUSED, reason))


def _told(tx: Tx, number: str) -> dt.datetime | None:
    """Note that a command is told now; return when it was asked for, ``None`` when it was told already."""
    waiting = commands.update().where(commands.c.id == number, commands.c.state == WAITING)
    asked_at: dt.datetime | None = tx.connection.scalar(waiting.values(state=TOLD).returning(commands.c.asked_at))
    clockwork.unschedule(tx, TELL, number)
    if asked_at is not None:
        clockwork.schedule(tx, tx.now.utc + _ANSWER_WITHIN, ANSWER, number)
    return asked_at


def _too_late(tx: Tx, number: str) -> None:
    clockwork.unschedule(tx, TELL, number)
    waiting = sa.select(commands.c.id).where(commands.c.id == number, commands.c.state == WAITING)
    if tx.connection.scalar(waiting.with_for_update()) is not None:  # else another centre told it
        _settle(tx, number, REFUSED, _TOO_LATE)


def _settle(tx: Tx, number: str, state: str, reason: str) -> None:
    tx.connection.execute(
        commands.update()
        .where(commands.c.id == number, commands.c.state.in_((WAITING, TOLD)))
        .values(state=state, reason=reason, answered_at=tx.now.utc)
    )
    clockwork.unschedule(tx, ANSWER, number)
