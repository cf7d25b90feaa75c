"""The sample settings of Mosquitto, in a real one: every hub is kept to its own topics."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.domain.errors import RefusedError
from tests.fakes.ear import Ear, running, until
from tests.fakes.mosquitto import Mosquitto

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "change-me"


def sample(folder: Path) -> Mosquitto:
    """Return a broker with the sample settings; only the port and the folders are other ones."""
    mosquitto = Mosquitto(folder)
    passwords = folder / "hub.passwords"
    passwords.write_text("".join(f"{user}:{PASSWORD}\n" for user in ("centre", "h-0001", "h-0002")))
    tool = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    subprocess.run([tool, "-U", str(passwords)], check=True, capture_output=True)
    shutil.copy(DEPLOY / "hub.acl", folder)
    settings = (DEPLOY / "mosquitto.conf").read_text()
    for there, here in (
        ("/var/lib/mosquitto/", f"{folder}/"),
        ("/etc/mosquitto/", f"{folder}/"),
        ("listener 1883 ", f"user root\nlistener {mosquitto.port} "),
    ):
        assert there in settings
        settings = settings.replace(there, here)
    (folder / "mosquitto.conf").write_text(settings)
    return mosquitto


@pytest.fixture
async def deployed(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    mosquitto = sample(tmp_path)
    await mosquitto.start()
    yield mosquitto
    mosquitto.kill()


def client(broker: Mosquitto, user: str, *topics: str) -> Ear:
    return Ear(broker.port, user, *topics, username=user, password=PASSWORD)


async def test_a_hub_speaks_and_hears_under_its_own_name_only(deployed: Mosquitto) -> None:
    centre = client(deployed, "centre", "wt/1/+/up/alarm")
    first, second = client(deployed, "h-0001", "wt/1/h-0001/down/#"), client(deployed, "h-0002", "#")
    async with running(centre, first, second):
        await asyncio.gather(*(ear.up() for ear in (centre, first, second)))
        await first.link.publish("wt/1/h-0001/up/alarm", b"pressed")
        for foreign in ("wt/1/h-0002/up/alarm", "wt/1/h-0001/down/config", "wt/1/h-0002/down/config"):
            with pytest.raises(RefusedError, match="Not authorized"):
                await first.link.publish(foreign, b"forged")
        await centre.link.publish("wt/1/h-0001/down/receipt", b"stored")
        await centre.link.publish("wt/1/h-0002/down/receipt", b"yours")
        assert (await centre.next()).payload == b"pressed"
        assert (await first.next()).payload == b"stored"
        # Subscribed to everything, the other hub was given nothing but its own.
        assert (await second.next()).payload == b"yours"
        assert centre.heard.empty()
        assert first.heard.empty()


async def test_nobody_comes_in_without_a_password(deployed: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    stranger = Ear(deployed.port, "stranger")
    async with running(stranger):
        await until(lambda: "Not authorized" in caplog.text)
    assert stranger.ups.empty()
