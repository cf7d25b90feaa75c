"""A centre with two providers of texts, and what their phones and they themselves tell it."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Centre
from hub.central.notify import receipts
from hub.central.notify.channels.base import Inbound, Keyed, ReceiptStatus, Report
from hub.central.notify.keys import pressed
from hub.central.notify.outbox import RECEIPT
from hub.central.notify.pipeline import Sender
from hub.central.notify.replies import receive
from hub.central.notify.ways import Ways
from hub.central.store.tables import attempts, incidents, messages
from tests.fakes.ward import DUTY, START, ObedientProvider


class Town:
    """A centre with two providers of texts."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.one, self.two = ObedientProvider("one"), ObedientProvider("two")
        self.ways = Ways([self.one, self.two])
        self.sender = Sender(centre, self.ways, lambda provider: f"http://127.0.0.1/hooks/{provider}/secret")

    async def rows(self, message_id: int | None = None) -> list[tuple[str | None, str]]:
        query = sa.select(attempts.c.provider, attempts.c.state).order_by(attempts.c.id)
        if message_id is not None:
            query = query.where(attempts.c.message_id == message_id)
        return [(row.provider, row.state) for row in await self._all(query)]

    async def states(self) -> list[tuple[str, str]]:
        query = sa.select(messages.c.phone, messages.c.state).order_by(messages.c.id)
        return [(row.phone, row.state) for row in await self._all(query)]

    async def _all(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        return list(await self.centre.store.read(lambda c: c.execute(query).all()))

    async def due(self, kind: str, message_id: int) -> dt.datetime | None:
        return await self.centre.transact(lambda tx: clockwork.scheduled(tx, kind, str(message_id)))

    async def report(self, provider: ObedientProvider, ref: str, status: ReceiptStatus, message_id: int) -> None:
        told = Report(provider_ref=ref, status=status, at=START, message_id=message_id)
        await self.centre.transact(lambda tx: receipts.reported(tx, provider, told, self.ways))

    async def silent(self, message_id: int) -> None:
        """No receipt came in time."""
        await self.centre.transact(lambda tx: clockwork.unschedule(tx, RECEIPT, str(message_id)))
        await self.centre.transact(lambda tx: receipts.overdue(tx, message_id, self.ways))

    async def key(self, digits: str, message_id: int, ref: str = "ref-1") -> str:
        keyed = Keyed(provider_ref=ref, message_id=message_id, digits=digits)
        return await self.centre.transact(lambda tx: pressed(tx, self.one, keyed))

    async def text(self, words: str, sender: str = DUTY) -> str:
        inbound = Inbound(
            provider="one",
            provider_ref=words,
            sender=sender,
            recipient="",
            text=words,
            at=self.centre.clock.now().utc,
        )
        return await self.centre.transact(lambda tx: receive(tx, inbound))

    async def incident(self, number: int) -> tuple[str, str | None]:
        row = (await self._all(sa.select(incidents).where(incidents.c.id == number)))[0]
        return row.state, row.taken_by
