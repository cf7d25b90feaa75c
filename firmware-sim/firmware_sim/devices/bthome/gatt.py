"""The GATT side of a Shelly BLU: what a paired hub can write to it and read from it.

Written from the maker's pages on encryption and common features: every characteristic asks for a bonded link, and
the device bonds in pairing mode only.
"""

from collections.abc import Callable
from typing import Protocol

from bumble.att import ATT_Error, Attribute
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.pairing import PairingConfig, PairingDelegate

_SERVICE = "de8a5aac-a99b-c315-0c80-60d4cbb51225"
_PASSKEY = "0ffb7104-860c-49ae-8989-1f946d5f6c03"
_KEY = "eb0fb41b-af4b-4724-a6f9-974f55aba81a"
_BEACON_MODE = "cb9e957e-952d-4761-a7e1-4416494a5bfa"
_FACTORY_RESET = "b0a7e40f-2b87-49db-801c-eb3686a24bdb"

_READ, _WRITE = Characteristic.Properties.READ, Characteristic.Properties.WRITE
_ENCRYPTED = (
    Attribute.READABLE
    | Attribute.WRITEABLE
    | Attribute.READ_REQUIRES_ENCRYPTION
    | Attribute.WRITE_REQUIRES_ENCRYPTION
)
# ATT error codes (Core 5.4, volume 3, part F, 3.4.1.1).
_READ_NOT_PERMITTED, _WRITE_NOT_PERMITTED, _VALUE_NOT_ALLOWED = 0x02, 0x03, 0x13
_PASSKEY_MAX = 999_999


class Settable(Protocol):
    """What can be set over the air."""

    pairing: bool

    @property
    def key(self) -> bytes:
        """Its key; zeros while it does not encrypt."""
        ...

    def encrypt(self) -> None:
        """Make a key, and encrypt with it from now on."""
        ...

    def set_beacon(self, *, on: bool) -> None:
        """Speak unasked, or stop doing so."""
        ...

    def factory_reset(self) -> None:
        """Forget everything."""
        ...


class _OnlyInPairingMode(PairingDelegate):  # type: ignore[misc] # bumble is seen without types
    def __init__(self, owner: Settable) -> None:
        super().__init__()
        self._owner = owner

    async def accept(self) -> bool:
        """Bond only while the button was held long enough."""
        return self._owner.pairing


def offer(device: Device, owner: Settable) -> None:
    """Put the service on a device, and let it bond in pairing mode."""
    delegate = _OnlyInPairingMode(owner)
    device.pairing_config_factory = lambda _connection: PairingConfig(
        sc=True, mitm=False, bonding=True, delegate=delegate
    )

    def take_passkey(value: bytes) -> None:
        if len(value) != 4 or int.from_bytes(value, "little") > _PASSKEY_MAX:
            raise ATT_Error(_VALUE_NOT_ALLOWED)
        owner.encrypt()

    def take_reset(value: bytes) -> None:
        if value != b"\x01":
            raise ATT_Error(_VALUE_NOT_ALLOWED)
        owner.factory_reset()

    parts = [
        _characteristic(_PASSKEY, _WRITE, write=take_passkey),
        _characteristic(_KEY, _READ, read=lambda: owner.key),
        _characteristic(_BEACON_MODE, _WRITE, write=lambda value: owner.set_beacon(on=value != b"\x00")),
        _characteristic(_FACTORY_RESET, _WRITE, write=take_reset),
    ]
    device.add_service(Service(UUID(_SERVICE), parts))


def _characteristic(
    uuid: str,
    properties: int,
    *,
    read: Callable[[], bytes] | None = None,
    write: Callable[[bytes], None] | None = None,
) -> Characteristic:
    def give(_connection: Connection) -> bytes:
        if read is None:
            raise ATT_Error(_READ_NOT_PERMITTED)
        return read()

    def take(_connection: Connection, value: bytes) -> None:
        if write is None:
            raise ATT_Error(_WRITE_NOT_PERMITTED)
        write(bytes(value))

    return Characteristic(UUID(uuid), properties, int(_ENCRYPTED), CharacteristicValue(read=give, write=take))
