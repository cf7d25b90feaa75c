"""The centre's 46elks channel and its hooks against the simulated phone network, over real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI

from firmware_sim.clock import SystemClock
from firmware_sim.phone.app import Service
from firmware_sim.phone.model import Behaviour, Phone
from firmware_sim.phone.network import Network
from hub.central import clockwork
from hub.central.api import hooks
from hub.central.centre import Centre
from hub.central.notify.channels.elks import Elks, Settings
from hub.central.notify.outbox import SEND
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.store.tables import audit, incidents, messages, replies
from hub.domain.errors import TransientError
from tests.fakes.ward import DUTY, LEADER, HandClock, open_centre, raised

SECRET = "a-secret-of-the-tests-0123456789"


@contextlib.asynccontextmanager
async def served(app: object, listening: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)  # type: ignore[arg-type] # any ASGI application
    )
    task = asyncio.create_task(server.serve(sockets=[listening]))
    yield
    server.should_exit = True
    await task


def listen() -> tuple[socket.socket, str]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


class Chain:
    """A centre and the phone network, each behind its own port."""

    def __init__(self, centre: Centre, network: Network, sender: Sender, hooks_url: str) -> None:
        self.centre = centre
        self.network = network
        self.sender = sender
        self.hooks_url = hooks_url
        self._changed = asyncio.Event()
        centre.follow(lambda _effects: self._changed.set())

    def states(self, connection: sa.Connection) -> list[tuple[str, str]]:
        query = sa.select(messages.c.number, messages.c.state).order_by(messages.c.id)
        return [(row.number, row.state) for row in connection.execute(query)]

    async def until(self, holds: Callable[[sa.Connection], bool]) -> None:
        """Wait for the commit after which something holds."""
        async with asyncio.timeout(10):
            while True:
                self._changed.clear()
                if await self.centre.store.read(holds):
                    return
                await self._changed.wait()

    async def until_states(self, *states: tuple[str, str]) -> None:
        await self.until(lambda connection: self.states(connection) == list(states))

    async def until_state(self, number: int, state: str) -> None:
        query = sa.select(incidents.c.state).where(incidents.c.id == number)
        await self.until(lambda connection: connection.scalar(query) == state)


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    centre = open_centre(tmp_path, HandClock())
    centre_socket, centre_url = listen()
    phone_socket, phone_url = listen()
    hooks_url = f"{centre_url}/hooks/46elks/{SECRET}"
    network = Network(
        [Phone(DUTY, "duty", Behaviour()), Phone(LEADER, "leader", Behaviour())],
        f"{hooks_url}/inbound",
        "+4700000001",
        SystemClock(),
    )
    service = Service(network, "user", "word")
    elks = Elks(Settings(base_url=phone_url, username="user", password="word", sender="+4700000001"))
    desk = hooks.Desk(centre_url, SECRET, Ways([elks]))
    sender = Sender(centre, desk.ways, desk.address)
    app = FastAPI()
    app.include_router(hooks.router)
    app.state.centre = centre
    app.state.hooks = desk
    async with served(service.app(), phone_socket), served(app, centre_socket):
        yield Chain(centre, network, sender, hooks_url)
        await sender.close()
        await service.close()
        await elks.close()
    centre.store.close()


async def test_from_the_incident_to_the_answer_of_the_nurse(chain: Chain) -> None:
    number = await raised(chain.centre)
    await chain.until_states((DUTY, "delivered"))
    chain.network.reply(DUTY, f"OK {number}")
    await chain.until_state(number, "acknowledged")
    async with asyncio.timeout(5):
        async for message in chain.network.changes():
            if message.direction == "outgoing-reply":
                break
    assert message.message.startswith(f"{number} er din.")
    chain.network.reply(DUTY, "på vei")
    await chain.until_state(number, "on_the_way")


async def test_a_report_that_comes_twice_and_a_message_that_fails(chain: Chain) -> None:
    await chain.network.behave(DUTY, {"fail": True, "duplicate_report": True})
    await chain.network.behave(LEADER, {"duplicate_report": True})
    await raised(chain.centre)
    await chain.until_states((DUTY, "undeliverable"), (LEADER, "delivered"))
    assert len(chain.network.messages) == 2


async def test_a_provider_that_is_busy_is_asked_again(chain: Chain) -> None:
    await chain.network.behave(DUTY, {"refuse_next": 1})
    number = await raised(chain.centre)
    await chain.until_states((DUTY, "queued"))
    await chain.until(lambda c: c.scalar(sa.select(messages.c.attempts)) == 1)
    message_id = await chain.centre.store.read(lambda c: c.scalar(sa.select(messages.c.id)))
    at = await chain.centre.transact(lambda tx: clockwork.scheduled(tx, SEND, str(message_id)))
    assert at is not None
    assert message_id is not None
    await chain.sender.send(message_id)
    await chain.until_states((DUTY, "delivered"))
    assert number


async def post(chain: Chain, path: str, content: bytes | dict[str, str], secret: str = SECRET) -> httpx.Response:
    url = f"{chain.hooks_url.removesuffix(SECRET)}{secret}/{path}"
    async with httpx.AsyncClient(trust_env=False) as client:
        if isinstance(content, dict):
            return await client.post(url, data=content)
        return await client.post(url, content=content)


SMS = {"id": "in-1", "from": DUTY, "to": "+4700000001", "message": "OK", "created": "2026-11-21T20:00:00.741000"}


async def test_a_wrong_secret_is_refused_and_audited_once_a_minute(chain: Chain) -> None:
    for secret in ("wrong", SECRET[:-1], SECRET + "x", "%00", "é"):
        assert (await post(chain, "inbound", SMS, secret)).status_code == 403
    rows = await chain.centre.store.read(lambda c: c.execute(sa.select(audit)).all())
    assert [(row.action, row.detail) for row in rows] == [("hook_refused", "wrong secret")]
    assert await chain.centre.store.read(lambda c: c.execute(sa.select(replies)).all()) == []


async def test_a_secret_that_is_too_short_lets_nobody_in(chain: Chain) -> None:
    app = FastAPI()
    app.include_router(hooks.router)
    app.state.centre = chain.centre
    app.state.hooks = hooks.Desk("http://hub", "", chain.sender.ways)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        for secret in ("", "x"):
            answer = await client.post(f"/hooks/46elks/{secret}/inbound", data=SMS)
            assert answer.status_code in {403, 404}


BAD: list[tuple[str, bytes | dict[str, str], int]] = [
    ("inbound", b"", 400),
    ("inbound", b"\xff\xfe", 400),
    ("inbound", b"a=1&" * 30, 400),
    ("inbound", b"x" * 20_000, 413),
    ("inbound", {**SMS, "id": ""}, 400),
    ("inbound", {**SMS, "from": "+" + "0" * 40}, 400),
    ("inbound", {**SMS, "message": "x" * 3_000}, 400),
    ("inbound", {**SMS, "message": "\0", "created": "soon"}, 200),
    ("delivery", {"id": "s1"}, 400),
    ("delivery", {"id": "s1", "status": "lost"}, 400),
    ("delivery", {"id": "s1", "status": "delivered"}, 404),
    ("delivery?message=4711", {"id": "s1", "status": "delivered"}, 404),
    ("delivery?message=x", {"id": "s1", "status": "delivered"}, 400),
]


async def test_bad_input_gets_a_clear_answer(chain: Chain) -> None:
    for path, content, status in BAD:
        assert (await post(chain, path, content)).status_code == status, (path, content)


async def test_when_the_store_is_away_the_provider_is_asked_to_call_again(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise TransientError("away")

    monkeypatch.setattr(chain.centre, "transact", away)
    assert (await post(chain, "inbound", SMS)).status_code == 503
    answer = await post(chain, "delivery", {"id": "s1", "status": "delivered"})
    assert answer.status_code == 503
