"""A virtual Bluetooth controller that does what bumble 0.0.236's leaves out.

Each mend has a test that fails when bumble itself does it right, so that the mend can go.
"""

import asyncio
import logging
import random

from bumble import core, hci, ll
from bumble.controller import AdvertisingSet, Controller
from bumble.link import LocalLink

log = logging.getLogger(__name__)

_Report = hci.HCI_LE_Extended_Advertising_Report_Event
# Bits 0, 1 and 4 of the advertising properties and of the report mean the same: connectable,
# scannable, legacy PDU (Core 5.4, volume 4, part E, 7.8.53 and 7.7.65.13).
_SHARED_BITS = 0x13
_SCANNABLE = 0x02
_SCAN_RESPONSE = 0x08
_NO_SID = 0xFF
_NO_TX_POWER = 0x7F
_USUAL_RSSI_DBM = -60


class Air(LocalLink):  # type: ignore[misc] # bumble is seen without types
    """The air between controllers: what nobody hears is lost, and that is no error."""

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Send a link-layer packet; a peer that has gone does not answer."""
        try:
            super().send_ll_control_pdu(sender_address, receiver_address, packet)
        except core.InvalidArgumentError:
            log.debug("nobody hears %s at %s", packet, receiver_address)

    def remove(self, controller: "SimController") -> None:
        """Take a controller out of the air; its links end as if it had walked away."""
        controller.lose_links()
        self.controllers.discard(controller)


class SimController(Controller):  # type: ignore[misc] # bumble is seen without types
    """One radio, in a device or in a hub.

    Attributes:
        rssi_dbm: How strongly others hear it.
        in_range: Whether anybody hears it.
        loss: The part of its advertisements that nobody hears, 0 to 1.
    """

    rssi_dbm = _USUAL_RSSI_DBM
    in_range = True
    loss = 0.0
    _burst_s: float | None = None
    _silent_after: float | None = None
    pending_le_connection: hci.HCI_LE_Create_Connection_Command | None = None
    _dice = random.Random(0)

    def say(self, for_s: float | None) -> None:
        """Say what it advertises for some seconds from the next advertisement on, or until told otherwise.

        A burst is over when it is over, also for a simulator that was asleep in the middle of it; but one that was
        asleep at its beginning says it still.
        """
        self._burst_s, self._silent_after = for_s, None

    def leave(self) -> None:
        """Walk out of range: links end by supervision timeout on both ends, advertisements are not heard."""
        self.in_range = False
        self.lose_links()

    def lose_links(self) -> None:
        """End every link as a supervision timeout does (bumble has none: requests would hang)."""
        reason = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
        for link in list(self.le_connections.values()):
            peer = self.link.find_le_controller(link.peer_address)
            self.on_le_disconnected(link, reason)
            far_end = peer.le_connections.get(link.self_address) if peer is not None else None
            if far_end is not None:
                peer.on_le_disconnected(far_end, reason)

    def send_advertising_pdu(self, packet: ll.AdvertisingPdu) -> None:
        """Send an advertisement or a connection request, if anybody can hear it."""
        now = asyncio.get_running_loop().time()
        if self._silent_after is None and self._burst_s is not None:
            self._silent_after = now + self._burst_s
        over = self._silent_after is not None and now > self._silent_after
        if self.in_range and not over and self._dice.random() >= self.loss:
            super().send_advertising_pdu(packet)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Give up a pending connection (bumble answers "done" and goes on trying for ever)."""
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        # After the answer to this command: Connection Complete with "unknown connection identifier".
        asyncio.get_running_loop().call_soon(
            self.send_hci_packet,
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=0,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            ),
        )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """Report an advertisement with its own kind, strength and scan response (bumble invents all three)."""
        if self.le_scan_enable:
            sender, advertised = self._advertiser(pdu.advertiser_address)
            parameters = advertised.parameters if advertised is not None else None
            kind = int(parameters.advertising_event_properties) & _SHARED_BITS if parameters else _SHARED_BITS
            rssi_dbm = sender.rssi_dbm if sender is not None else _USUAL_RSSI_DBM
            self._report(pdu.advertiser_address, kind, rssi_dbm, pdu.data)
            if advertised is not None and kind & _SCANNABLE:
                answer = bytes(advertised.scan_response_data)
                self._report(pdu.advertiser_address, kind | _SCAN_RESPONSE, rssi_dbm, answer)
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _advertiser(self, address: hci.Address) -> tuple["SimController | None", AdvertisingSet | None]:
        for controller in self.link.controllers:
            for advertised in controller.advertising_sets.values():
                if advertised.address == address:
                    return controller, advertised
        return None, None

    def _report(self, address: hci.Address, kind: int, rssi_dbm: int, data: bytes) -> None:
        self.send_hci_packet(
            _Report(
                [
                    _Report.Report(
                        event_type=kind,
                        address_type=address.address_type,
                        address=address,
                        primary_phy=hci.Phy.LE_1M,
                        secondary_phy=0,
                        advertising_sid=_NO_SID,
                        tx_power=_NO_TX_POWER,
                        rssi=rssi_dbm,
                        periodic_advertising_interval=0,
                        direct_address_type=0,
                        direct_address=hci.Address.ANY,
                        data=data,
                    )
                ]
            )
        )
