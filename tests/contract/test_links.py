"""Links in texts: what opens one leaves with the text, and stands nowhere else."""

import asyncio
import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import sqlalchemy as sa

from hub.central.incidents import desk as incident_desk
from hub.central.incidents.lifecycle import Event
from hub.central.links import service
from hub.central.links.tokens import digest
from hub.central.notify import pipeline, replies
from hub.central.notify.channels import http
from hub.central.notify.channels.base import Inbound
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.store import tables
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.centre import DeskCentre
from tests.fakes.site import DUTY, LINKED
from tests.fakes.ward import ObedientProvider

MESSAGE = 1
OURS = "+4700000001"
LINK = re.compile(r"https://hub\.example/l/([A-Za-z0-9_-]{22}) Svar OK 1\.$")
# Whatever is long enough, wherever it begins.
WORD = re.compile(r"(?=([A-Za-z0-9_-]{22}))")


@pytest.fixture
async def linked(desk: DeskCentre) -> DeskCentre:
    """A centre whose alerts carry links, and which has queued one."""
    desk.centre.site = Directory(load(LINKED), desk.centre.site.version)
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    return desk


def sending(desk: DeskCentre, *providers: ObedientProvider) -> Sender:
    return Sender(desk.centre, Ways(providers), lambda _name: "http://127.0.0.1/hooks")


def tokens_in(texts: Iterable[object]) -> set[str]:
    """Return all that might be a token."""
    return {found[1] for text in texts for found in WORD.finditer(str(text))}


async def openers(desk: DeskCentre) -> set[str]:
    """Return what stands anywhere in the store and opens a link."""

    def read(connection: sa.Connection) -> set[str]:
        rows = [row for table in tables.metadata.sorted_tables for row in connection.execute(sa.select(table))]
        hashes = set(connection.scalars(sa.select(tables.links.c.token_hash)))
        return {token for token in tokens_in(v for row in rows for v in row) if digest(token) in hashes}

    return await desk.store.read(read)


def token_in(text: str) -> str:
    found = LINK.search(text)
    assert found, text
    return found[1]


async def opened(desk: DeskCentre, token: str) -> int | None:
    """Return which incident a token opens."""
    now = desk.clock.now().utc
    link = await desk.store.read(lambda connection: service.find(connection, token, now))
    return None if link is None else link.incident_id


async def test_no_column_of_any_table_holds_what_opens_a_link(linked: DeskCentre) -> None:
    provider = ObedientProvider()
    assert await openers(linked) == set()
    await sending(linked, provider).send(MESSAGE)
    token = token_in(provider.sent[0].text)
    assert await opened(linked, token) == 1
    (row,) = await linked.rows(tables.links)
    assert (row.incident_id, row.phone, row.token_hash) == (1, "nord-1-duty", digest(token))
    assert row.expires_at - row.created_at == dt.timedelta(hours=24)
    assert await openers(linked) == set()
    assert not LINK.search((await linked.rows(tables.messages))[0].text)


async def test_the_next_providers_text_opens_too(linked: DeskCentre) -> None:
    first, second = ObedientProvider("one"), ObedientProvider("two")
    first.errors = [TransientError("no answer")]
    sender = sending(linked, first, second)
    await sender.send(MESSAGE)
    await sender.close()
    texts = [outgoing.text for provider in (first, second) for outgoing in provider.sent]
    found = [token_in(text) for text in texts]
    # The first one may have it all the same.
    assert [await opened(linked, token) for token in found] == [1, 1]
    assert len(set(found)) == 2
    assert await openers(linked) == set()


@pytest.mark.parametrize("escaped", ["/", "\\/", "%2F"])
async def test_what_repeats_our_text_brings_no_token_into_the_store(linked: DeskCentre, escaped: str) -> None:
    class Quoting(ObedientProvider):
        async def send(self, outgoing: Any) -> Any:
            said = f"not taken: {outgoing.text[-60:]}".replace("/", escaped)
            self.errors = [TransientError(http.masked(said))]
            return await super().send(outgoing)

    provider = Quoting()
    await sending(linked, provider).send(MESSAGE)
    text = provider.sent[0].text
    assert await opened(linked, token_in(text)) == 1
    quoted = text.replace("/", escaped)
    echo = Inbound(provider="one", provider_ref="r", sender=DUTY, recipient=OURS, text=quoted, at=linked.clock.at)
    await linked.centre.transact(lambda tx: replies.receive(tx, echo))
    assert (await linked.rows(tables.replies))[0].text.startswith(quoted[:20])
    assert await openers(linked) == set()


async def test_who_takes_it_while_the_token_is_made_is_not_rung_up(
    linked: DeskCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    transact = linked.centre.transact

    async def overtaken(work: Callable[..., Any], *, urgent: bool = False) -> Any:
        done = await transact(work, urgent=urgent)
        if await linked.rows(tables.links):
            monkeypatch.setattr(linked.centre, "transact", transact)
            await transact(lambda tx: incident_desk.act(tx, 1, Event.ACKNOWLEDGE, "user:test"))
        return done

    monkeypatch.setattr(linked.centre, "transact", overtaken)
    provider = ObedientProvider()
    await sending(linked, provider).send(MESSAGE)
    assert (len(await linked.rows(tables.links)), provider.sent) == (1, [])


@pytest.mark.parametrize("trouble", ["full", "hangs"])
async def test_an_alarm_does_not_wait_for_its_link(
    linked: DeskCentre, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    transact = linked.centre.transact

    async def troubled(_work: Callable[..., Any], *, urgent: bool = False) -> Any:
        del urgent
        monkeypatch.setattr(linked.centre, "transact", transact)
        if trouble == "full":
            raise TransientError("store: database or disk is full")
        await asyncio.Event().wait()

    monkeypatch.setattr(linked.centre, "transact", troubled)
    monkeypatch.setattr(pipeline, "_LINK_S", 0.05)
    provider = ObedientProvider()
    async with asyncio.timeout(8):
        await sending(linked, provider).send(MESSAGE)
    (outgoing,) = provider.sent
    queued = (await linked.rows(tables.messages))[0].text
    assert outgoing.text == re.sub(r"https.*Svar", "Svar", queued)
    assert outgoing.text.endswith(". Svar OK 1.")
