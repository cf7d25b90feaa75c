"""The real console on a real port, over a centre whose clock stands still."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

import httpx
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

from hub.central.api.app import create_app
from hub.central.api.hooks import Desk
from hub.central.api.services import Check
from hub.central.auth import accounts, create_user
from hub.central.history import SqlHistory
from hub.central.notify.channels.base import Provider
from hub.central.notify.channels.elks import Elks
from hub.central.notify.channels.elks import Settings as ElksSettings
from hub.central.notify.ways import Ways
from tests.fakes.centre import DeskCentre
from tests.fakes.site import SITE

USER = "kari-test"
PASSWORD = "fjord og fjell 7"
# As strong as in earnest, every test would spend its time here.
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HOOK_SECRET = "0123456789abcdef0123456789abcdef"


class _Server(uvicorn.Server):
    def capture_signals(self) -> contextlib.nullcontext[None]:  # type: ignore[override]  # a context manager too
        return contextlib.nullcontext()


class Console:
    """A running console with one account."""

    def __init__(self, desk: DeskCentre, app: FastAPI, url: str) -> None:
        self.desk = desk
        self.app = app
        self.url = url

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=20)

    @contextlib.asynccontextmanager
    async def signed_in(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client with a session; its changes bear the session's token."""
        async with self.client() as client:
            answer = await client.post("/login", data={"username": USER, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            client.headers["x-csrf-token"] = (await client.get("/api/session")).json()["csrf"]
            yield client


@contextlib.asynccontextmanager
async def open_console(
    folder: Path,
    checks: Mapping[str, Check] | None = None,
    *,
    secure_cookies: bool = False,
    providers: Sequence[Provider] = (),
    document: str = SITE,
) -> AsyncIterator[Console]:
    """Serve a console until the block ends."""
    desk = DeskCentre(f"sqlite:///{folder}/central.db", document=document)
    now = desk.clock.now()
    with mock.patch.object(accounts, "_hasher", _QUICK):
        desk.store.write_now(lambda connection: create_user(connection, USER, PASSWORD, now))
    elks = ElksSettings(username="user", password="word", sender="+4700000001")
    hooks = Desk("http://127.0.0.1", HOOK_SECRET, Ways(providers or [Elks(elks)]))
    app = create_app(
        desk.centre, SqlHistory(desk.store), hooks=hooks, secure_cookies=secure_cookies, checks=checks
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield Console(desk, app, f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            app.state.services.ended.set()
            server.should_exit = True
            await serving
            await hooks.ways.close()
            desk.store.close()
