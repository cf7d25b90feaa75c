"""The BLE radio: one scanner that never stops, and connections made one at a time.

Adverts go to whoever listens for their address; everybody else's cost one dictionary look-up. A scanner can
stop hearing without a word (BlueZ does), so silence is a fault: after 90 s it is started again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.base import Advert
from hub.domain.clock import boottime
from hub.domain.errors import TransientError
from hub.edge.links.state import LinkState

log = logging.getLogger(__name__)

# As habluetooth has it: 90 s of silence, looked at every 30 s or more often.
SILENCE_S = 90.0
CHECK_S = 5.0
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 30.0
CONNECT_TIMEOUT_S = 20.0

Listener = Callable[[Advert], None]


class Adapter:
    """Where the radio is: BlueZ, unless another backend says otherwise.

    Attributes:
        scanner: Keyword arguments for :class:`BleakScanner`.
        client: Keyword arguments for :class:`BleakClient`.
    """

    def __init__(self) -> None:
        self.scanner: dict[str, Any] = {"scanning_mode": "active"}
        self.client: dict[str, Any] = {}

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold the adapter open."""
        return nullcontext()

    @property
    def lost(self) -> bool:
        """The adapter is gone and must be opened again."""
        return False


class Radio:
    """The edge's BLE radio.

    Args:
        adapter: Where it is.
        services: UUIDs by which a stranger is interesting to whoever commissions devices.
        mono: Monotonic seconds.

    Attributes:
        adapter: May be put in its place until :meth:`run` is called.
        restarts: How often a silent scanner was started again.
        state: Whether it is up.
    """

    def __init__(
        self,
        adapter: Adapter,
        services: frozenset[str] = frozenset(),
        mono: Callable[[], float] = boottime,
        *,
        silence_s: float = SILENCE_S,
        check_s: float = CHECK_S,
    ) -> None:
        self.adapter = adapter
        self._services = services
        self._mono = mono
        self._silence_s = silence_s
        self._check_s = check_s
        self._listeners: dict[str, Listener] = {}
        self._devices: dict[str, BLEDevice] = {}
        self._connecting = asyncio.Lock()
        self._heard_mono = mono()
        self.restarts = 0
        self.state = LinkState("ble")

    def listen(self, address: str, listener: Listener) -> None:
        """Give every advert of this address to a listener."""
        self._listeners[address] = listener

    def forget(self, address: str) -> None:
        """Stop listening."""
        self._listeners.pop(address, None)
        self._devices.pop(address, None)

    async def run(self) -> None:
        """Scan for ever; reopen the adapter when it is lost."""
        wait_s = BACKOFF_FIRST_S
        while True:
            began = self._mono()
            try:
                await self._scan()
            except (BleakError, TransientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.state.went_down(str(error) or type(error).__name__)
            wait_s = BACKOFF_FIRST_S if self._mono() - began > BACKOFF_MAX_S else wait_s
            await asyncio.sleep(wait_s)
            wait_s = min(BACKOFF_MAX_S, wait_s * 2)

    async def _scan(self) -> None:
        async with self.adapter.opened():
            while True:
                scanner = BleakScanner(self._detected, **self.adapter.scanner)
                await scanner.start()
                self._heard_mono = self._mono()
                if not self.state.up:
                    self.state.went_up()
                try:
                    await self._watch()
                finally:
                    self._devices.clear()
                    # A scanner that is broken may refuse to stop; the next one is started all the same.
                    with suppress(BleakError, OSError, TimeoutError):
                        async with asyncio.timeout(self._check_s):
                            await scanner.stop()
                self.restarts += 1
                log.warning("link ble: silent for %g s, scanner started again", self._silence_s)

    async def _watch(self) -> None:
        """Return when nothing was heard for too long.

        Raises:
            TransientError: The adapter is gone.
        """
        while self._mono() - self._heard_mono < self._silence_s:
            await asyncio.sleep(self._check_s)
            if self.adapter.lost:
                raise TransientError("adapter lost")

    def _detected(self, device: BLEDevice, data: AdvertisementData) -> None:
        self._heard_mono = self._mono()
        listener = self._listeners.get(device.address)
        if listener is None:
            if self._services and (
                not self._services.isdisjoint(data.service_data)
                or not self._services.isdisjoint(data.service_uuids)
            ):
                self.state.strangers.add(device.address, data.local_name or "")
            return
        self._devices[device.address] = device
        listener(
            Advert(
                address=device.address,
                rssi_dbm=data.rssi,
                name=data.local_name,
                service_data=data.service_data,
                manufacturer_data=data.manufacturer_data,
                service_uuids=data.service_uuids,
            )
        )

    @asynccontextmanager
    async def connection(
        self, address: str, *, bonded: bool, on_lost: Callable[[], None]
    ) -> AsyncIterator[BleakClient]:
        """Connect to a device that was heard, and disconnect in the end.

        Controllers allow one connection attempt at a time, so attempts queue here; the scanner goes on.

        Args:
            address: Whose advert was heard.
            bonded: Pair, and encrypt, before anything is asked.
            on_lost: Called when the connection ends by itself.

        Raises:
            TransientError: It was not heard, or did not let itself be connected.
        """
        device = self._devices.get(address)
        if device is None:
            raise TransientError("not heard since the scanner started")
        client = BleakClient(
            device,
            lambda _client: on_lost(),
            pair=bonded,
            timeout=CONNECT_TIMEOUT_S,
            **self.adapter.client,
        )
        try:
            async with self._connecting, asyncio.timeout(CONNECT_TIMEOUT_S + 5):
                await client.connect()
        except (BleakError, OSError, TimeoutError, EOFError) as error:
            raise TransientError(f"cannot connect: {error or type(error).__name__}") from error
        try:
            yield client
        finally:
            with suppress(BleakError, OSError, TimeoutError, EOFError):
                async with asyncio.timeout(5):
                    await client.disconnect()
