"""The central service: wiring only."""

import asyncio
import datetime as dt
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from hub.central import commander, dose, presence, setback, shifts
from hub.central.api import hooks
from hub.central.api.app import create_app
from hub.central.audit.anchor import Anchors
from hub.central.auditor import Auditor, phones_unreachable
from hub.central.bulletin import News
from hub.central.centre import Centre, Tx
from hub.central.clockwork import Clockwork
from hub.central.commander import Commander
from hub.central.commissioning import mode, route
from hub.central.commissioning.untaken import untaken
from hub.central.escalation import engine, limits
from hub.central.history import History, Outbox, SqlHistory, influx_history
from hub.central.listener import Listener
from hub.central.listening import listen_to
from hub.central.maintenance import holding
from hub.central.maintenance import service as maintenance
from hub.central.metrics.route import Gauges
from hub.central.notify import outbox, receipts
from hub.central.notify.channels import kinds
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.presence import Presence
from hub.central.settings import Http, Settings, load
from hub.central.site.apply import CHANGED, load_current
from hub.central.site.directory import Directory
from hub.central.site.keeper import SiteKeeper
from hub.central.store.engine import Store
from hub.central.store.name import Name
from hub.central.supervision import DEAF, DEVICE, HUB, Supervision
from hub.central.synthetic.fit import unfit
from hub.central.synthetic.ping import Switch
from hub.central.synthetic.runner import Runner
from hub.central.tasks import keep_running
from hub.central.watch import troubles
from hub.domain.clock import Clock
from hub.domain.errors import HubError, PermanentError, TransientError
from hub.wire import logs
from hub.wire.systemd import Notifier
from rules.loader import standard

log = logging.getLogger(__name__)

_PRESENCE_S = 1.0
_AGAIN_S = 0.1


class _Server(uvicorn.Server):
    """uvicorn within our own loop: the signals are the centre's."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]  # a context manager all the same
        return nullcontext()


async def run(settings: Settings) -> None:
    """Run the centre until SIGTERM or SIGINT.

    Raises:
        PermanentError: The store cannot be opened, holds no site, or another centre on it has this one's name.
    """
    store = Store(settings.store)
    name = await _named(store, settings.owner)
    centre = Centre(store, store.clock, _site(store), settings.owner)
    heard = Presence()
    supervision = Supervision(heard)
    listener = Listener(centre, heard, supervision, standard(), settings.mqtt, settings.share)
    keeper = SiteKeeper(centre, supervision, listener.readings.link, listener.connected_again)
    desk = _hooks(settings)
    sender = Sender(centre, desk.ways, desk.address)
    teller = Commander(centre, listener.readings.link)
    clockwork = _clockwork(centre, supervision, keeper, sender, teller)
    await setback.settle(centre)
    await centre.transact(keeper.arm)
    await centre.transact(listener.arm)
    history, feeder = _history(settings, store, store.clock)
    auditor = _auditor(centre, listener, feeder, settings)
    notifier = Notifier()
    app = create_app(
        centre,
        history,
        hooks=desk,
        secure_cookies=settings.http.secure_cookies,
        checks={"broker": lambda: heard.listening_since is not None, "auditor": lambda: auditor.unfit() is None},
        gauges=Gauges(token=settings.metrics.token, ages=auditor.ages, fit=lambda: auditor.unfit() is None),
    )
    server, listening = _serve(settings.http, app)
    loops: dict[str, Callable[[], Awaitable[None]]] = {
        "alarm link": listener.alarms.link.run,
        "reading link": listener.readings.link.run,
        "alarm lane": lambda: listener.run(listener.alarms),
        "reading lane": lambda: listener.run(listener.readings),
        "clockwork": clockwork.run,
        "site keeper": keeper.run,
        "anchors": Anchors(centre).run,
        "presence": lambda: _write_presence(centre, heard),
        "http": lambda: server.serve(sockets=[listening]),
        **({"history": feeder.run} if feeder else {}),
        **({} if store.is_sqlite else {"site watch": keeper.watch, "name": name.keep}),
        **(_rounds(settings, centre, heard, desk.ways, auditor, name) | listen_to(centre, desk.ways)),
        "watchdog": lambda: notifier.run(auditor.looking),
    }
    tasks = [asyncio.create_task(keep_running(title, loop)) for title, loop in loops.items()]
    auditor.start()
    notifier.notify("READY=1")
    await _until_told()
    notifier.notify("STOPPING=1")
    auditor.close()
    log.info("stopping: what is on its way out is let go first")
    app.state.services.ended.set()
    server.should_exit = True
    await sender.close()
    await _cancel(tasks)
    await _let_go(listener, desk.ways, name, store)


async def _named(store: Store, owner: str) -> Name:
    name = Name(store, owner)
    try:
        await name.take()
    except HubError:
        name.close()
        store.close()
        raise
    return name


def _hooks(settings: Settings) -> hooks.Desk:
    """Make the providers, each told the address of its hooks."""
    url, secret = settings.http.public_url, settings.hook_secret
    ways = Ways(
        kinds.make(account, hooks.address(url, secret, kinds.kind_of(account))) for account in settings.providers
    )
    return hooks.Desk(url, secret, ways)


def _site(store: Store) -> Directory:
    site = store.read_now(load_current)
    if site is None:
        raise PermanentError("the store holds no site yet: apply one with `hub site apply SITE.toml --store URL`")
    return site


def _clockwork(
    centre: Centre, supervision: Supervision, keeper: SiteKeeper, sender: Sender, teller: Commander
) -> Clockwork:
    """Say who does what is due."""
    return Clockwork(
        centre,
        {
            engine.STEP: engine.step_due,
            engine.DEADLINE: engine.deadline_due,
            limits.LIMIT: limits.passed,
            holding.END: maintenance.over,
            outbox.RECEIPT: lambda tx, subject: receipts.overdue(tx, int(subject), sender.ways),
            dose.WINDOW: dose.window_ended,
            HUB: supervision.hub_due,
            DEVICE: supervision.device_due,
            DEAF: supervision.deaf_due,
            engine.UNREACHABLE: phones_unreachable,
            CHANGED: keeper.changed,
            commander.ANSWER: commander.unanswered,
            mode.END: mode.over,
            route.UNTAKEN: partial(untaken, rules=standard()),
            **shifts.HANDLERS,
        },
        {outbox.SEND: lambda subject: sender.start(int(subject)), commander.TELL: teller.start},
    )


def _auditor(centre: Centre, listener: Listener, feeder: Outbox | None, settings: Settings) -> Auditor:
    """Give the auditor eyes and a door of its own."""
    queues = {
        troubles.ALARM: listener.alarms.unkept,
        troubles.READING: listener.readings.unkept,
        troubles.WRITER: centre.store.waiting,
        **({troubles.HISTORY: feeder.unwritten} if feeder else {}),
    }
    door = Store(settings.store)
    return Auditor(centre, door, door.clock, queues, listener.steadiness, asyncio.get_running_loop())


def _rounds(
    settings: Settings, centre: Centre, heard: Presence, ways: Ways, auditor: Auditor, name: Name
) -> dict[str, Callable[[], Awaitable[None]]]:
    """Let test alarms make their rounds, where the settings have them."""
    watch = settings.watch
    if watch is None:
        return {}
    switch = Switch(watch.ping_url) if watch.ping_url else None

    def why() -> str | None:
        return name.unfit() or auditor.unfit() or unfit(centre, heard, ways, watch.probe_hub)

    return {"rounds": Runner(centre, watch, switch, why).run}


def _history(settings: Settings, store: Store, clock: Clock) -> tuple[History, Outbox | None]:
    """Without InfluxDB, history is read from SQL; with it, an outbox feeds it."""
    if settings.influx is None:
        return SqlHistory(store), None
    writer, reader = influx_history(settings.influx)
    return reader, Outbox(store, writer, clock)


def _serve(http: Http, app: FastAPI) -> tuple[_Server, socket.socket]:
    """Take the port, so that a busy one is told before anything runs."""
    try:
        listening = socket.create_server((http.host, http.port))
    except OSError as error:
        raise PermanentError(f"[http] {http.host}:{http.port} cannot be listened on: {error.strerror}") from error
    # The access log would keep the webhooks' secret address.
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    return _Server(config), listening


async def _write_presence(centre: Centre, heard: Presence) -> None:
    while True:
        await asyncio.sleep(_PRESENCE_S)
        heard.awake(centre.clock.now().utc)
        news = heard.take()
        if news == ({}, {}):
            continue
        silent = dt.timedelta(seconds=centre.site.site.supervision.hub_silent_s)
        try:
            await centre.transact(partial(_keep_presence, news=news, shown=heard.visible(news, silent)))
        except TransientError as error:
            heard.give_back(news)
            log.warning("presence waits: %s", error)


def _keep_presence(tx: Tx, news: tuple[presence.News, presence.News], shown: list[News]) -> None:
    presence.write(tx.connection, news)
    tx.effects.news += shown


async def _until_told() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


async def _let_go(listener: Listener, ways: Ways, name: Name, store: Store) -> None:
    await listener.alarms.link.close()
    await listener.readings.link.close()
    await ways.close()
    name.close()
    store.close()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        # Python 3.11's wait_for may swallow a cancellation that meets a result: then it is told again.
        _, running = await asyncio.wait(running, timeout=_AGAIN_S)


def main(path: Path) -> None:
    """Run the centre with the settings of a file.

    Raises:
        HubError: The settings are wrong, or the store cannot be used.
    """
    settings = load(path)
    logs.set_up(settings.log.format, logs.secrets_in(settings))
    # The writer's thread must not keep an alarm waiting for Python's usual 5 ms.
    sys.setswitchinterval(0.001)
    asyncio.run(run(settings))
