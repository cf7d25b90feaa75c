"""BlueZ over D-Bus: the one thing that bleak does not do, which is to switch an adapter off and on."""

import asyncio
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from hub.domain.errors import TransientError

_SERVICE = "org.bluez"
_ADAPTER = "org.bluez.Adapter1"
_WITHIN_S = 10.0


async def power_cycle() -> None:
    """Switch the first adapter off and on: the one that bleak uses. Bonds stay, connections end.

    Raises:
        TransientError: There is none, or BlueZ refuses or does not answer.
    """
    try:
        async with asyncio.timeout(_WITHIN_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            try:
                path = await _adapter(bus)
                try:
                    await _power(bus, path, on=False)
                finally:
                    async with asyncio.timeout(_WITHIN_S):  # its own: the other one may have come to its end
                        await _power(bus, path, on=True)
            finally:
                bus.disconnect()
    except TimeoutError as error:
        raise TransientError("BlueZ does not answer") from error
    except (DBusError, OSError, EOFError) as error:
        raise TransientError(f"BlueZ: {error or type(error).__name__}") from error


async def _adapter(bus: MessageBus) -> str:
    objects = await _call(bus, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    adapters = sorted(path for path, interfaces in objects.items() if _ADAPTER in interfaces)
    if not adapters:
        raise TransientError("BlueZ has no adapter")
    return str(adapters[0])


async def _power(bus: MessageBus, path: str, *, on: bool) -> None:
    body = [_ADAPTER, "Powered", Variant("b", on)]
    await _call(bus, path, "org.freedesktop.DBus.Properties", "Set", "ssv", body)


async def _call(
    bus: MessageBus, path: str, interface: str, member: str, signature: str = "", body: list[Any] | None = None
) -> Any:  # noqa: ANN401 - as D-Bus gives it
    reply = await bus.call(
        Message(
            destination=_SERVICE,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body or [],
        )
    )
    if reply is None or reply.message_type is MessageType.ERROR:
        why = f"{reply.error_name}: {', '.join(map(str, reply.body))}" if reply else "no answer"
        raise TransientError(f"BlueZ: {member} of {path}: {why}")
    return reply.body[0] if reply.body else None
