"""``hub bench`` measures what it says: its figures have their shape and nothing is lost. Never how fast it was."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.bench import chain, command, footprint, journal, radio, rate
from hub.bench.figures import percentile, spread_ms
from hub.bench.size import Size
from hub.cli import main

# Each of these starts the whole chain.
whole_chain = pytest.mark.slow

TINY = Size(presses=3, pause_s=0.02, backlog=400, sustained=1000, appends=20, idle_s=0.1, starts=1)
HUB = (sys.executable, "-m", "hub.cli")


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([7.0], 99) == 7.0
    assert percentile([float(n) for n in range(1, 101)], 50) == 50.0
    assert percentile([float(n) for n in range(1, 101)], 99) == 99.0
    assert spread_ms([0.003, 0.001, 0.002]) == {"count": 3, "p50": 2.0, "p99": 3.0, "max": 3.0}
    assert spread_ms([]) == {"count": 0}


@whole_chain
async def test_every_press_reaches_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_WARM_UP", 2)
    monkeypatch.setattr(chain, "_RATE_PER_S", 100)
    found = await chain.line_to_provider(TINY)
    assert found["count"] == TINY.presses
    assert 0 < found["p50"] <= found["p99"] <= found["max"]
    assert found["background_lost"] == 0


@whole_chain
async def test_what_is_sent_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "BATCHES", (10,))
    found = (await rate.sustained(TINY))["batch_10"]
    assert (found["sent"], found["lost"]) == (1000, 0)
    assert found["per_s"] > 0
    assert found["centre_rss_mb"]["idle"] > 1


@whole_chain
async def test_alarms_pass_a_backlog() -> None:
    found = await chain.behind_backlog(TINY)
    assert found["alarms_lost"] == 0
    assert (found["backlog"], found["backlog_lost"]) == (400, 0)


@whole_chain
async def test_presses_pass_the_backlog_of_their_own_edge() -> None:
    found = await chain.behind_own_backlog(TINY)
    assert found["backlog"] == 400
    assert found["edge_rss_mb"] > 1


@whole_chain
async def test_the_edge_is_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "_SETTLE_S", 0.1)
    monkeypatch.setattr(footprint, "_PENDANTS", 500)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    found = (await footprint.edge(TINY))["serial"]
    assert found["rss_mb"] > 1
    assert found["idle_cpu_percent"] >= 0
    assert len(found["start_to_alarm_at_broker_s"]["all"]) == TINY.starts


async def test_the_journal_is_measured() -> None:
    found = await journal.appends(TINY)
    assert found["alarms_one_by_one"]["ms"]["count"] == TINY.appends
    assert all(found[name]["per_s"] > 0 for name in ("readings_by_50", "readings_by_500"))


async def test_of_a_hundred_adverts_one_is_decoded() -> None:
    found = await radio.adverts(TINY)
    assert found["per_s"] > 0
    assert (found["adverts"], found["decoded"], found["observations"]) == (2000, 20, 20)


async def test_every_telegram_becomes_an_observation() -> None:
    found = await radio.telegrams(TINY)
    assert found["per_s"] > 0
    assert (found["telegrams"], found["observations"], found["bad"]) == (500, 500, 0)


def test_the_command_prints_json_and_tells_its_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "QUICK", TINY)
    assert main(["bench", "--quick", "--only", "journal"]) == 0
    said = capsys.readouterr()
    found: dict[str, Any] = json.loads(said.out)
    assert set(found) == {"machine", "journal"}
    assert found["machine"]["cores"] >= 1
    assert said.err.startswith("journal: Appends to the edge's journal. About ")


def test_without_mosquitto_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_more: None)
    assert main(["bench", "--only", "backlog"]) == 1
    assert "apt-get install mosquitto" in capsys.readouterr().err


def test_an_unknown_measurement_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--only", "speed"]) == 1
    assert "there are adverts_per_s, esp3_telegrams_per_s, journal, line_to_provider_ms" in capsys.readouterr().err


@whole_chain
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        [*HUB, "bench", "--only", "backlog"], env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE
    ) as bench:
        while not any(b"central" in words for words in _started_in(tmp_path)):
            assert bench.poll() is None
        bench.send_signal(number)
        assert bench.wait(30) == code
    assert list(_started_in(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def _started_in(folder: Path) -> list[list[bytes]]:
    """Return the command lines of processes that have something to do with a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if os.fsencode(folder) in line:
            found.append(line.split(b"\0"))
    return found
