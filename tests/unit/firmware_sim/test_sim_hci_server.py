import pytest
from bumble import hci

from firmware_sim.ble.controller import Air
from firmware_sim.ble.server import _HubConnection

_Report = hci.HCI_LE_Extended_Advertising_Report_Event
REPORT = bytes(
    _Report(
        [
            _Report.Report(
                event_type=0x10,
                address_type=1,
                address=hci.Address("F0:11:22:33:44:02"),
                primary_phy=1,
                secondary_phy=0,
                advertising_sid=0xFF,
                tx_power=0x7F,
                rssi=-60,
                periodic_advertising_interval=0,
                direct_address_type=0,
                direct_address=hci.Address.ANY,
                data=b"\x02\x01\x06",
            )
        ]
    )
)
DISCONNECTED = bytes(hci.HCI_Disconnection_Complete_Event(status=0, connection_handle=1, reason=8))


class SlowHost:
    """A transport whose reader is far behind."""

    def __init__(self, waiting_bytes: int) -> None:
        self.waiting_bytes = waiting_bytes
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def write(self, data: bytes) -> None:
        self.written.append(data)


@pytest.fixture(params=[0, 1_000_000])
def host(request: pytest.FixtureRequest) -> SlowHost:
    return SlowHost(request.param)


def test_a_slow_host_misses_advertisements_and_nothing_else(host: SlowHost) -> None:
    line = _HubConnection(Air(), 1)
    line._transport = host  # type: ignore[assignment] # as much of a transport as is used
    line.on_packet(REPORT)
    line.on_packet(DISCONNECTED)
    assert host.written == ([DISCONNECTED] if host.waiting_bytes else [REPORT, DISCONNECTED])
