"""What the edge costs a small machine: memory, idle processor time, and how long until it hears an alarm."""

import asyncio
import importlib.util
from collections.abc import Iterator
from typing import Any

from hub.bench.child import Child
from hub.bench.line import press_telegram
from hub.bench.site import EDGE_HUB, sender
from hub.bench.size import Size
from hub.bench.stage import Stage, free_port
from hub.domain.clock import boottime
from hub.domain.errors import PermanentError
from hub.wire.mqtt import Incoming, MqttLink, MqttSettings
from hub.wire.topics import Channel, topic

_WITHIN_S = 30.0
# Faster than a thumb: what is pressed before the line is open is lost, as with a real stick.
_PRESS_EVERY_S = 0.02
_SETTLE_S = 3.0
_PENDANTS = 2000


async def edge(size: Size) -> dict[str, Any]:
    """Measure the edge with a serial line and, where bumble is there, with its Bluetooth stack too."""
    found = {"serial": await _edge(size, "none")}
    if importlib.util.find_spec("bumble"):
        # A port where nobody answers: the stack is loaded, and tries again.
        found["serial_and_bumble"] = await _edge(size, f"bumble:tcp-client:127.0.0.1:{free_port()}")
    return found


async def _edge(size: Size, ble: str) -> dict[str, Any]:
    async with Stage(pendants=_PENDANTS) as stage:
        heard = _Ear(stage.broker_port)
        listening = asyncio.create_task(heard.link.run())
        await heard.connected.wait()
        starts: list[float] = []
        pressed = iter(range(_PENDANTS))
        for round_ in range(size.starts + 1):
            began = boottime()
            child = await stage.start_edge(ble)
            await _until_heard(stage, heard, pressed)
            if round_:  # at its first start it knows no devices yet
                starts.append(round(boottime() - began, 2))
            if round_ < size.starts:
                await child.stop()
        await asyncio.sleep(_SETTLE_S)
        cost = await _idle(child, size.idle_s)
        await heard.link.close()
        await listening
        return {**cost, "start_to_alarm_at_broker_s": {"median": sorted(starts)[len(starts) // 2], "all": starts}}


class _Ear:
    """Hears at the broker what the edge has accepted and sent."""

    def __init__(self, port: int) -> None:
        self.alarm = asyncio.Event()
        self.connected = asyncio.Event()
        self.link = MqttLink(
            MqttSettings(port=port, client_id="ear"),
            subscriptions=[(topic(EDGE_HUB, Channel.UP_ALARM), 0)],
            on_message=self._heard,
            on_connect=lambda _present: self.connected.set(),
        )

    def _heard(self, _incoming: Incoming) -> None:
        self.alarm.set()


async def _until_heard(stage: Stage, heard: _Ear, pressed: Iterator[int]) -> None:
    heard.alarm.clear()
    deadline = boottime() + _WITHIN_S
    while not heard.alarm.is_set():
        if boottime() > deadline:
            raise PermanentError(f"no alarm came through a fresh edge within {_WITHIN_S:g} s")
        stage.line.write(press_telegram(sender(next(pressed))))
        try:
            async with asyncio.timeout(_PRESS_EVERY_S):
                await heard.alarm.wait()
        except TimeoutError:
            continue


async def _idle(child: Child, seconds: float) -> dict[str, float]:
    before, began = child.cpu_s(), boottime()
    await asyncio.sleep(seconds)
    share = (child.cpu_s() - before) / (boottime() - began)
    return {"rss_mb": child.rss_mb(), "idle_cpu_percent": round(share * 100, 2)}
