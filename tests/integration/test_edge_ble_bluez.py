"""The adapter's reset over a real D-Bus, with a BlueZ that is made up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dbus_fast import BusType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property

from hub.domain.errors import TransientError
from hub.edge.links import bluez
from hub.edge.links.bluez import power_cycle

_CONFIG = """<busconfig>
<type>system</type><listen>unix:path={path}</listen>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"""


class Adapter1(ServiceInterface):
    """What BlueZ says of an adapter, as far as we ask."""

    def __init__(self) -> None:
        super().__init__("org.bluez.Adapter1")
        self.switched: list[bool] = []

    @dbus_property(access=PropertyAccess.READWRITE)
    def Powered(self) -> "b":  # type: ignore[name-defined] # noqa: F821, N802 -- as D-Bus has it
        return True

    @Powered.setter  # type: ignore[no-redef] # its own kind of property
    def Powered(self, value: "b") -> None:  # type: ignore[name-defined] # noqa: F821, N802 -- as above
        self.switched.append(value)


@pytest.fixture
async def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MessageBus]:
    config = tmp_path / "bus.conf"
    config.write_text(_CONFIG.format(path=tmp_path / "bus"))
    daemon = await asyncio.create_subprocess_exec(
        "dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1", stdout=asyncio.subprocess.PIPE
    )
    assert daemon.stdout
    address = (await daemon.stdout.readline()).decode().strip()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    connected = await MessageBus(bus_type=BusType.SYSTEM).connect()
    yield connected
    connected.disconnect()
    with contextlib.suppress(ProcessLookupError):
        daemon.terminate()
    await daemon.wait()


async def test_the_first_adapter_is_switched_off_and_on(bus: MessageBus) -> None:
    first, second = Adapter1(), Adapter1()
    bus.export("/org/bluez/hci1", second)
    bus.export("/org/bluez/hci0", first)
    await bus.request_name("org.bluez")
    await power_cycle()
    assert first.switched == [False, True]
    assert second.switched == []


async def test_a_bluez_that_takes_the_call_and_never_answers_is_not_waited_for(
    bus: MessageBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluez, "_WITHIN_S", 0.2)
    bus.export("/org/bluez/hci0", Adapter1())
    bus.add_message_handler(lambda message: message.member == "Set")  # taken care of, without a reply
    await bus.request_name("org.bluez")
    async with asyncio.timeout(5):
        with pytest.raises(TransientError, match="BlueZ does not answer"):
            await power_cycle()


async def test_without_an_adapter_and_without_bluez_it_says_so(bus: MessageBus) -> None:
    with pytest.raises(TransientError, match="GetManagedObjects of /: "):
        await power_cycle()
    await bus.request_name("org.bluez")
    with pytest.raises(TransientError, match="BlueZ has no adapter"):
        await power_cycle()


async def test_without_a_bus_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    with pytest.raises(TransientError, match="BlueZ: "):
        await power_cycle()
