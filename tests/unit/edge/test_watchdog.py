"""Supervision: nothing that shall run ends unnoticed."""

import asyncio
import contextlib
import datetime as dt
import socket
from pathlib import Path

import pytest

from hub.domain.clock import UTC, Now
from hub.edge.clockwatch import jump
from hub.edge.watchdog import Supervisor
from hub.wire.systemd import Notifier
from tests.unit.edge.makers import T0


async def test_a_task_that_fails_or_ends_is_named_and_started_again(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[str] = []
    thrice = asyncio.Event()

    async def shaky() -> None:
        runs.append("run")
        if len(runs) == 1:
            raise RuntimeError("boom")
        if len(runs) == 3:
            thrice.set()
            await asyncio.Event().wait()

    supervisor = Supervisor()
    supervisor.start("shaky", shaky)
    with pytest.raises(ValueError, match="one already"):
        supervisor.start("shaky", shaky)
    async with asyncio.timeout(5):
        await thrice.wait()
    assert supervisor.restarts == {"shaky": 2}
    assert "task shaky: failed" in caplog.text
    assert "task shaky: ended" in caplog.text
    await supervisor.stop_all()
    assert supervisor.names() == []


async def test_systemd_is_told_while_all_is_well(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.setblocking(False)
        healthy = True
        notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "20000"})
        notifier.notify("READY=1")
        task = asyncio.create_task(notifier.run(lambda: healthy))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            assert await loop.sock_recv(listener, 99) == b"READY=1"
            for _ in range(3):
                assert await loop.sock_recv(listener, 99) == b"WATCHDOG=1"
        healthy = False
        await asyncio.sleep(0.05)
        with contextlib.suppress(BlockingIOError):
            while listener.recv(99):
                continue  # what was sent while all was well
        await asyncio.sleep(0.05)
        with pytest.raises(BlockingIOError):
            listener.recv(99)
        task.cancel()


def test_without_systemd_nothing_is_said() -> None:
    Notifier({}).notify("READY=1")
    Notifier({"NOTIFY_SOCKET": "/nonexistent/socket"}).notify("READY=1")


def test_a_set_clock_is_noticed_and_a_slewed_one_is_not() -> None:
    def later(wall_s: float, mono_s: float) -> Now:
        return Now(T0 + dt.timedelta(seconds=wall_s), 50.0 + mono_s)

    before = Now(T0, 50.0)
    assert jump(before, later(5, 5)) is None
    assert jump(before, later(6.9, 5)) is None
    assert jump(before, later(3605, 5)) == (T0 + dt.timedelta(seconds=5), T0 + dt.timedelta(seconds=3605))
    assert jump(before, later(-3600, 5)) is not None
    epoch = dt.datetime(1970, 1, 1, tzinfo=UTC)
    assert jump(Now(epoch, 1.0), before) == (epoch + dt.timedelta(seconds=49), T0)
