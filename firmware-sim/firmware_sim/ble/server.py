"""Hands each hub a radio of its own: HCI (H4) over TCP.

bumble's own TCP server has one controller for all clients, one after the other: a hub that is killed and
comes back at once finds the state of its predecessor, or the line cut by its late end. Here each
connection gets a new controller, and the end of the connection takes that controller out of the air.
"""

import asyncio
import logging

from bumble import core, hci
from bumble.transport.common import PacketParser

from firmware_sim.ble.controller import Air, SimController

log = logging.getLogger(__name__)

# A hub that does not read (stopped, swapped out) must not fill our memory: a real controller drops
# advertising reports when its host is slow, and so does this one.
_SLOW_HOST_BYTES = 64 * 1024
_REPORT_HEAD = bytes([hci.HCI_EVENT_PACKET, hci.HCI_LE_META_EVENT])
_REPORT_SUBEVENT = hci.HCI_LE_EXTENDED_ADVERTISING_REPORT_EVENT


class HubController(SimController):
    """The radio in a hub."""

    def on_hci_le_set_random_address_command(
        self, command: hci.HCI_LE_Set_Random_Address_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Take the address; a controller that still holds it is the same hub's last life, and goes."""
        for other in list(self.link.controllers):
            if other is not self and isinstance(other, HubController):
                if other.random_address != command.random_address:
                    continue
                log.info("%s takes over %s from %s", self.name, command.random_address, other.name)
                self.link.remove(other)
        return super().on_hci_le_set_random_address_command(command)


class _HubConnection(asyncio.Protocol):
    """One TCP connection of a hub, from its accept to its end."""

    def __init__(self, air: Air, number: int) -> None:
        self._air = air
        self._name = f"hub-{number}"
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- TCP gives nothing else
        self._transport = transport
        self._controller = HubController(self._name, host_sink=self, link=self._air)
        self._parser = PacketParser(self._controller)
        log.info("%s connected", self._name)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except core.InvalidPacketError as error:
            log.warning("%s does not speak H4 (%s): line closed", self._name, error)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._air.remove(self._controller)
        log.info("%s gone (%s)", self._name, exc or "closed")

    def on_packet(self, packet: bytes) -> None:
        """Send a packet of the controller to the hub."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        report = packet.startswith(_REPORT_HEAD) and packet[3] == _REPORT_SUBEVENT
        if report and transport.get_write_buffer_size() > _SLOW_HOST_BYTES:
            return
        transport.write(packet)


class HciServer:
    """Listens for hubs on 127.0.0.1 and gives each its own radio in this air."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self._count = 0
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listen, on any free port when ``port`` is 0, and return the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening; connections end with the process."""
        if self._server is not None:
            self._server.close()

    def _connection(self) -> _HubConnection:
        self._count += 1
        return _HubConnection(self._air, self._count)
