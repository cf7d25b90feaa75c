"""From the button to the provider: through the whole chain, under load and behind a backlog."""

import asyncio
import random
from typing import Any

from hub.bench.figures import spread_ms
from hub.bench.line import press_telegram
from hub.bench.load import Job, outcome, until_playing
from hub.bench.site import EDGE_HUB, LOAD_HUBS, PENDANTS, load_hub, load_pendant, resident, sender
from hub.bench.size import Size
from hub.bench.stage import Stage
from hub.domain.clock import SystemClock, TimeQuality, boottime
from hub.domain.codes import Kind, Lane
from hub.domain.errors import PermanentError
from hub.domain.ids import new_epoch, uuid7
from hub.domain.observation import Observation
from hub.edge.journal import Draft
from hub.edge.opening import open_journal
from hub.wire import envelope
from hub.wire.mqtt import MqttLink, MqttSettings
from hub.wire.topics import Channel, topic

_RATE_PER_S = 1000
_WARM_UP = 10  # presses that are not counted: connections, statements and caches are made by them
_WITHIN_S = 30.0
_JOURNAL_GROUP = 500


async def line_to_provider(size: Size) -> dict[str, Any]:
    """Measure from the bytes of a button on the serial line to the request at the provider's socket."""
    async with Stage(pendants=size.presses + _WARM_UP) as stage:
        await stage.start_edge()
        await _first_press(stage)
        seconds = size.presses * size.pause_s + _WITHIN_S
        job = Job(
            port=stage.broker_port,
            hubs=LOAD_HUBS,
            batch=1,
            total=round(_RATE_PER_S * seconds / LOAD_HUBS) * LOAD_HUBS,
            rate_per_s=_RATE_PER_S,
        )
        load = await stage.start_load(job)
        await until_playing(load)
        taken = await _press(stage, range(1, size.presses + _WARM_UP), size.pause_s)
        done = await outcome(load)
        return {
            **spread_ms(taken[_WARM_UP - 1 :]),
            "background_per_s": round(done.sent / done.seconds),
            "background_lost": done.sent - stage.stored("load-%"),
        }


async def behind_backlog(size: Size) -> dict[str, Any]:
    """Measure alarms of other hubs while one hub sends what it kept through an outage."""
    async with Stage() as stage:
        load = await stage.start_load(Job(port=stage.broker_port, hubs=1, batch=200, total=size.backlog))
        await until_playing(load)
        finished = asyncio.create_task(outcome(load))
        sent = await _live_alarms(stage, finished)
        done = await finished
        taken = [
            at - began
            for who, began in sent.items()
            if (at := await stage.provider.until_came(who, _WITHIN_S)) is not None
        ]
        return {
            "alarm_ms": spread_ms(taken),
            "alarms_lost": len(sent) - len(taken),
            "backlog": done.sent,
            "backlog_lost": done.sent - stage.stored(load_hub(0)),
            "backlog_seconds": round(done.seconds, 1),
        }


async def behind_own_backlog(size: Size) -> dict[str, Any]:
    """Measure the presses of a hub that itself has the backlog: the real edge with a full journal."""
    async with Stage(pendants=size.presses + 1) as stage:
        await asyncio.to_thread(_fill_journal, stage, size.backlog)
        edge = await stage.start_edge()
        await _first_press(stage)
        began = boottime()
        taken: list[float] = []
        while await asyncio.to_thread(_kept, stage) < size.backlog:
            if len(taken) < size.presses:
                taken += await _press(stage, range(len(taken) + 1, len(taken) + 2), size.pause_s)
            else:
                await asyncio.sleep(0.5)
        return {
            "alarm_ms": spread_ms(taken),
            "backlog": size.backlog,
            "backlog_seconds": round(boottime() - began, 1),
            "edge_rss_mb": edge.rss_mb(),
        }


async def _first_press(stage: Stage) -> None:
    """Press the first pendant until it is heard: the edge is started, and has its configuration."""
    for _ in range(100):
        stage.line.write(press_telegram(sender(0)))
        if await stage.provider.until_came(resident(0), 0.3) is not None:
            return
    raise PermanentError("the first press did not reach the provider within 30 s")


async def _press(stage: Stage, numbers: range, pause_s: float) -> list[float]:
    """Press pendants one after another, and return the seconds until the provider had each."""
    jitter = random.Random(1)  # noqa: S311 - so that presses keep no step with anything
    began: dict[str, float] = {}
    for number in numbers:
        began[resident(number)] = boottime()
        stage.line.write(press_telegram(sender(number)))
        await asyncio.sleep(pause_s * jitter.uniform(0.5, 1.5))
    taken = []
    for who, at in began.items():
        came = await stage.provider.until_came(who, _WITHIN_S)
        if came is None:
            raise PermanentError(f"the press of {who} did not reach the provider within {_WITHIN_S:g} s")
        taken.append(came - at)
    return taken


async def _live_alarms(stage: Stage, until: asyncio.Task[Any]) -> dict[str, float]:
    """Publish alarms of other hubs as long as the backlog lasts; return when each was."""
    connected = asyncio.Event()
    link = MqttLink(
        MqttSettings(port=stage.broker_port, client_id="alarms"),
        subscriptions=[],
        on_message=lambda _incoming: None,
        on_connect=lambda _present: connected.set(),
    )
    running = asyncio.create_task(link.run())
    await connected.wait()
    sent: dict[str, float] = {}
    epoch = new_epoch()
    for number in range(1, LOAD_HUBS * PENDANTS):
        if until.done():
            break
        if number % LOAD_HUBS == 0:
            continue  # the first hub is the one with the backlog
        hub_id, device, who = load_pendant(number)
        sent[who] = boottime()
        link.post(topic(hub_id, Channel.UP_ALARM), _alarm(hub_id, device, epoch, number))
        await asyncio.sleep(0.1)
    await link.close()
    await running
    return sent


def _alarm(hub_id: str, device: str, epoch: str, seq: int) -> bytes:
    return envelope.encode(_event(Kind.ALARM_PRESSED, hub_id, device, epoch, seq))


def _event(kind: Kind, hub_id: str, device: str, epoch: str = "", seq: int = 0) -> envelope.Event:
    at = SystemClock().now().utc
    return envelope.event(
        Observation(kind=kind, time=at),
        event_id=uuid7(at),
        hub_id=hub_id,
        device_id=device,
        quality=TimeQuality.SYNCED,
        epoch=epoch,
        seq=seq,
    )


def _fill_journal(stage: Stage, count: int) -> None:
    """Leave behind what an edge keeps through an outage: its stick was alive, over and over."""
    journal = open_journal(stage.edge_data)
    for first in range(0, count, _JOURNAL_GROUP):
        group = range(first, min(first + _JOURNAL_GROUP, count))
        journal.append([Draft(Lane.READING, _event(Kind.DEVICE_ALIVE, EDGE_HUB, "pendant-0000")) for _ in group])
    journal.close()


def _kept(stage: Stage) -> int:
    return stage.stored(EDGE_HUB, Kind.DEVICE_ALIVE)
