"""The rounds of a whole chain: real processes, a real broker; freeze any of them and nothing is told outside."""

import asyncio
import contextlib
import json
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from firmware_sim.stage import Stage
from tests.fakes.deadman import DeadMan, dead_man
from tests.scenario import layout

# What was under way when a part was frozen has arrived by then; what comes later must not.
SETTLED_S = 1.0
FROZEN_S = 3.0
WITHIN_S = 60.0


class Watched(Stage):
    """A home without devices, and a centre that tries the chain every second."""

    def __init__(self, folder: Path, outside: DeadMan) -> None:
        site = layout.site({layout.HUB: []}, [])
        super().__init__(folder, home="", site=site, phones=layout.PHONES, mosquitto=True)
        self._outside = outside
        self.said: list[bytes] = []
        address = folder / "notify"
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._systemd.bind(str(address))
        asyncio.get_running_loop().add_reader(self._systemd, lambda: self.said.append(self._systemd.recv(99)))
        told = (f"NOTIFY_SOCKET={address}", "WATCHDOG_USEC=1000000")
        self.centre._command = ["env", *told, *self.centre._command]

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._systemd)
        self._systemd.close()

    def _prepare_centre(self) -> None:
        super()._prepare_centre()
        with (self.folder / "centre.toml").open("a") as settings:
            settings.write(f'[watch]\nprobe_hub = "{layout.HUB}"\nphone = "technician"\nevery_s = 1\n')
            settings.write(f'ping_url = "{self._outside.url}"\n[log]\nformat = "json"\n')


@contextlib.asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[Watched, DeadMan]]:
    async with dead_man() as outside, Watched(folder, outside) as stage:
        yield stage, outside
    stage.close()
    assert (stage.said[0], stage.said[-1]) == (b"READY=1", b"STOPPING=1")
    assert stage.said.count(b"WATCHDOG=1") > 5


@pytest_asyncio.fixture
async def chain(tmp_path: Path) -> AsyncIterator[tuple[Watched, DeadMan]]:
    async with watched(tmp_path / "chain") as running:
        yield running


async def told_again(outside: DeadMan) -> None:
    """Wait until two more rounds are told: the second has begun after this call."""
    async with asyncio.timeout(WITHIN_S):
        await outside.until("success", outside.signals().count("success") + 2)


@pytest.mark.slow
async def test_a_frozen_part_of_the_chain_is_told_outside_by_silence(chain: tuple[Watched, DeadMan]) -> None:
    stage, outside = chain
    await told_again(outside)
    for part in (stage.edge, stage.broker, stage.centre, stage.phone):
        part.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(SETTLED_S)
            before = outside.signals().count("success")
            await asyncio.sleep(FROZEN_S)
            assert outside.signals().count("success") == before, f"{part.name} was frozen"
        finally:
            part.signal(signal.SIGCONT)
        await told_again(outside)
    _rows_hold_each_leg(stage)
    await _only_the_test_phone_rang(stage)
    _log_is_json_without_numbers(stage)


def _rows_hold_each_leg(stage: Watched) -> None:
    query = (
        "select started_at, received_at, sent_at, delivered_at, ended_at from rounds where outcome = 'complete'"
    )
    with contextlib.closing(sqlite3.connect(f"file:{stage.store_path}?mode=ro", uri=True)) as store:
        rows = store.execute(query).fetchall()
        assert store.execute("select 1 from incidents where incident_class = 'care'").fetchall() == []
    assert len(rows) >= 5
    for began, received, sent, _, ended in rows:
        assert began <= received <= sent <= ended


async def _only_the_test_phone_rang(stage: Watched) -> None:
    async with httpx.AsyncClient(base_url=stage.phone_page) as client:
        texts = (await client.get("/messages")).json()
    assert {text["to"] for text in texts} == {layout.TECHNICIAN}


def _log_is_json_without_numbers(stage: Watched) -> None:
    lines = stage.centre.log.read_text().splitlines()
    assert lines
    for line in lines:
        assert set(json.loads(line)) <= {"time", "level", "logger", "message", "error"}
        assert "+47" not in line
        assert "the-check" not in line
