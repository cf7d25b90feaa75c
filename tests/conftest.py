"""Fixtures that several tiers share."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.mosquitto import Mosquitto
from tests.fakes.proxy import Proxy
from tests.fakes.schema import use_copies

use_copies()

# A shell that runs us in the background has Ctrl-C ignored, and programs that tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A broker that lets everybody in and keeps nothing over a restart."""
    mosquitto = Mosquitto(tmp_path / "mosquitto")
    await mosquitto.start()
    yield mosquitto
    mosquitto.kill()


@pytest.fixture
async def proxy(broker: Mosquitto) -> AsyncIterator[Proxy]:
    """A misbehaving way to the broker."""
    async with Proxy(broker.port) as way:
        yield way
