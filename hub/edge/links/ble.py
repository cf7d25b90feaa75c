"""The BLE radio: one scanner that never stops, and connections made one at a time.

Adverts go to whoever listens for their address; everybody else's cost one dictionary look-up. A scanner can
stop hearing without a word (BlueZ does), so silence is a fault: after 90 s the scanner is started again, after
90 s more the adapter is reset, and after a third time it is told, and the adapter reset on and on.

An address here is an identity: a bonded device that rotates its address is known by the one that it bonded
with. BlueZ resolves the others by itself, as long as it has the bond; :mod:`hub.edge.links.bumble` does too.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Any, NamedTuple

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.base import Advert
from hub.domain.clock import boottime
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from hub.edge.links.state import LinkState, weakness

log = logging.getLogger(__name__)

# As habluetooth has it: 90 s of silence, looked at every 30 s or more often.
SILENCE_S = 90.0
CHECK_S = 5.0
# Silent times until it is told: the scanner was started again, then the adapter, and neither helped.
TOLD_AFTER = 3
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 30.0
# D-Bus itself waits for an answer without end, and a scanner that waits with it is silent without a word.
START_TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 20.0
# Two adverts of the slowest devices may be lost (advInterval is 10.24 s at most: Core, volume 6 part B,
# section 4.4.2.2.1); a device that was silent for longer is gone, and trying would keep the others waiting.
FRESH_S = 30.0
_REMEMBERED = 512
_FAULTS = (BleakError, TransientError, OSError, TimeoutError, asyncio.IncompleteReadError)

Listener = Callable[[Advert], None]
Report = Callable[[Kind, dict[str, Any]], Awaitable[None]]


class _DeafError(TransientError):
    """The scanner was started again and hears nothing still."""


class _Known(NamedTuple):
    device: BLEDevice
    mono: float
    rssi_dbm: int


async def _unreported(_kind: Kind, _value: dict[str, Any]) -> None:
    """Tell nobody: there is no recorder."""


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

    async def reset(self) -> None:
        """Start the adapter itself anew; it is not open meanwhile.

        Raises:
            TransientError: It cannot be.
        """
        from hub.edge.links import bluez  # noqa: PLC0415 - D-Bus only where it is needed: the box is small

        await bluez.power_cycle()

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
        report: Records what the hub has to tell of its radio.
        silence_s: How long it may hear nothing.
        check_s: How often that is looked at.

    Attributes:
        adapter: May be put in its place until :meth:`run` is called.
        restarts: How often a silent scanner was started again.
        resets: How often a silent adapter was.
        state: Whether it is up.
    """

    def __init__(
        self,
        adapter: Adapter,
        services: frozenset[str] = frozenset(),
        mono: Callable[[], float] = boottime,
        *,
        report: Report = _unreported,
        silence_s: float = SILENCE_S,
        check_s: float = CHECK_S,
    ) -> None:
        self.adapter = adapter
        self._report = report
        self._services = services
        self._mono = mono
        self._silence_s = silence_s
        self._check_s = check_s
        self._listeners: dict[str, Listener] = {}
        self._devices: dict[str, _Known] = {}
        self._connected: set[str] = set()
        self._connecting = asyncio.Lock()
        self._heard_mono = self._reset_mono = mono()
        self._silences = 0
        self._hearing = self._told = False
        self.restarts = self.resets = 0
        self._onlookers: list[Listener] = []
        self.state = LinkState("ble")

    def listen(self, address: str, listener: Listener) -> None:
        """Give every advert of this address to a listener."""
        self._listeners[address] = listener

    def forget(self, address: str) -> None:
        """Stop listening."""
        self._listeners.pop(address, None)
        self._devices.pop(address, None)

    @contextmanager
    def looking(self, onlooker: Listener) -> Iterator[None]:
        """Show somebody who commissions devices every advert, of strangers too, while the body runs."""
        self._onlookers = [*self._onlookers, onlooker]
        try:
            yield
        finally:
            self._onlookers = [one for one in self._onlookers if one is not onlooker]

    async def run(self) -> None:
        """Scan for ever; reopen the adapter when it is lost, reset it when it is deaf."""
        wait_s = BACKOFF_FIRST_S
        while True:
            began = self._mono()
            try:
                await self._scan()
            except _DeafError:
                await self._reset()
            except Exception as error:
                # The boundary to bleak and D-Bus: whatever they raise, that the radio is deaf must be told.
                foreseen = isinstance(error, _FAULTS)
                if not foreseen:
                    log.exception("link ble: the scanner fails")
                self.state.went_down((foreseen and str(error)) or repr(error))
                # One that cannot be started is as deaf as one that hears nothing.
                deaf_s = self._mono() - max(self._heard_mono, self._reset_mono)
                if deaf_s >= 2 * self._silence_s and (self._listeners or self._onlookers):
                    await self._reset()
            await self._tell_silence()
            wait_s = BACKOFF_FIRST_S if self._mono() - began > BACKOFF_MAX_S else wait_s
            await asyncio.sleep(wait_s)
            wait_s = min(BACKOFF_MAX_S, wait_s * 2)

    async def _scan(self) -> None:
        async with self.adapter.opened():
            while True:
                scanner = BleakScanner(self._detected, **self.adapter.scanner)
                since, self._hearing = self._mono(), False
                await self._start(scanner)
                if not self.state.up:
                    self.state.went_up()
                try:
                    await self._watch(since)
                finally:
                    self._devices.clear()
                    # A scanner that is broken may refuse to stop; the next one is started all the same.
                    with suppress(BleakError, OSError, TimeoutError):
                        async with asyncio.timeout(self._check_s):
                            await scanner.stop()
                if self._silences > 1:
                    raise _DeafError
                self.restarts += 1
                log.warning("link ble: silent for %g s, scanner started again", self._silence_s)

    async def _start(self, scanner: BleakScanner) -> None:
        """Start a scanner.

        Raises:
            TransientError: It does not start in time.
        """
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await scanner.start()
        except TimeoutError as error:
            raise TransientError(f"the scanner does not start within {START_TIMEOUT_S:g} s") from error

    async def _watch(self, since: float) -> None:
        """Return when nothing was heard for too long.

        Raises:
            TransientError: The adapter is gone.
        """
        while self._mono() - max(since, self._heard_mono) < self._silence_s:
            await asyncio.sleep(self._check_s)
            if self._hearing:
                await self._tell_hearing()
            if self.adapter.lost:
                raise TransientError("adapter lost")
        # What we are connected to does not advertise. Where that is all we have, silence is as it should be.
        as_it_should = bool(self._connected) and self._connected.issuperset(self._listeners)
        self._silences = 1 if as_it_should or self._hearing else self._silences + 1

    async def _reset(self) -> None:
        self.resets += 1
        self._reset_mono = self._mono()
        log.warning("link ble: silent still, adapter started again")
        try:
            await self.adapter.reset()
        except _FAULTS as error:
            log.warning("link ble: the adapter cannot be started again: %s", error)

    async def _tell_silence(self) -> None:
        silent_s = self._mono() - self._heard_mono
        # Without a device of ours there is nobody to miss: the hub may stand where nothing is in the air.
        if self._told or not self._listeners or silent_s < TOLD_AFTER * self._silence_s:
            return
        self._told = True
        why = f": {self.state.reason}" if self.state.reason else ", scanner and adapter were started again"
        log.error("link ble: radio silent for %g s%s", silent_s, why)
        await self._report(Kind.DEVICE_FAULT, {"reason": f"radio silent for {silent_s:.0f} s{why}"})

    async def _tell_hearing(self) -> None:
        self._silences = 0
        if self._told:
            self._told = False
            log.info("link ble: radio hears again")
            await self._report(Kind.DEVICE_RETURNED, {"reason": "radio hears again"})

    def _detected(self, device: BLEDevice, data: AdvertisementData) -> None:
        self._heard_mono = self._mono()
        self._hearing = True
        listener = self._listeners.get(device.address)
        if listener is None and not self._onlookers:
            if self._services and (
                not self._services.isdisjoint(data.service_data)
                or not self._services.isdisjoint(data.service_uuids)
            ):
                self.state.strangers.add(device.address, data.local_name or "")
            return
        # Strangers only while somebody looks for them, who may then want to connect and pair.
        if listener is None and len(self._devices) >= _REMEMBERED:
            self._devices = {key: known for key, known in self._devices.items() if key in self._listeners}
        self._devices[device.address] = _Known(device, self._heard_mono, data.rssi)
        advert = Advert(
            address=device.address,
            rssi_dbm=data.rssi,
            name=data.local_name,
            service_data=data.service_data,
            manufacturer_data=data.manufacturer_data,
            service_uuids=data.service_uuids,
        )
        if listener is not None:
            listener(advert)
        for onlooker in self._onlookers:
            onlooker(advert)

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
            TransientError: It was not heard lately, or did not let itself be connected.
        """
        async with self._connecting:
            known = self._fresh(address)
            client = BleakClient(
                known.device,
                lambda _client: on_lost(),
                pair=bonded,
                timeout=CONNECT_TIMEOUT_S,
                **self.adapter.client,
            )
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S + 5):
                    await client.connect()
            except (BleakError, OSError, TimeoutError, EOFError) as error:
                why = f"{error or type(error).__name__}{weakness(known.rssi_dbm)}"
                raise TransientError(f"cannot connect: {why}") from error
        self._connected.add(address)
        try:
            yield client
        finally:
            self._connected.discard(address)
            with suppress(BleakError, OSError, TimeoutError, EOFError):
                async with asyncio.timeout(5):
                    await client.disconnect()

    def _fresh(self, address: str) -> _Known:
        """Return what was heard of a device lately: by now, after others were connected to.

        Raises:
            TransientError: Nothing.
        """
        known = self._devices.get(address)
        if known is None:
            raise TransientError("not heard since the scanner started")
        silent_s = self._mono() - known.mono
        if silent_s > FRESH_S:
            raise TransientError(f"not heard for {silent_s:.0f} s{weakness(known.rssi_dbm)}")
        return known
