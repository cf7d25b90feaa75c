"""Each process is killed with SIGKILL at random moments while 300 observations pass, 30 of them alarms.

The truth is told by the dispensers: each numbers its records and repeats every one until the hub has
acknowledged it. So each must be in the centre's store exactly once, each of the 30 residents must have exactly
one incident with one observation, and each incident a text that the provider has accepted. Beside it, every
entry that was found in the edge's journal when the edge had just been killed must be in the store. Pendants are
pressed as well; a press while no edge listens is lost by physics, every other one is one incident.

One run of each variant by default. ``KILL_SEEDS=20 python -m pytest tests/scenario/test_kill.py -s`` runs 20, the
variants in turn, each with a new seed; ``KILL_SEED=4711`` repeats one.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from firmware_sim.clock import SystemClock
from tests.fakes.proxy import Proxy
from tests.scenario import layout
from tests.scenario.chain import Chain, asks_about
from tests.scenario.layout import HUB
from tests.scenario.wire import wire

VARIANTS = ("killed", "killed, broker's store deleted", "killed, broker silent at times")
DISPENSERS = [f"disp-{number:02}" for number in range(1, 31)]
RECORDS_EACH = 10  # 30 dispensers: 300 observations
READINGS = ("dispense", "assist", "extra", "present")
PENDANTS = [f"pendant-{number:02}" for number in range(1, 11)]
LAST = "pendant-11"  # pressed when all else is over: once the centre has heard it, nothing is on its way behind it
SPREAD_S = 7.0
KILLS = 8
SETTLED_WITHIN_S = 60.0
# As long as a link takes to find out by itself that nobody answers: twice the keep-alive, and a bit.
KEEPALIVE_S = 2
SILENT_S = 6.0
RESEND_S = 3.0
HEARD = "select device_id from observations where kind in ('dispenser.jammed', 'alarm.pressed')"


def runs() -> list[tuple[int, str]]:
    """Return number and variant of each run."""
    count = int(os.environ.get("KILL_SEEDS", "0")) or len(VARIANTS)
    return [(run + 1, VARIANTS[run % len(VARIANTS)]) for run in range(count)]


def new_seed() -> int:
    """Return the seed that was asked for, or any."""
    fixed = os.environ.get("KILL_SEED")
    return int(fixed) if fixed else random.SystemRandom().randrange(10**6)


def home() -> tuple[str, str]:
    """Return the home file and the site file."""
    dispensers = [layout.dispenser(name, f"r-{name[-2:]}") for name in DISPENSERS]
    pendants = [
        layout.pendant(name, 0x100 + place, f"r-p{name[-2:]}") for place, name in enumerate([*PENDANTS, LAST])
    ]
    devices = [*dispensers, *pendants]
    links = [layout.stick(), *(layout.line(name) for name in DISPENSERS)]
    return layout.home(devices), layout.site({HUB: links}, devices)


class Run:
    """One run: what is done to the chain, and what is seen of it.

    Args:
        chain: The running chain.
        variant: What happens to the broker.
        dice: All that is random.
        ways: Proxies before the broker; empty: none.
    """

    def __init__(self, chain: Chain, variant: str, dice: random.Random, ways: list[Proxy]) -> None:
        self._chain = chain
        self._variant = variant
        self._dice = dice
        self._ways = ways
        self._edge_rests = asyncio.Lock()
        self.accepted: set[tuple[str, int]] = set()
        self.killed: Counter[str] = Counter()
        self.silences = 0
        self.lacking: dict[str, object] = {}

    async def feed(self) -> None:
        """Let every dispenser write its records, one of them an alarm, spread over the time."""
        wanted = [
            (name, "jam" if place == jam else self._dice.choice(READINGS))
            for name in DISPENSERS
            for jam in [self._dice.randrange(RECORDS_EACH)]
            for place in range(RECORDS_EACH)
        ]
        self._dice.shuffle(wanted)
        for name, action in wanted:
            await self._chain.home.do(name, action)
            await asyncio.sleep(self._dice.uniform(0, 2 * SPREAD_S / len(wanted)))

    async def press(self) -> None:
        """Press every pendant once."""
        for name in PENDANTS:
            await asyncio.sleep(self._dice.uniform(0, 2 * SPREAD_S / len(PENDANTS)))
            await self._chain.home.do(name, "press")

    async def kill(self) -> None:
        """Kill each process more than once, and start it again."""
        names = ["edge", "broker", "centre"]
        victims = [names[place % 3] for place in range(KILLS)]
        self._dice.shuffle(victims)
        for name in victims:
            await asyncio.sleep(self._dice.uniform(0, 2 * SPREAD_S / KILLS))
            await self._kill(name)

    async def _kill(self, name: str) -> None:
        part = {"edge": self._chain.edge, "broker": self._chain.broker, "centre": self._chain.centre}[name]
        await part.kill()
        self.killed[name] += 1
        if name == "edge":
            self.accepted |= self._chain.accepted()
        if name == "broker" and "deleted" in self._variant:
            self._chain.forget_broker()
        await asyncio.sleep(self._dice.uniform(0, 0.5))
        await part.start()

    async def silence(self) -> None:
        """Let one way to the broker fall silent after the other, each without a reset, and come back."""
        for way in self._ways:
            await asyncio.sleep(self._dice.uniform(0.5, 2))
            way.half_open()
            self.silences += 1
            await asyncio.sleep(SILENT_S)
            way.resume()

    async def heard_out(self) -> bool:
        """Press the last pendant, and tell whether the centre has heard it, and so every press before it."""
        await self._chain.home.do(LAST, "press")
        return bool(self._chain.rows("select id from observations where device_id = ?", LAST))

    async def settled(self) -> bool:
        """Tell whether the dispensers were answered and the centre has stored and told what was accepted."""
        # Not by NOT IN: a message about no incident, such as one to a shift, would make that true of nothing.
        unsent = (
            "select id, kind, device_id from incidents where not exists"
            " (select 1 from messages where incident_id = incidents.id and sent_at > 0)"
        )
        self.lacking = {
            "records": len(DISPENSERS) * RECORDS_EACH - len(self.records()),
            "accepted and not stored": self.accepted - self.stored(),
            "not told": self._chain.rows(unsent),
        }
        if not any(self.lacking.values()):
            states = {name: await self._chain.home.do(name, "state") for name in DISPENSERS}
            self.lacking["not answered"] = [name for name in DISPENSERS if states[name]["unacknowledged"]]
        return not any(self.lacking.values())

    def records(self) -> list[tuple[str, int]]:
        """Return dispenser and number of each record in the store."""
        query = (
            "select device_id, value from observations where device_id like 'disp-%' and kind <> 'device.alive'"
        )
        return [(name, msgspec.json.decode(value)["device_seq"]) for name, value in self._chain.rows(query)]

    def stored(self) -> set[tuple[str, int]]:
        """Return all identities in the store."""
        return {(epoch, seq) for epoch, seq in self._chain.rows("select epoch, seq from observations")}


def lost_and_doubled(run: Run, chain: Chain, texts: list[dict[str, Any]]) -> dict[str, object]:
    """Return what must be empty."""
    records = Counter(run.records())
    wanted = {(name, seq) for name in DISPENSERS for seq in range(1, RECORDS_EACH + 1)}
    query = "select i.id, i.kind, i.device_id, i.presses, count(l.observation_id) from incidents i"
    query += " left join incident_observations l on l.incident_id = i.id group by i.id"
    incidents = chain.rows(query)
    alarms = Counter(
        device for _, kind, device, _, _ in incidents if kind in {"dispenser.jammed", "alarm.pressed"}
    )
    heard = chain.rows(HEARD)
    return {
        "records lost": sorted(wanted - set(records)),
        "records stored twice": sorted(key for key, count in records.items() if count > 1),
        "accepted, not stored": sorted(run.accepted - run.stored()),
        "dispensers without an incident": sorted(set(DISPENSERS) - set(alarms)),
        "alarms without an incident": sorted({device for (device,) in heard} - set(alarms)),
        "alarms with two incidents": sorted(device for device, count in alarms.items() if count > 1),
        "records told twice": [row for row in incidents if row[1] == "dispenser.jammed" and row[3:] != (1, 1)],
        # On a machine that stands still for a moment, the repeats of one telegram may look like two presses.
        "presses without their observation": [row for row in incidents if row[3] != row[4]],
        "unexpected incidents": [row for row in incidents if row[1] not in {"dispenser.jammed", "alarm.pressed"}],
        "no text": [row for row in incidents if not any(asks_about(text, row[0]) for text in texts)],
        "events with one id": chain.rows(
            "select event_id from observations group by event_id having count(*) > 1"
        ),
    }


async def repeat_soon(chain: Chain) -> None:
    """Let the hub repeat readings sooner than after 30 s, as a newer configuration of its centre may say."""
    topic = f"wt/1/{HUB}/down/config"
    async with wire(chain.broker_port) as line:

        async def offered() -> bytes | None:
            return next(iter(line.passed(topic)), None)

        config = msgspec.json.decode(await chain.until(offered, 20, "the centre's configuration"))
        config["version"] += 1
        config["intervals"]["reading_resend_s"] = RESEND_S
        await line.publish(topic, msgspec.json.encode(config), retain=True)
        await chain.line_in_log(chain.edge, f"configuration: version {config['version']} taken")


@asynccontextmanager
async def laid_out(folder: Path, variant: str) -> AsyncIterator[tuple[Chain, list[Proxy]]]:
    """Start the chain of a variant, with its proxies."""
    devices, site = home()
    async with AsyncExitStack() as doors:
        chain = Chain(folder, home=devices, site=site, phones=layout.PHONES)
        ways: list[Proxy] = []
        if "silent" in variant:
            ways = [await doors.enter_async_context(Proxy(chain.broker_port)) for _ in range(2)]
            chain.port_of_edge, chain.port_of_centre = (way.port for way in ways)
            chain.keepalive_s = KEEPALIVE_S
        yield await doors.enter_async_context(chain), ways


@pytest.mark.slow
@pytest.mark.parametrize(("number", "variant"), runs())
async def test_nothing_is_lost_or_doubled(number: int, variant: str, tmp_path: Path) -> None:
    seed = new_seed()
    clock = SystemClock()
    say(f"\nrun {number}: KILL_SEED={seed} ({variant}) ")
    marks = [clock.mono_s()]
    async with laid_out(tmp_path, variant) as (chain, ways):
        await repeat_soon(chain)
        marks.append(clock.mono_s())
        run = Run(chain, variant, random.Random(seed), ways)
        await asyncio.gather(run.feed(), run.press(), run.kill(), run.silence())
        marks.append(clock.mono_s())
        await chain.until(run.settled, SETTLED_WITHIN_S, "everything stored and told")
        marks.append(clock.mono_s())
        found = lost_and_doubled(run, chain, await chain.texts())
        pressed = len(chain.rows("select id from observations where kind = 'alarm.pressed'"))
    ready_s, fed_s, settled_s = (after - before for before, after in pairwise(marks))
    kills = ", ".join(f"{name} {count}" for name, count in sorted(run.killed.items()))
    say(f"killed {kills}; silences {run.silences}; {len(run.records())} records, ")
    say(f"{pressed} of {len(PENDANTS)} presses heard, {len(run.accepted)} entries seen in killed journals; ")
    say(f"ready {ready_s:.1f} s, fed {fed_s:.1f} s,")
    say(f" settled after {settled_s:.1f} s\n")
    assert not any(found.values()), {what: which for what, which in found.items() if which}


def say(text: str) -> None:
    """Print at once: pytest shows it with a failure, and with ``-s`` while it runs."""
    sys.stdout.write(text)
    sys.stdout.flush()
