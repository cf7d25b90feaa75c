"""The edge, put together: wiring only."""

import asyncio
import importlib
import logging
import signal
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from drivers import registry
from hub.domain.clock import Clock, SystemClock
from hub.domain.codes import Kind, Lane
from hub.domain.errors import HubError, MalformedError, TransientError
from hub.edge.clockwatch import ClockWatch
from hub.edge.commands import Commands
from hub.edge.configuration import Configuration, Task, tasks
from hub.edge.journal import Journal
from hub.edge.links.ble import Adapter, Radio
from hub.edge.links.topic import KEEP_S
from hub.edge.opening import open_journal
from hub.edge.recorder import Recorder
from hub.edge.service.operations import Box
from hub.edge.service.server import Service
from hub.edge.session import Session
from hub.edge.sessions import session
from hub.edge.settings import Settings, load
from hub.edge.tap import Tap
from hub.edge.uplink import Uplink
from hub.edge.watchdog import Supervisor
from hub.wire import alive, logs
from hub.wire.config import HubConfig
from hub.wire.mqtt import MqttLink, MqttSettings, Will
from hub.wire.systemd import Notifier
from hub.wire.topics import Channel, topic

log = logging.getLogger(__name__)

# Local time's distance from UTC is looked at this often, for drivers whose devices show local time.
_RECONCILE_S = 60.0
# Where the journal keeps how the last run ended.
_STOPPED = "stopped"


class Edge:
    """All parts of one edge.

    Args:
        settings: From the file.
        journal: Open.
        clock: Tells the time.
    """

    def __init__(self, settings: Settings, journal: Journal, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        reopen = partial(open_journal, Path(settings.data_dir), limits=settings.journal)
        self.recorder = Recorder(journal, reopen=reopen, hub_id=settings.hub_id, clock=clock)
        self.configuration = Configuration(settings.hub_id, self.recorder, self._on_config)
        self.uplink = Uplink(
            hub_id=settings.hub_id,
            version=_version(),
            recorder=self.recorder,
            clock=clock,
            on_config=self.configuration.offered,
            on_command=Commands(self.recorder, self._session_of).offered,
        )
        self.link = MqttLink(
            _mqtt_settings(settings),
            subscriptions=self.uplink.subscriptions(),
            on_message=self.uplink.on_message,
            on_connect=self.uplink.on_connect,
            will=Will(topic(settings.hub_id, Channel.UP_STATUS), alive.OFFLINE),
        )
        self.uplink.link = self.link
        services = frozenset(uuid for p in registry.packages().values() for uuid in p.MANIFEST.services)
        self.radio = Radio(Adapter(), services, report=self.recorder.say)
        self.tap = Tap()
        self.supervisor = Supervisor()
        self.sessions: dict[str, tuple[Task, Session]] = {}
        self._changed = asyncio.Event()
        self._wrong: list[str] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Run until told to stop."""
        self.recorder.start()
        notifier = Notifier()
        try:
            await self.configuration.load()
            await self.recorder.say(Kind.HUB_STARTED, {"version": _version(), "reason": await self._reason()})
            self._start_tasks(notifier)
            notifier.notify("READY=1")
            await stop.wait()
            log.info("edge: stopping")
            notifier.notify("STOPPING=1")
            await self._note(b"in order")
        finally:
            await self.supervisor.stop_all()
            await self.link.close()
            await self.recorder.close()

    async def _reason(self) -> str:
        """Tell why there was a start: the first one, after an orderly stop, or after a fall."""
        stopped = await self.recorder.meta(_STOPPED)
        await self._note(b"running")
        if stopped is None:
            return "first start"
        return "stopped in order" if stopped == b"in order" else "interrupted"

    async def _note(self, how: bytes) -> None:
        try:
            await self.recorder.keep(_STOPPED, how)
        except TransientError as error:
            # A full disk: alarms are sent from memory, and this is not worth one of them.
            log.warning("edge: what the next start shall know cannot be kept: %s", error)

    def _start_tasks(self, notifier: Notifier) -> None:
        start = self.supervisor.start
        start("mqtt", self.link.run)
        for lane in Lane:
            start(f"uplink {lane}", partial(self.uplink.run_lane, lane))
        start("uplink inbox", self.uplink.run_inbox)
        start("uplink alive", self.uplink.run_alive)
        start("sessions", self._run_sessions)
        start("service", self._service().run)
        if self._settings.ble.backend != "none":
            start("radio", self._run_radio)
        start("clock", ClockWatch(self._clock, self.recorder).run)
        start("watchdog", partial(notifier.run, lambda: self.recorder.alive))

    def _service(self) -> Service:
        box = Box(
            hub_id=self._settings.hub_id,
            clock=self._clock,
            recorder=self.recorder,
            radio=self.radio,
            tap=self.tap,
            sessions=lambda: list(self.sessions.values()),
        )
        return Service(Path(self._settings.data_dir), box)

    async def _run_radio(self) -> None:
        # bumble takes a second to import on a small machine; a press on the serial line does not wait for it.
        self.radio.adapter = await asyncio.to_thread(_adapter, self._settings)
        await self.radio.run()

    def _on_config(self, current: HubConfig) -> None:
        self.uplink.use(current.intervals)
        self._changed.set()

    async def _run_sessions(self) -> None:
        """Keep the sessions as the configuration has them; only those that differ are restarted."""
        while True:
            self._changed.clear()
            wanted, wrong = tasks(self.configuration.current, self._clock.now().utc)
            if wrong and wrong != self._wrong:
                log.error("configuration: %s", "; ".join(wrong))
                await self.recorder.say(Kind.DEVICE_FAULT, {"reason": "; ".join(wrong)[:500]})
            self._wrong = wrong
            await self.reconcile({task.name: task for task in wanted})
            try:
                async with asyncio.timeout(_RECONCILE_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _session_of(self, device_id: str) -> Session | None:
        for task, running in self.sessions.values():
            if any(device.id == device_id for device in task.setup.devices):
                return running
        return None

    async def reconcile(self, wanted: dict[str, Task]) -> None:
        """Stop sessions that are no longer wanted as they are, and start those that are missing."""
        for name, (task, _) in list(self.sessions.items()):
            if wanted.get(name) != task:
                del self.sessions[name]
                await self.supervisor.stop(f"session {name}")
        for name, task in wanted.items():
            if name not in self.sessions:
                made = session(task, self.recorder, self._clock, self.radio, _home_settings(self._settings))
                made.tap = self.tap
                self.sessions[name] = (task, made)
                self.supervisor.start(f"session {name}", made.run)


def _adapter(settings: Settings) -> Adapter:
    kind, _, transport = settings.ble.backend.partition(":")
    if kind != "bumble":
        return Adapter()
    try:
        module = importlib.import_module("hub.edge.links.bumble")
    except ImportError as error:
        raise MalformedError(
            f"[ble] backend: bumble is not installed ({error}): install welfare-hub[bumble]"
        ) from error
    adapter: Adapter = module.BumbleAdapter(transport, settings.hub_id, Path(settings.data_dir) / "bonds.json")
    return adapter


def _mqtt_settings(settings: Settings) -> MqttSettings:
    table = settings.mqtt
    return MqttSettings(
        host=table.host,
        port=table.port,
        client_id=settings.hub_id,
        username=table.username,
        password=table.password,
        tls_ca=table.tls_ca,
        tls_cert=table.tls_cert,
        tls_key=table.tls_key,
        keepalive_s=table.keepalive_s,
    )


def _home_settings(settings: Settings) -> MqttSettings:
    """Return the home's own broker; it keeps the sessions of our links while we are away."""
    table = settings.home_broker
    return MqttSettings(
        host=table.host,
        port=table.port,
        client_id=f"home-{settings.hub_id}",
        username=table.username,
        password=table.password,
        session_expiry_s=KEEP_S,
    )


def _version() -> str:
    try:
        return version("welfare-hub")
    except PackageNotFoundError:
        return "0"


async def run(settings: Settings) -> None:
    """Run an edge until SIGTERM or SIGINT.

    Raises:
        TransientError: Another edge has the journal open.
        MalformedError: The settings ask for what is not there.
    """
    journal = open_journal(Path(settings.data_dir), limits=settings.journal)
    clock = SystemClock(floor=journal.floor) if journal.floor else SystemClock()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Edge(settings, journal, clock).run(stop)


def main(path: str) -> int:
    """Run the edge of a settings file; return the process's exit code."""
    logs.set_up("text")  # for the settings' own complaints
    try:
        settings = load(Path(path))
        logs.set_up(settings.log.format, logs.secrets_in(settings))
        asyncio.run(run(settings))
    except HubError as error:
        log.critical("edge: %s", error)
        return 1
    return 0
