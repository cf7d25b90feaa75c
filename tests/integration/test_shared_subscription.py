"""Two centres at a real Mosquitto with the sample access list: alarms are shared, heartbeats are everybody's."""

import asyncio
from collections import Counter
from pathlib import Path

from hub.wire import topics
from hub.wire.topics import Channel
from tests.fakes.ear import Ear, running, until
from tests.fakes.mosquitto import Mosquitto

ACL = (Path(__file__).parents[2] / "deploy" / "hub.acl").read_text()
PASSWORD = "change-me"
ALARMS = [b"%d" % number for number in range(20)]
FILTERS = (topics.every_hub(Channel.UP_ALARM, "centres"), topics.every_hub(Channel.UP_ALIVE))


async def test_each_alarm_goes_to_one_centre_and_each_heartbeat_to_both(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, acl=ACL, passwords=dict.fromkeys(("centre", "h-1"), PASSWORD))
    await broker.start()
    first, second = (
        Ear(broker.port, name, *FILTERS, username="centre", password=PASSWORD) for name in ("first", "second")
    )
    hub = Ear(broker.port, "h-1", username="h-1", password=PASSWORD)
    try:
        async with running(first, second, hub):
            await asyncio.gather(first.up(), second.up(), hub.up())
            for alarm in ALARMS:
                await hub.link.publish(topics.topic("h-1", Channel.UP_ALARM), alarm)
            await hub.link.publish(topics.topic("h-1", Channel.UP_ALIVE), b"beat")
            await until(lambda: first.heard.qsize() + second.heard.qsize() == len(ALARMS) + 2)
            heard = [[(await ear.next()).payload for _ in range(ear.heard.qsize())] for ear in (first, second)]
    finally:
        broker.kill()
    assert Counter(heard[0] + heard[1]) == Counter([*ALARMS, b"beat", b"beat"])
    # Both have their part, and the heartbeat.
    assert all(len(part) > 1 and part[-1] == b"beat" for part in heard)
