"""Pairs a Shelly BLU device: bonds, switches beacon mode and encryption on, and brings its key home."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

from bleak import BleakClient
from bleak.exc import BleakError

from drivers.base import Advert, Read, Write
from drivers.bthome.pairing import PASSKEY, key_of, steps
from hub.domain.errors import MalformedError, RefusedError, TransientError
from hub.edge.links.ble import Radio

# Whoever holds the button down needs more than 10 s, and then some to find the next device.
HEARD_S = 60.0
STEP_S = 10.0
_FAULTS = (BleakError, OSError, TimeoutError, EOFError)
_PAIRING_MODE = "hold its button for more than 10 s, until it blinks, and try again"


async def pair(radio: Radio, address: str, passkey: int, *, heard_s: float = HEARD_S) -> bytes:
    """Pair one device and return the 16 bytes of its key.

    The key is in nobody's hands but the caller's: it must be kept before anything else is done.

    Args:
        radio: The edge's radio; it scans.
        address: Of the device, in upper case.
        passkey: Six digits.
        heard_s: How long to wait for the device to be heard.

    Raises:
        MalformedError: The passkey is no number of six digits.
        TransientError: It was not heard, or could not be connected to, bonded with or talked to to the end; the
            sentence says what to do.
        RefusedError: It is not a device that can be paired so, or what it gave is no key.
    """
    todo = steps(passkey)
    await _heard(radio, address, heard_s)
    value = b""
    async with AsyncExitStack() as stack:
        # Not bonded yet: what it offers tells first whether it is a device whose bond is ours to make or forget.
        link = radio.connection(address, bonded=False, on_lost=lambda: None)
        try:
            client = await stack.enter_async_context(link)
        except TransientError as error:
            raise TransientError(f"{address} takes no connection: {_PAIRING_MODE} ({error})") from error
        for step in todo:
            if client.services.get_characteristic(step.characteristic) is None:
                raise RefusedError(f"{address} has no {step.characteristic}: no Shelly BLU, or too old")
        await _bond(client, address)
        for at, step in enumerate(todo):
            try:
                async with asyncio.timeout(STEP_S):
                    value = await _carry_out(client, step)
            except _FAULTS as error:
                why = error or type(error).__name__
                raise TransientError(f"{address}: {_failed(todo[: at + 1])}: {why}") from error
    try:
        return key_of(value)
    except MalformedError as error:
        raise RefusedError(f"{address}: {error}") from error


async def _heard(radio: Radio, address: str, heard_s: float) -> None:
    """Wait until the device is heard, which may be assigned to nobody yet."""
    heard = asyncio.Event()

    def note(advert: Advert) -> None:
        if advert.address == address:
            heard.set()

    try:
        with radio.looking(note):
            async with asyncio.timeout(heard_s):
                await heard.wait()
    except TimeoutError as error:
        raise TransientError(f"{address} not heard within {heard_s:g} s: {_PAIRING_MODE}") from error


async def _bond(client: BleakClient, address: str) -> None:
    """Bond; where that fails, forget what there was, for a device that was reset has forgotten it too."""
    try:
        async with asyncio.timeout(STEP_S):
            await client.pair()
    except _FAULTS as error:
        with suppress(*_FAULTS):
            async with asyncio.timeout(STEP_S):
                await client.unpair()
        why = error or type(error).__name__
        raise TransientError(f"{address} does not bond: {_PAIRING_MODE} ({why})") from error


async def _carry_out(client: BleakClient, step: Read | Write) -> bytes:
    match step:
        case Write(uuid, data):
            await client.write_gatt_char(uuid, data, response=True)
        case Read(uuid):
            return bytes(await client.read_gatt_char(uuid))
    return b""


def _failed(begun: Sequence[Read | Write]) -> str:
    """Say how far it came. From the passkey on, the device may encrypt with a key that nobody knows."""
    if any(isinstance(step, Write) and step.characteristic == PASSKEY for step in begun):
        return "encryption may be on with a key that was not read; pair it again before it is used"
    return f"it gave up before encryption was switched on; {_PAIRING_MODE}"
