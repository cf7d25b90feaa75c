"""A centre without a process: a store, a clock that stands still, and helpers to do what time would do."""

import datetime as dt
from collections.abc import Iterable
from functools import partial
from typing import Any

import sqlalchemy as sa

from hub.central import commander, dose, ingest, shifts
from hub.central.auditor import phones_unreachable
from hub.central.centre import Centre, Tx
from hub.central.clockwork import Clockwork
from hub.central.commissioning import mode, route
from hub.central.commissioning.untaken import untaken
from hub.central.escalation import engine, limits
from hub.central.ingest import Parcel
from hub.central.maintenance import holding
from hub.central.maintenance import service as maintenance
from hub.central.notify import outbox
from hub.central.presence import Presence
from hub.central.site.apply import apply, load_current
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.store.engine import Store
from hub.central.store.tables import due, incident_events, incidents, messages
from hub.central.supervision import DEAF, DEVICE, HUB, Supervision
from hub.domain.clock import TimeQuality
from hub.domain.codes import Kind
from hub.domain.observation import Value
from hub.wire.envelope import Data, Event
from rules.loader import standard
from tests.fakes.clock import FakeClock
from tests.fakes.site import SITE

RULES = standard()


class DeskCentre:
    """A centre whose clock a test moves; messages are written and not sent."""

    def __init__(
        self, url: str, clock: FakeClock | None = None, owner: str = "centre", document: str = SITE
    ) -> None:
        self.clock = clock or FakeClock()
        self.store = Store(url)
        if self.store.read_now(load_current) is None:
            now = self.clock.now()
            self.store.write_now(lambda connection: apply(connection, document, load(document), now, "test"))
        directory = self.store.read_now(load_current)
        assert directory is not None
        self.centre = Centre(self.store, self.clock, directory, owner)
        self.presence = Presence()
        self.presence.listening_since = self.clock.now().utc
        self.supervision = Supervision(self.presence)
        self.carried: list[int] = []
        self.commands_told: list[str] = []
        self.clockwork = Clockwork(
            self.centre,
            {
                engine.STEP: engine.step_due,
                engine.DEADLINE: engine.deadline_due,
                limits.LIMIT: limits.passed,
                holding.END: maintenance.over,
                outbox.RECEIPT: lambda tx, subject: engine.no_receipt(tx, int(subject)),
                dose.WINDOW: dose.window_ended,
                HUB: self.supervision.hub_due,
                DEVICE: self.supervision.device_due,
                DEAF: self.supervision.deaf_due,
                engine.UNREACHABLE: phones_unreachable,
                mode.END: mode.over,
                route.UNTAKEN: partial(untaken, rules=RULES),
                **shifts.HANDLERS,
                "site.changed": lambda _tx, _subject: None,
                commander.ANSWER: commander.unanswered,
            },
            {
                outbox.SEND: lambda subject: self.carried.append(int(subject)),
                commander.TELL: self.commands_told.append,
            },
        )
        self._seq = 0

    async def arm(self) -> None:
        def work(tx: Tx) -> None:
            self.supervision.arm(tx)
            dose.arm(tx)
            shifts.arm(tx)

        await self.centre.transact(work)

    def move_in(self, document: str) -> None:
        """Let the centre have another site from now on."""
        self.centre.site = Directory(load(document), self.centre.site.version + 1)

    async def keep(self, *events: Event, topic: str = "wt/1/h-1/up/alarm") -> None:
        parcel = Parcel(topic, events[0].hub_id, list(events), [])
        await self.centre.transact(lambda tx: ingest.keep(tx, [parcel], RULES))

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and do what becomes due, in order."""
        end = self.clock.at + dt.timedelta(seconds=seconds)
        while True:
            following = await self.store.read(
                lambda connection: connection.scalar(
                    sa.select(due.c.at)
                    .where(due.c.at <= end, due.c.kind != outbox.SEND)
                    .order_by(due.c.at)
                    .limit(1)
                )
            )
            if following is None:
                break
            if following > self.clock.at:
                self.clock.go_on((following - self.clock.at).total_seconds())
            await self.clockwork._round()
        self.clock.go_on((end - self.clock.at).total_seconds())

    def event(
        self,
        device: str,
        kind: Kind,
        *,
        value: Value = None,
        at: dt.datetime | None = None,
        seq: int | None = None,
        quality: TimeQuality = TimeQuality.SYNCED,
        test: bool = False,
        flags: tuple[str, ...] = (),
        hub: str = "h-1",
        epoch: str = "aabbccdd",
    ) -> Event:
        self._seq += 1
        number = self._seq if seq is None else seq
        return Event(
            id=f"0193-{epoch}-{number}",
            source=f"urn:hub:{hub}",
            subject=device,
            time=at or self.clock.at,
            timequality=quality,
            epoch=epoch,
            seq=number,
            data=Data(kind=kind, value=value, test=test, flags=flags),
        )

    async def rows(self, table: sa.Table, *where: Any) -> list[Any]:
        return list(
            await self.store.read(lambda connection: connection.execute(sa.select(table).where(*where)).all())
        )

    async def incidents(self) -> list[Any]:
        return sorted(await self.rows(incidents), key=lambda row: row.id)

    async def told(self, number: int) -> list[str]:
        """Return the numbers that were told of an incident, in order."""
        rows = await self.rows(messages, messages.c.incident_id == number)
        return [row.number for row in sorted(rows, key=lambda row: row.id)]

    async def story(self, number: int) -> list[str]:
        """Return the names of what happened to an incident, in order."""
        rows = await self.rows(incident_events, incident_events.c.incident_id == number)
        return [row.event for row in sorted(rows, key=lambda row: row.id)]

    async def next_action(self, number: int) -> Any:
        rows = await self.rows(due, due.c.subject == str(number), due.c.kind.in_([engine.STEP, engine.DEADLINE]))
        assert len(rows) <= 1
        return rows[0] if rows else None


def numbers(rows: Iterable[Any]) -> list[int]:
    return [row.id for row in rows]
