"""Broker, provider, centre and edge in a temporary folder, started for one measurement and ended after it."""

import asyncio
import contextlib
import secrets
import shutil
import socket
import sqlite3
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.bench.child import HUB, LOAD, Child
from hub.bench.line import Line
from hub.bench.load import Job
from hub.bench.provider import Provider
from hub.bench.site import EDGE_HUB, site_toml
from hub.domain.errors import MalformedError, PermanentError

_READY_WITHIN_S = 30.0

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
set_tcp_nodelay true
log_type error
"""

_CENTRE = """\
store = "{store}"
hook_secret = "{secret}"

[mqtt]
client_id = "centre"
port = {broker}

[http]
port = {http}
public_url = "http://127.0.0.1:{http}"

[[providers]]
kind = "46elks"
base_url = "http://127.0.0.1:{provider}"
username = "bench"
password = "bench"
sender = "+4700000000"
"""

_EDGE = """\
hub_id = "{hub}"
data_dir = "{data}"

[mqtt]
port = {broker}

[ble]
backend = "{ble}"
"""


class Stage:
    """The chain, for as long as the ``async with`` lasts.

    Args:
        pendants: How many pendants the edge's line has.
    """

    def __init__(self, pendants: int = 1) -> None:
        self._mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if self._mosquitto is None:
            raise PermanentError("mosquitto is not installed, and is measured with: apt-get install mosquitto")
        self.folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
        self._pendants = pendants
        self._http = free_port()
        self._children: list[Child] = []
        self.broker_port = free_port()
        self.store_path = self.folder / "central.db"
        self.edge_data = self.folder / "edge"
        self.provider = Provider()
        self.line = Line(self.folder / "tty")

    async def __aenter__(self) -> Self:
        """Start the broker, the provider and the centre."""
        try:
            await self.provider.start()
            await self._start_broker()
            self.centre = await self._start_centre()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything, last things first, and leave nothing behind."""
        await self._stop()

    async def start_edge(self, ble: str = "none") -> Child:
        """Start the edge; it may not have heard its configuration yet."""
        settings = self.folder / "edge.toml"
        settings.write_text(
            _EDGE.format(hub=EDGE_HUB, data=self.edge_data, broker=self.broker_port, ble=ble), "utf-8"
        )
        return await self._start("edge", [*HUB, "edge", "--settings", str(settings)])

    async def start_load(self, job: Job) -> Child:
        """Start the load generator; :func:`hub.bench.load.outcome` reads what it found."""
        return await self._start("load", [*LOAD, job.line()], talks=True)

    def stored(self, hubs: str, kind: str = "%") -> int:
        """Return how many observations the store holds of these hubs and this kind (SQL patterns)."""
        query = "SELECT count(*) FROM observations WHERE hub_id LIKE ? AND kind LIKE ?"
        with contextlib.closing(sqlite3.connect(self.store_path)) as store:
            (count,) = store.execute(query, (hubs, kind)).fetchone()
        return int(count)

    async def _start(self, name: str, command: list[str], *, talks: bool = False) -> Child:
        child = Child(name, command, self.folder, talks=talks)
        await child.start()
        self._children.append(child)
        return child

    async def _start_broker(self) -> None:
        settings = self.folder / "mosquitto.conf"
        settings.write_text(_MOSQUITTO.format(port=self.broker_port), "utf-8")
        await self._start("mosquitto", [str(self._mosquitto), "-c", str(settings)])

    async def _start_centre(self) -> Child:
        site = self.folder / "site.toml"
        site.write_text(site_toml(self._pendants, self.line.path), "utf-8")
        store = f"sqlite:///{self.store_path}"
        apply = await self._start("apply", [*HUB, "site", "apply", str(site), "--store", store, "--by", "bench"])
        if code := await apply.process.wait():
            log = (self.folder / "apply.log").read_text("utf-8")
            raise MalformedError(f"the benchmark's site was refused ({code}):\n{log}")
        settings = self.folder / "centre.toml"
        settings.write_text(
            _CENTRE.format(
                store=store,
                secret=secrets.token_hex(16),
                broker=self.broker_port,
                http=self._http,
                provider=self.provider.port,
            ),
            "utf-8",
        )
        centre = await self._start("centre", [*HUB, "central", "--settings", str(settings)])
        await self._until_ready(centre)
        return centre

    async def _until_ready(self, centre: Child) -> None:
        async with asyncio.timeout(_READY_WITHIN_S):
            while centre.process:
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._http)
                    writer.write(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    answer = await reader.read()
                    writer.close()
                    if answer.startswith(b"HTTP/1.1 200"):
                        return
                await asyncio.sleep(0.05)

    async def _stop(self) -> None:
        for child in reversed(self._children):
            await child.stop()
        await self.provider.stop()
        self.line.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
