"""A small ward to test with: a site, a clock that tests move, a centre on SQLite, and a provider that obeys."""

import asyncio
import datetime as dt
from pathlib import Path

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Centre
from hub.central.incidents import desk
from hub.central.notify.attempts import RECEIPT, SEND
from hub.central.notify.channels.base import Accepted, Capability, Hook, Outgoing, Reply, Told
from hub.central.notify.pipeline import Sender
from hub.central.site.directory import Directory
from hub.central.site.model import Language, Phone, Plan, Resident, Settings, Shift, Site, Step, Zone
from hub.central.store.engine import Store
from hub.central.store.tables import due, messages
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError, TransientError

START = dt.datetime(2026, 11, 21, 20, 0, tzinfo=UTC)  # 21:00 in Oslo
DUTY = "+4700000012"
LEADER = "+4700000022"
STRANGER = "+4700000099"


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.utc = START

    def now(self) -> Now:
        return Now(self.utc, 0.0)

    def move(self, seconds: float) -> None:
        self.utc += dt.timedelta(seconds=seconds)


def make_site(language: Language = "nb") -> Directory:
    shifts = [
        Shift(zone="nord-1", role=role, phone=phone, days="daily", start="00:00", end="24:00")
        for role, phone in (("duty", "p-duty"), ("leader", "p-leader"))
    ]
    plans = tuple(
        Plan(incident_class=cls, steps=(Step(roles=("duty",)), Step(roles=("leader",))))
        for cls in ("care", "technical")
    )
    return Directory(
        Site(
            site=Settings(name="Test", language=language),
            phones=(
                Phone(id="p-duty", number=DUTY, email="duty@centre.example"),
                Phone(id="p-leader", number=LEADER),
            ),
            zones=(Zone(id="nord-1", last_resort="p-leader"),),
            rota=tuple(shifts),
            plans=plans,
            residents=(Resident(id="r-1", zone="nord-1"),),
        ),
        version=1,
    )


def open_centre(folder: Path, clock: HandClock, language: Language = "nb") -> Centre:
    return Centre(Store(f"sqlite:///{folder}/central.db"), clock, make_site(language), "centre-1")


def press(resident: str = "r-1", at: dt.datetime = START, **more: object) -> desk.Finding:
    values: dict[str, object] = {
        "incident_class": "care",
        "kind": Kind.ALARM_PRESSED,
        "severity": 40,
        "need": f"alarm:{resident}",
        "reason": "pressed",
        "zone": "nord-1",
        "occurred_at": at,
        "resident_id": resident,
    }
    return desk.Finding(**(values | more))  # type: ignore[arg-type] # a test's shorthand


async def raised(centre: Centre, resident: str = "r-1", **more: object) -> int:
    return await centre.transact(
        lambda tx: desk.raise_incident(tx, press(resident, centre.clock.now().utc, **more))
    )


async def message_of(centre: Centre, incident: int, number: str | None = None) -> sa.Row[tuple[object, ...]]:
    """The last message about an incident, or the last of them to a number."""
    query = sa.select(messages).where(messages.c.incident_id == incident).order_by(messages.c.id.desc())
    if number is not None:
        query = query.where(messages.c.number == number)
    return await centre.store.read(lambda connection: connection.execute(query.limit(1)).one())


class ObedientProvider:
    """Does what the test says: accepts, fails, or waits."""

    def __init__(self, name: str = "one", channel: str = "sms") -> None:
        self.name = name
        self.channel = channel
        self.capabilities = frozenset({Capability.SMS, Capability.TWO_WAY, Capability.ANSWERS})
        self.sent: list[Outgoing] = []
        self.errors: list[Exception] = []
        self.unreached: set[str] = set()  # numbers with which it fails for now
        self.gate: asyncio.Event | None = None
        self._news = asyncio.Event()

    async def send(self, outgoing: Outgoing) -> Accepted:
        self.sent.append(outgoing)
        self._news.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        if outgoing.number in self.unreached:
            raise TransientError("down")
        return Accepted(f"ref-{len(self.sent)}")

    async def until_sent(self, count: int = 1) -> None:
        """Wait until so many attempts have begun."""
        while len(self.sent) < count:
            self._news.clear()
            await self._news.wait()

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        raise MalformedError(f"{self.name} has no hook {hook.what}")

    def reply(self, _hook: Hook, _told: tuple[Told, ...], text: str) -> Reply:
        return Reply(text.encode())

    async def close(self) -> None:
        pass


async def carry_out(centre: Centre, sender: Sender) -> None:
    """Let a clockwork of its own carry out what a dead centre had leased, until nothing waits to leave."""
    changed = asyncio.Event()
    centre.follow(lambda _effects: changed.set())
    work = clockwork.Clockwork(
        centre,
        dict.fromkeys(("incident.step", RECEIPT), lambda _tx, _subject: None),
        {SEND: lambda subject: sender.start(int(subject))},
    )
    loop = asyncio.create_task(work.run())
    left = sa.select(due.c.id).where(due.c.kind == SEND)
    async with asyncio.timeout(20):
        while await centre.store.read(lambda c: c.execute(left).first()) is not None:
            await changed.wait()
            changed.clear()
    loop.cancel()
    await sender.close()
