"""Puts the chain together: folders, ports, settings files and processes."""

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import httpx

from firmware_sim.control import Control
from firmware_sim.process import free_port
from firmware_sim.stage.child import Child, ChildError, program

API_USER = "hub"
USER = "demo"
HUB_ID = "h-0042"

_CENTRE = """\
owner = "centre"
store = "{store}"
hook_secret = "{secret}"

[mqtt]
client_id = "centre"
{broker}

[http]
port = {http}
public_url = "http://127.0.0.1:{http}"
secure_cookies = false

[[providers]]
kind = "46elks"
base_url = "http://127.0.0.1:{phone}"
username = "{user}"
password = "{secret}"
sender = "+4700000000"
"""

_EDGE = """\
hub_id = "{hub}"
data_dir = "{data}"

[mqtt]
{broker}

[ble]
backend = "{ble}"
"""

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
max_queued_messages 1000000
set_tcp_nodelay true
log_type error
"""


class Conditions(NamedTuple):
    """Under which the parts of a chain run.

    Attributes:
        environment: Variables that they get besides ours.
        launcher: What starts them: a command that takes theirs as its arguments.
        keepalive_s: Keep-alive of the connections to the broker; 0: the hub's own.
    """

    environment: Mapping[str, str] = {}
    launcher: Sequence[str] = ()
    keepalive_s: int = 0


class Stage:
    """The chain of one home and one centre, each part a process of its own.

    Args:
        folder: Where everything is kept: settings, stores, logs, serial ports.
        home: The home file (``hub-sim world``), as TOML; empty: no devices.
        site: The site file, as TOML; ``{ports}`` in it becomes the folder of the serial ports.
        phones: Phones of the network, number to label.
        mosquitto: Use Mosquitto instead of the broker that pip brings.
        conditions: Under which every part but the broker runs.

    Attributes:
        password: The password of the console's user ``demo``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        home: str,
        site: str,
        phones: dict[str, str],
        mosquitto: bool = False,
        conditions: Conditions | None = None,
    ) -> None:
        self.folder = folder
        self.conditions = conditions or Conditions()
        folder.mkdir(parents=True, exist_ok=True)
        self.password = secrets.token_urlsafe(12)
        self._secret = secrets.token_hex(16)
        self._home, self._site = home, site.replace("{ports}", str(folder / "home"))
        self.broker_port, self.http_port = free_port(), free_port()
        self.phone_port = free_port()
        self.console = f"http://127.0.0.1:{self.http_port}"
        self.phone_page = f"http://127.0.0.1:{self.phone_port}"
        self.store_path = folder / "central.db"
        self.broker = self._mosquitto() if mosquitto else self._embedded()
        self.phone = self._phone(phones)
        self.world: Child | None = self._world() if home else None
        self.centre = self._child("centre", "hub", "central", "--settings", str(folder / "centre.toml"))
        self.edge = self._child("edge", "hub", "edge", "--settings", str(folder / "edge.toml"))

    def _child(self, name: str, *command: str, says_ready: bool = False) -> Child:
        full = [*self.conditions.launcher, program(command[0]), *command[1:]]
        return Child(name, full, self.folder, says_ready=says_ready, environment=self.conditions.environment)

    def broker_lines(self, port: int | None = None) -> str:
        """Return the lines of a settings file that name the broker, or what stands before it."""
        keepalive_s = self.conditions.keepalive_s
        keepalive = f"\nkeepalive_s = {keepalive_s}" if keepalive_s else ""
        return f"port = {port or self.broker_port}{keepalive}"

    @property
    def store(self) -> str:
        """URL of the centre's store."""
        return f"sqlite:///{self.store_path}"

    def _embedded(self) -> Child:
        command = [program("hub-sim"), "broker", "--port", str(self.broker_port)]
        return Child("broker", command, self.folder, says_ready=True)

    def _mosquitto(self) -> Child:
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if found is None:
            raise ChildError("mosquitto is not installed: apt-get install mosquitto, or use the broker of pip")
        data = self.folder / "mosquitto"
        data.mkdir(exist_ok=True)
        settings = data / "mosquitto.conf"
        settings.write_text(_MOSQUITTO.format(port=self.broker_port, folder=data))
        data.chmod(0o777)  # started by root, Mosquitto becomes another user
        return Child("broker", [found, "-c", str(settings)], self.folder)

    def _phone(self, phones: dict[str, str]) -> Child:
        command = ["hub-sim", "phone", "--port", str(self.phone_port)]
        command += ["--user", API_USER, "--password", self._secret]
        command += ["--incoming-url", f"{self.console}/hooks/46elks/{self._secret}/inbound"]
        for number, label in phones.items():
            command += ["--phone", f"{number}={label}"]
        return self._child("phone", *command, says_ready=True)

    def _world(self) -> Child:
        path = self.folder / "home.toml"
        path.write_text(self._home)
        return self._child(
            "world", "hub-sim", "world", str(path), "--dir", str(self.folder / "home"), says_ready=True
        )

    async def __aenter__(self) -> Self:
        """Start everything, in the order in which each finds what it needs."""
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, last things first."""
        await self._stop()

    async def _start(self) -> None:
        world = [self.world.start()] if self.world else []
        prepared = asyncio.to_thread(self._prepare_centre)
        await asyncio.gather(self.broker.start(), self.phone.start(), prepared, *world)
        self._prepare_edge()
        await self.edge.start()
        await self.centre.start()
        # The console's user is made while the centre starts: each takes seconds on a small machine.
        await asyncio.gather(asyncio.to_thread(self._make_user), self.until_ready())

    async def _stop(self) -> None:
        for part in (self.edge, self.centre, self.world, self.phone, self.broker):
            if part is not None:
                await part.stop()

    def _prepare_centre(self) -> None:
        """Write the settings, apply the site and make the console's user."""
        settings = {"broker": self.broker_lines(), "http": self.http_port, "phone": self.phone_port}
        (self.folder / "centre.toml").write_text(
            _CENTRE.format(store=self.store, secret=self._secret, user=API_USER, **settings)
        )
        path = self.folder / "site.toml"
        path.write_text(self._site)
        self._hub("site", "apply", str(path), "--store", self.store, "--by", "demo")

    def _make_user(self) -> None:
        self._hub("user", "add", USER, "--store", self.store, "--password-stdin", said=self.password)

    def _prepare_edge(self) -> None:
        ble = f"bumble:tcp-client:127.0.0.1:{self.world.facts['hci_port']}" if self.world else "none"
        (self.folder / "edge.toml").write_text(
            _EDGE.format(hub=HUB_ID, data=self.folder / "edge", broker=self.broker_lines(), ble=ble)
        )

    def _hub(self, *arguments: str, said: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - our own command
            [*self.conditions.launcher, program("hub"), *arguments],
            input=said,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.conditions.environment},
        )
        if done.returncode:
            raise ChildError(f"hub {' '.join(arguments)}: {done.stdout}{done.stderr}")

    async def until_ready(self, within_s: float = 60.0) -> None:
        """Wait until the centre serves.

        Raises:
            ChildError: It does not within the time.
        """
        try:
            async with asyncio.timeout(within_s), httpx.AsyncClient() as client:
                while True:
                    try:
                        answer = await client.get(f"{self.console}/health/ready")
                        if answer.is_success:
                            return
                    except httpx.TransportError:
                        pass
                    if not self.centre.running:
                        raise ChildError(f"the centre ended:\n{self.centre.tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise ChildError(f"the centre is not ready:\n{self.centre.tail()}") from error

    async def let_nurses_answer(self, after_s: float) -> None:
        """Let every phone reply by itself to each text that asks for it."""
        async with httpx.AsyncClient(base_url=self.phone_page) as client:
            answer = await client.post("/behaviour", json={"nurse": {"after_s": after_s}})
            answer.raise_for_status()

    def devices(self) -> Control:
        """Return the line by which things are made to happen in the home.

        Raises:
            ChildError: There is no home.
        """
        if self.world is None:
            raise ChildError("there are no devices")
        return Control(int(str(self.world.facts["control_port"])))
